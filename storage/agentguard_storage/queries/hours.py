"""The hour that leads every sort key."""

from datetime import UTC, datetime


def hour_of(moment: datetime) -> datetime:
    """Return the UTC hour that `moment` lies in; raises ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("times need a time zone")
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

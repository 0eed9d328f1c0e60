"""Times and spans of time as people type them."""

import re
from datetime import UTC, datetime, timedelta

from agentguard.cli.errors import CONFLICT, CliError

__all__ = ["EARLIEST", "LATEST", "duration", "moment"]

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,4})([smhdw])")


def duration(text: str) -> timedelta:
    """`90s`, `15m`, `1h`, `2d`, `4w`; raises CliError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise CliError(
            f"{text!r} is not a span of time",
            hint="write a number and one of s, m, h, d, w: 90s, 15m, 1h, 2d, 4w",
            exit_code=CONFLICT,
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def moment(text: str, now: datetime) -> datetime:
    """A span before `now` (`1h`) or an ISO 8601 time, UTC unless it says otherwise, as UTC.

    Times outside of EARLIEST to LATEST, which is what the store can compare with, come out as the
    nearer of the two. Raises CliError for anything that is no time.
    """
    if _DURATION.fullmatch(text.strip()):
        return min(max(now - duration(text), EARLIEST), LATEST)
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise CliError(
            f"{text!r} is not a time",
            hint="write a span such as 1h or 2d, or an ISO 8601 time such as 2026-01-31T12:00:00Z",
            exit_code=CONFLICT,
        ) from None
    aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
    return min(max(aware, EARLIEST), LATEST).astimezone(UTC)

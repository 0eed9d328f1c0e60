"""Figures as they are read best: durations, tokens, money, ages."""

from datetime import datetime
from decimal import Decimal

from rich.text import Text

__all__ = ["ago", "clock", "cost", "count", "elapsed"]


def elapsed(nanoseconds: int) -> str:
    """A duration in the unit that keeps three significant digits: `850 us`, `1.25 s`, `2m 05s`."""
    if nanoseconds < 0:
        return "-" + elapsed(-nanoseconds)
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1e3:.3g} us"
    if nanoseconds < 999_500_000:
        return f"{nanoseconds / 1e6:.3g} ms"
    if nanoseconds < 59_950_000_000:
        return f"{nanoseconds / 1e9:.3g} s"
    minutes, seconds = divmod(round(nanoseconds / 1e9), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {seconds:02}s"


def count(number: int) -> str:
    """A whole number with thousands apart; nothing for none."""
    return f"{number:,}" if number else ""


def cost(amount: Decimal | None, unpriced: int = 0) -> Text:
    """Dollars, to the cent from one dollar up and to four significant digits below.

    `unpriced` counts the calls that the sum leaves out because their model has no price: they
    show as a `+?`, and a sum of nothing but such calls as `?`.
    """
    if amount is None:
        return Text("?" if unpriced else "", style="yellow")
    if amount >= 1 or amount == 0:
        text = f"${amount:,.2f}"
    else:
        whole, _, part = f"{amount:.{max(2, 3 - amount.adjusted())}f}".partition(".")
        text = f"${whole}.{part.rstrip('0'):0<2}"
    return Text.assemble((text, "green"), (" +?" if unpriced else "", "yellow"))


def clock(time: datetime, now: datetime) -> str:
    """A local time, with its date unless that is today."""
    local, today = time.astimezone(), now.astimezone()
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M:%S")


def ago(time: datetime | None, now: datetime) -> str:
    """How far a time lies back or ahead: `5m ago`, `in 3d`; nothing for no time."""
    if time is None:
        return ""
    seconds = (now - time).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if abs(seconds) >= size:
            amount = f"{int(abs(seconds) // size)}{unit}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "now"

"""The prices in force: the project's, the file's that `AGENTGUARD_PRICES` names, the bundled ones.

One source for all: guards count with `load_meter`, `agentguard prices` shows `load_table`, and the
store is given `override_rules` with each start, so that a call costs the same everywhere. The
project's come from the control plane (`agentguard.prices.project`), to meters that exist as well.

Loading takes some tenths of a second. A guard that counts dollars starts it in the background when
it is made; the first call waits for what is missing of it.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentguard.errors import ConfigurationError
from agentguard.prices import project

if TYPE_CHECKING:
    from agentguard.prices.meter import Meter
    from agentguard.prices.rule import PriceRule
    from agentguard.prices.table import PriceTable

__all__ = [
    "PRICES_VAR",
    "load_meter",
    "load_table",
    "loaded_meter",
    "override_file",
    "override_rules",
    "preload",
    "use_project_rules",
]

PRICES_VAR: Final = "AGENTGUARD_PRICES"
"""Names a TOML or JSON file of price overrides (`agentguard.prices.overrides`)."""

_lock = threading.Lock()
_meters: dict[Path | None, Meter] = {}
_of_file: dict[Path | None, tuple[PriceRule, ...]] = {}
_project: tuple[PriceRule, ...] = ()
_preloading: dict[Path | None, threading.Thread] = {}

# A fork in the middle of loading would leave the child with locks whose owner is gone.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
    # The child has what was loaded, and not the thread that was about to.
    os.register_at_fork(after_in_child=_preloading.clear)


def override_file(given: Path | str | None = None) -> Path | None:
    """The file of price overrides: the one given, otherwise the variable's, otherwise none."""
    named = given or os.environ.get(PRICES_VAR, "").strip()
    return Path(named).expanduser() if named else None


def load_meter(overrides: Path | None = None) -> Meter:
    """Fast look-up in these overrides, which are read once, the project's and the bundled prices.

    Raises:
        ConfigurationError: the file cannot be read or an entry in it is wrong.
    """
    found = _meters.get(overrides)
    if found is None:
        with _lock:
            found = _meters.get(overrides)
            if found is None:
                found = _meters[overrides] = _load(overrides)
        project.wanted()
    return found


def use_project_rules(rules: tuple[PriceRule, ...]) -> None:
    """Count with these prices of the project from now on, also in meters that are in use."""
    global _project
    with _lock:
        if rules == _project:
            return
        _project = rules
        for path, meter in _meters.items():
            meter.use(_table(_of_file[path]))


def load_table(overrides: Path | None = None) -> PriceTable:
    """The table of `load_meter`. Raises ConfigurationError as `load_meter` does."""
    return load_meter(overrides).table


def preload(overrides: Path | None = None) -> None:
    """Load the prices in the background, unless they are there or on their way."""
    # Without the lock, which is held for as long as prices are being loaded.
    if overrides in _meters or overrides in _preloading:
        return
    load = partial(_preload, overrides)
    thread = threading.Thread(target=load, name="agentguard-prices", daemon=True)
    if _preloading.setdefault(overrides, thread) is thread:
        thread.start()


def loaded_meter(overrides: Path | None = None) -> Meter | None:
    """The meter of `load_meter` where it is there; else it is loaded in the background."""
    found = _meters.get(overrides)
    if found is None:
        preload(overrides)
    return found


def _preload(overrides: Path | None) -> None:
    # Who asks for a cost is told what is wrong with the file.
    with suppress(ConfigurationError):
        load_meter(overrides)


def override_rules(overrides: Path | None = None) -> tuple[PriceRule, ...]:
    """The rules in the file of overrides; none without a file.

    Raises ConfigurationError as `load_meter` does.
    """
    if overrides is None:
        return ()
    from agentguard.prices.overrides import PriceOverrideError, load_overrides

    try:
        return load_overrides(overrides)
    except PriceOverrideError as problem:
        raise ConfigurationError(f"price overrides: {problem}") from None


def _load(overrides: Path | None) -> Meter:
    from agentguard.prices.meter import Meter

    _of_file[overrides] = override_rules(overrides)
    return Meter(_table(_of_file[overrides]))


def _table(of_file: tuple[PriceRule, ...]) -> PriceTable:
    from agentguard.prices.overrides import in_order
    from agentguard.prices.table import PriceTable

    return PriceTable(in_order(_project, of_file))

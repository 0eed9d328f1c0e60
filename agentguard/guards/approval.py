"""Asking whoever sits at the terminal whether a tool may be called."""

from __future__ import annotations

import json
import threading
from typing import Final

from agentguard.guards.call import Call

__all__ = ["ask_on_terminal"]

_one_at_a_time = threading.Lock()
_TERMINAL: Final = "/dev/tty"
_MOST_SHOWN: Final = 2_000


def ask_on_terminal(call: Call) -> bool | None:
    """Whether somebody at the terminal says yes. None where there is no terminal.

    Asks on `/dev/tty`, so that the program's own input and output stay its own. Calls that are made
    at the same time wait for each other.
    """
    try:
        with _one_at_a_time, open(_TERMINAL, "w") as screen, open(_TERMINAL) as keys:  # noqa: PTH123
            screen.write(f"\n{_question(call)}\nMay it? [y/N] ")
            screen.flush()
            return keys.readline().strip().lower() in ("y", "yes")
    except OSError:
        return None


def _question(call: Call) -> str:
    arguments = call.arguments
    shown = arguments if isinstance(arguments, str) else json.dumps(arguments, default=str)
    # What an agent says shall not drive the terminal.
    clean = "".join(letter if letter.isprintable() else " " for letter in shown[:_MOST_SHOWN])
    return f"The agent (run {call.run.name}) wants to call {call.name} with {clean}"

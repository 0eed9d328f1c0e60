"""The seam that every guard sits on.

    class NoShellAfterSix(Guard):
        def on_start(self, call):
            if call.kind == "tool" and call.name == "shell" and datetime.now().hour >= 18:
                return self.deny("no shell after six")

`on_start` is asked before a model call, a tool call or an agent begins, `on_end` is told how it
ended. A guard given to a run is a pattern: each run gets its own, made with the same arguments, so
an attribute of a guard is the state of one run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

from agentguard.errors import ConfigurationError, Refused, RunStopped, ToolDenied
from agentguard.guards.call import Call, Kind
from agentguard.guards.verdict import Action, Number, Verdict

if TYPE_CHECKING:
    from agentguard.guards.state import RunState

__all__ = ["Guard", "Mode", "OnError"]

Mode = Literal["enforce", "warn", "observe"]
OnError = Literal["open", "closed"]
_MODES = get_args(Mode)
_ON_ERROR = get_args(OnError)


class Guard:
    """Looks at each operation of a run, and may object.

    Every guard takes `mode`: `enforce` refuses, `warn` logs and records, `observe` records. And
    `on_error`, for when the guard itself fails: `open` goes on without it, `closed` stops the run.
    Either way the failure is recorded and never raised.

    Hooks may be called from several threads at once. They must not block.
    """

    name: ClassVar[str] = "guard"
    """How the guard is called in spans, logs and messages: `loop` for `LoopGuard`."""
    error: ClassVar[type[Refused]] = RunStopped
    """What is raised for its objections."""

    mode: Mode = "enforce"
    on_error: OnError = "open"
    _recipe: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in cls.__dict__:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__.removesuffix("Guard"))
            cls.name = words.lower() or "guard"

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Remember the arguments, to make the same guard for each run."""
        guard = super().__new__(cls)
        guard._recipe = (args, options)
        return guard

    def __init__(self, *, mode: Mode = "enforce", on_error: OnError = "open") -> None:
        if mode not in _MODES:
            raise ConfigurationError(f"mode={mode!r}: a guard's mode is one of {_MODES}.")
        if on_error not in _ON_ERROR:
            raise ConfigurationError(f"on_error={on_error!r}: it is one of {_ON_ERROR}.")
        self.mode = mode
        self.on_error = on_error

    def for_run(self) -> Guard:
        """A guard of the same make, for one run: with nothing counted yet."""
        args, options = self._recipe
        guard = type(self)(*args, **options)
        guard.mode, guard.on_error = self.mode, self.on_error
        return guard

    def looks_at(self, kind: Kind) -> bool:
        """Whether it is asked about operations of that kind at all; it is, unless it says not.

        Asked once a run: what is not looked at costs nothing. A tool that no guard of the run looks
        at is not found around the calls inside of it either (`Call.parent`, `Call.scope("tool")`):
        a guard that tells tools apart looks at them.
        """
        return True

    def begin(self, run: RunState) -> None:
        """Told that the run begins that this guard is one of."""

    def on_start(self, call: Call) -> Verdict | None:
        """Asked before the operation begins. None lets it begin."""
        return None

    def on_progress(self, call: Call) -> Verdict | None:
        """Asked at each piece of a streamed answer. An objection ends the stream."""
        return None

    def on_end(self, call: Call) -> Verdict | None:
        """Told how the operation ended: `call.outcome`, and what is known of its use.

        Called once for each call that this guard let begin, also where another guard refused it
        afterwards (`call.outcome == "refused"`). An objection stops the run from here on.
        """
        return None

    def deadline(self) -> float | None:
        """When the run has to be over by this guard, on the clock of `time.monotonic()`."""
        return None

    def stop(
        self,
        reason: str,
        *,
        limit: Number | None = None,
        used: Number | None = None,
        unit: str = "",
    ) -> Verdict:
        """An objection that ends the run."""
        return Verdict(Action.STOP, reason, self.error, limit, used, unit)

    def deny(
        self,
        reason: str,
        *,
        limit: Number | None = None,
        used: Number | None = None,
        unit: str = "",
    ) -> Verdict:
        """An objection to this operation alone. For a model call it ends the run all the same."""
        error = self.error if not issubclass(self.error, RunStopped) else ToolDenied
        return Verdict(Action.DENY, reason, error, limit, used, unit)

"""The shapes of orders to stop."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from agentguard_storage.control import StopOrder

__all__ = ["StopIn", "StopOut", "StopsOut"]

Name = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")
]
_TARGETS: Final = ("run", "service", "project")


def _one_of_them(schema: dict[str, Any]) -> None:
    """Null stands for a member that is left out; what is asked for is one that is there."""
    schema["oneOf"] = [
        {"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in _TARGETS
    ]


class StopIn(BaseModel):
    """What to stop: exactly one of `run` (its id or its trace's), `service` and `project`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_one_of_them)

    run: Name | None = None
    service: Name | None = None
    project: Literal[True] | None = None
    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")
    ] = "stopped by hand"


class StopOut(BaseModel):
    """A stop that is in force, or was lifted."""

    id: str
    what: Literal["run", "service", "project"]
    target: str
    reason: str
    created_at: datetime
    lifted_at: datetime | None

    @classmethod
    def of(cls, order: StopOrder) -> StopOut:
        """From what the control plane says."""
        return cls(
            id=order.id,
            what=order.what,  # type: ignore[arg-type]
            target=order.target,
            reason=order.reason,
            created_at=order.created_at,
            lifted_at=order.lifted_at,
        )


class StopsOut(BaseModel):
    """The stops in force, all of them, and what to watch for changes after."""

    stops: list[StopOut]
    cursor: str

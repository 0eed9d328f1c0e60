"""A tool: what it takes and gives, what its key must be allowed, and how calls of it end.

Arguments and results are pydantic models, from which the schemas are made. A call ends with the
result, as structured output and as fenced text, or with a tool error: a sentence from which a model
can see what to do differently.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import IntegrityError

from agentguard_mcp.backend import Call
from agentguard_mcp.untrusted import fenced
from agentguard_storage.control import Scope
from agentguard_storage.control.errors import ControlError, ControlPlaneUnavailable
from agentguard_storage.filters import FilterError
from agentguard_storage.queries.errors import InvalidQuery, QueryError

__all__ = ["Arguments", "Result", "Tool", "ToolError", "failed"]

_SHOWN_FAULTS: Final = 5


class Arguments(BaseModel):
    """What a tool takes; whatever else is sent is a mistake worth telling of."""

    model_config = ConfigDict(extra="forbid")


class Result(BaseModel):
    """What a tool gives; fields that are None are left out."""

    model_config = ConfigDict(frozen=True)


class ToolError(Exception):
    """The call cannot be answered; the text is for the model that made it."""


In = TypeVar("In", bound=Arguments)
Out = TypeVar("Out", bound=Result)


@dataclass(frozen=True, slots=True)
class Tool(Generic[In, Out]):
    """One tool.

    `says` puts its result in a sentence of ours, without a word of an agent's; `shows` is for a
    result that reads better as text than as JSON.
    """

    name: str
    title: str
    description: str
    takes: type[In]
    gives: type[Out]
    run: Callable[[Call, In], Awaitable[Out]]
    says: Callable[[Out], str]
    shows: Callable[[Out], str] | None = None
    scope: Scope = Scope.READ
    destructive: bool = False
    idempotent: bool = True

    def listed(self) -> dict[str, Any]:
        """The tool as `tools/list` shows it."""
        read_only = self.scope is Scope.READ
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": _schema(self.takes, "validation"),
            "outputSchema": _schema(self.gives, "serialization"),
            "annotations": {
                "title": self.title,
                "readOnlyHint": read_only,
                "destructiveHint": self.destructive,
                "idempotentHint": read_only or self.idempotent,
                # It asks about this project's own records, and nothing beyond.
                "openWorldHint": False,
            },
        }

    async def call(self, call: Call, given: dict[str, Any]) -> dict[str, Any]:
        """Run it: a CallToolResult, also where it fails in a way that can be told."""
        if not call.principal.allows(self.scope):
            return failed(
                f"this API key may not use {self.name}: it needs the scope `{self.scope}`. "
                f"Somebody with access to the server can make such a key: "
                f"agentguard keys create --scope read --scope {self.scope}"
            )
        try:
            arguments = self.takes.model_validate(given)
        except ValidationError as error:
            return failed(_faults(error))
        try:
            found = await self.run(call, arguments)
        except Exception as error:
            told = _told(error)
            if told is None:
                raise
            return failed(told)
        structured = found.model_dump(mode="json", exclude_none=True)
        data = self.shows(found) if self.shows else json.dumps(structured, ensure_ascii=False)
        text = fenced(self.says(found), data)
        return {"content": [{"type": "text", "text": text}], "structuredContent": structured}


def failed(text: str) -> dict[str, Any]:
    """A tool error."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _schema(model: type[BaseModel], mode: Any) -> dict[str, Any]:
    made = model.model_json_schema(mode=mode)
    made.pop("description", None)
    shown: dict[str, Any] = _untitled(made)
    return shown


def _untitled(part: Any) -> Any:
    """Without the titles that repeat a property's name: a model reads all of this."""
    if isinstance(part, list):
        return [_untitled(each) for each in part]
    if isinstance(part, dict):
        return {
            key: _untitled(value)
            for key, value in part.items()
            if key != "title" or not isinstance(value, str)
        }
    return part


def _faults(error: ValidationError) -> str:
    """What is wrong with the arguments; their values are not repeated."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    told = [
        f"argument `{'.'.join(str(part) for part in fault['loc']) or 'all'}`: {fault['msg']}"
        for fault in faults[:_SHOWN_FAULTS]
    ]
    return "; ".join(told)


def _told(error: Exception) -> str | None:
    """The error in a sentence for a model; None for what nobody foresaw."""
    match error:
        case ToolError():
            return str(error)
        case FilterError():
            return f"filter: {error}"
        case InvalidQuery():
            return f"{error.where}: {error}" if error.where else str(error)
        case QueryError():
            return str(error)
        case ControlPlaneUnavailable():
            return "the server's control plane does not answer at the moment; try again in 2 s"
        case ControlError():
            return str(error)
        case IntegrityError():
            return "the same was changed by another request at this moment; try again"
    return None

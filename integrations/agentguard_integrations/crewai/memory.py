"""What agents look up: memory and knowledge; and what they keep.

CrewAI goes on without its memory where that fails: what is refused there is told to nobody, and
does not take an answer away that an agent has already given. The agent's next call is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agentguard.runtime import runtime
from agentguard.spans import RetrievalSpan, retrieval_span, task_span
from agentguard_integrations.crewai.stopping import detached
from agentguard_integrations.instrumentor import quietly

__all__ = ["encode", "extract", "query", "query_async", "recall"]

Args = tuple[Any, ...]
Named = dict[str, Any]


def recall(wrapped: Callable[..., Any], memory: Any, args: Args, kwargs: Named) -> Any:
    """`Memory.recall(query, ...)`; `arecall` calls it in a thread."""
    with detached(), retrieval_span("memory") as span:
        _asked(span, args, kwargs)
        found = wrapped(*args, **kwargs)
        _found(span, found, _match)
        return found


def extract(wrapped: Callable[..., Any], memory: Any, args: Args, kwargs: Named) -> Any:
    """`Memory.extract_memories(content)`, which asks a model."""
    with detached():
        return wrapped(*args, **kwargs)


def encode(wrapped: Callable[..., Any], memory: Any, args: Args, kwargs: Named) -> Any:
    """`Memory._encode_batch(contents, ...)`, mostly in a thread beside the agent."""
    with detached(), task_span("remember") as span:
        with quietly("recording what is remembered"):
            span.record_input(args[0] if args else kwargs.get("contents"))
        return wrapped(*args, **kwargs)


def query(wrapped: Callable[..., Any], knowledge: Any, args: Args, kwargs: Named) -> Any:
    """`Knowledge.query(queries, ...)`."""
    with retrieval_span(_collection(knowledge)) as span:
        _asked(span, args, kwargs)
        found = wrapped(*args, **kwargs)
        _found(span, found, _document)
        return found


async def query_async(
    wrapped: Callable[..., Awaitable[Any]], knowledge: Any, args: Args, kwargs: Named
) -> Any:
    """`Knowledge.aquery(queries, ...)`."""
    with retrieval_span(_collection(knowledge)) as span:
        _asked(span, args, kwargs)
        found = await wrapped(*args, **kwargs)
        _found(span, found, _document)
        return found


def _asked(span: RetrievalSpan, args: Args, kwargs: Named) -> None:
    with quietly("recording a query"):
        asked = args[0] if args else kwargs.get("query")
        span.record_input(asked[0] if isinstance(asked, list) and len(asked) == 1 else asked)


def _found(span: RetrievalSpan, found: Any, describe: Callable[[Any], dict[str, Any]]) -> None:
    if runtime.capture_content:
        with quietly("recording documents"):
            span.returned([describe(each) for each in found])


def _match(match: Any) -> dict[str, Any]:
    record = match.record
    return {"id": str(record.id), "score": match.score, "content": record.content}


def _document(result: Any) -> dict[str, Any]:
    return {key: result[key] for key in ("id", "score", "content") if key in result}


def _collection(knowledge: Any) -> str:
    name = getattr(getattr(knowledge, "storage", None), "collection_name", None)
    return str(name) if name else "knowledge"

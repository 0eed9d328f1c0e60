"""Query engines and chat engines, which are workflows, as making an index is; and retrievers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.context import attach, detach

from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard.spans import RetrievalSpan, retrieval_span, workflow_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.answers import EngineWork
from agentguard_integrations.llamaindex.scopes import enter, reason_for
from agentguard_integrations.patches import Patches, Wrapper

__all__ = [
    "CHAT_ENGINE_METHODS",
    "patch_indices",
    "patch_pipelines",
    "patch_query_engines",
    "patch_retrievers",
]

_DOCUMENT_TEXT = 2_000
"""Characters of each document found that are recorded, where content is."""


def patch_query_engines(patches: Patches) -> Callable[[Any], None]:
    """What wraps `query` and `aquery`; takes their module."""

    def patch(module: Any) -> None:
        patches.wrap(module.BaseQueryEngine, "query", _sync(_engine, _answer))
        patches.wrap(module.BaseQueryEngine, "aquery", _async(_engine, _answer))

    return patch


def patch_retrievers(patches: Patches) -> Callable[[Any], None]:
    """What wraps `retrieve` and `aretrieve`; takes their module."""

    def patch(module: Any) -> None:
        patches.wrap(module.BaseRetriever, "retrieve", _sync(_retriever, _documents))
        patches.wrap(module.BaseRetriever, "aretrieve", _async(_retriever, _documents))

    return patch


def patch_indices(patches: Patches) -> Callable[[Any], None]:
    """What wraps `from_documents`; takes the module of the base of all indices."""

    def patch(module: Any) -> None:
        patches.wrap(module.BaseIndex, "from_documents", _sync(_index, _nothing))

    return patch


def patch_pipelines(patches: Patches) -> Callable[[Any], None]:
    """What wraps `run` and `arun` of ingestion pipelines; takes their module."""

    def patch(module: Any) -> None:
        patches.wrap(module.IngestionPipeline, "run", _sync(_engine, _nothing))
        patches.wrap(module.IngestionPipeline, "arun", _async(_engine, _nothing))

    return patch


def _index(index: Any) -> SpanScope:
    return workflow_span(f"{index.__name__}.from_documents")


def _nothing(made: Any) -> object:
    return None


def _engine(engine: Any) -> SpanScope:
    return workflow_span(type(engine).__name__)


def _retriever(retriever: Any) -> RetrievalSpan:
    return retrieval_span(type(retriever).__name__)


def _answer(response: Any) -> object:
    """The words of an answer that is there; None for one that is still to come."""
    said = getattr(response, "response", None)
    return said if isinstance(said, str) and said else None


def _documents(found: Any) -> object:
    if not isinstance(found, Iterable):
        return found
    return [_document(each) for each in found]


def _document(found: Any) -> dict[str, object]:
    node = getattr(found, "node", found)
    text = getattr(node, "text", None)
    return {
        "id": getattr(node, "node_id", None),
        "score": getattr(found, "score", None),
        "content": text[:_DOCUMENT_TEXT] if isinstance(text, str) else None,
    }


def _begin(
    describe: Callable[[Any], SpanScope], engine: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> EngineWork | None:
    scope: SpanScope | None = None
    with quietly("Describing an engine"):
        scope = describe(engine)
    context = enter(scope) if scope is not None else None
    if scope is None or context is None:
        return None
    if runtime.capture_content:
        with quietly("Recording a question"):
            question = args[0] if args else next(iter(kwargs.values()), None)
            question = getattr(question, "query_str", question)
            if isinstance(question, str):
                scope.record_input(question)
    return EngineWork(scope, context)


def _said(read: Callable[[Any], object], answer: Any) -> object:
    with quietly("Reading an answer"):
        return read(answer)
    return None


def _sync(describe: Callable[[Any], SpanScope], read: Callable[[Any], object]) -> Wrapper:
    def call(
        wrapped: Callable[..., Any], engine: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        work = _begin(describe, engine, args, kwargs)
        if work is None:
            return wrapped(*args, **kwargs)
        token = attach(work.context)
        try:
            answer = wrapped(*args, **kwargs)
        except BaseException as error:
            reason = reason_for(error, work.context)
            work.end(error=reason or error)
            if reason is not None:
                raise reason from None
            raise
        finally:
            detach(token)
        work.answered(answer, _said(read, answer))
        return answer

    return call


def _async(describe: Callable[[Any], SpanScope], read: Callable[[Any], object]) -> Wrapper:
    async def call(
        wrapped: Callable[..., Any], engine: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        work = _begin(describe, engine, args, kwargs)
        if work is None:
            return await wrapped(*args, **kwargs)
        token = attach(work.context)
        try:
            answer = await wrapped(*args, **kwargs)
        except BaseException as error:
            reason = reason_for(error, work.context)
            work.end(error=reason or error)
            if reason is not None:
                raise reason from None
            raise
        finally:
            detach(token)
        work.answered(answer, _said(read, answer))
        return answer

    return call


CHAT_ENGINE_METHODS = {
    "chat": _sync(_engine, _answer),
    "stream_chat": _sync(_engine, _answer),
    "achat": _async(_engine, _answer),
    "astream_chat": _async(_engine, _answer),
}

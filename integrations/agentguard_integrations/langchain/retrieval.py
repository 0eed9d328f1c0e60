"""Searches: what they are called, what they found, and how near it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import (
    Context,
    attach,
    create_key,
    detach,
    get_current,
    get_value,
    set_value,
)

from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["documents_found", "enter", "patch", "source_of"]

_SCORES = create_key("agentguard-langchain-scores")
_SCORE_NAMES = ("score", "relevance_score", "_score", "similarity_score")


def patch(patches: Patches) -> None:
    """Have what a retriever calls be inside its span, and keep the scores of vector stores."""
    patches.on_import("langchain_core.retrievers", lambda module: _retriever(patches, module))
    patches.on_import("langchain_core.vectorstores.base", lambda module: _stores(patches, module))


def source_of(name: str | None, metadata: Mapping[str, Any]) -> str:
    """What is searched: the vector store where there is one, otherwise the retriever."""
    return str(metadata.get("ls_vector_store_provider") or name or "retriever")


def enter(context: Context) -> None:
    """Make the context the current one until the retriever returns; nowhere else."""
    scores = get_value(_SCORES)
    if scores is not None:
        attach(set_value(_SCORES, scores, context))


def documents_found(documents: Sequence[Any]) -> list[dict[str, object]]:
    """The documents as the conventions have them, with what they say and where it is from."""
    scores = get_value(_SCORES)
    known: Mapping[int, float] = scores if isinstance(scores, dict) else {}
    return [_document(each, known.get(id(each))) for each in documents]


def _document(document: Any, score: float | None) -> dict[str, object]:
    said = document.metadata
    if score is None:
        score = next((said[name] for name in _SCORE_NAMES if name in said), None)
    found = {
        "id": getattr(document, "id", None),
        "score": score,
        "content": document.page_content,
        "metadata": said or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _retriever(patches: Patches, module: Any) -> None:
    patches.wrap(module.BaseRetriever, "invoke", _invoke)
    patches.wrap(module.BaseRetriever, "ainvoke", _ainvoke)


def _invoke(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    token = attach(set_value(_SCORES, {}, get_current()))
    try:
        return wrapped(*args, **kwargs)
    finally:
        detach(token)


async def _ainvoke(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    token = attach(set_value(_SCORES, {}, get_current()))
    try:
        return await wrapped(*args, **kwargs)
    finally:
        detach(token)


def _stores(patches: Patches, module: Any) -> None:
    name = "similarity_search_with_relevance_scores"
    patches.wrap(module.VectorStore, name, _scored)
    patches.wrap(module.VectorStore, f"a{name}", _ascored)


def _scored(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return _noted(wrapped(*args, **kwargs))


async def _ascored(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    return _noted(await wrapped(*args, **kwargs))


def _noted(found: Any) -> Any:
    scores = get_value(_SCORES)
    if isinstance(scores, dict):
        with quietly("Keeping scores"):
            scores.update((id(document), float(score)) for document, score in found)
    return found

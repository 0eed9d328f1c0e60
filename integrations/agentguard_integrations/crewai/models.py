"""CrewAI's own model classes.

Where OpenAI's or Anthropic's client sends the request, that client's edge has the span and asks the
guards. A span is made here for the others (Gemini, Bedrock, Azure, LiteLLM, a class of the user's),
and where nobody traces the client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from agentguard.errors import Refused, RunStopped
from agentguard.runtime import runtime
from agentguard_integrations.crewai.chat import ModelSpan, model_span
from agentguard_integrations.crewai.execution import model_here
from agentguard_integrations.crewai.stopping import abort, latched
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["is_throttling", "patch"]

Args = tuple[Any, ...]
Named = dict[str, Any]

_CLIENTS: Final = {
    "crewai.llms.providers.openai.": "openai",
    "crewai.llms.providers.openai_compatible.": "openai",
    "crewai.llms.providers.anthropic.": "anthropic",
}
"""Modules of classes that send with a client whose edge is watched."""


def patch(patches: Patches, module: Any) -> None:
    """Wrap `call` and `acall` of each class of models there is, and of each that will be made."""
    base = module.BaseLLM
    own = vars(base).get("__init_subclass__")

    def made(cls: Any, /, **options: Any) -> None:
        if own is None:
            super(base, cls).__init_subclass__(**options)
        else:
            own.__get__(None, cls)(**options)
        with quietly("wrapping a class of models"):
            _wrap(patches, cls)

    for owner in _with_subclasses(base):
        _wrap(patches, owner)
    patches.replace(base, "__init_subclass__", classmethod(made))
    patches.wrap(base, "_track_token_usage_internal", _used)


def _with_subclasses(owner: type) -> Iterator[type]:
    below: list[type] = owner.__subclasses__()
    for each in below:
        yield each
        yield from _with_subclasses(each)


def _wrap(patches: Patches, owner: type) -> None:
    if "call" in vars(owner):
        patches.wrap(owner, "call", _call)
    if "acall" in vars(owner):
        patches.wrap(owner, "acall", _acall)
    if "_track_token_usage_internal" in vars(owner):
        patches.wrap(owner, "_track_token_usage_internal", _used)


def _call(wrapped: Callable[..., Any], model: Any, args: Args, kwargs: Named) -> Any:
    if _is_inside(model):
        return wrapped(*args, **kwargs)
    with _calling(model, args, kwargs) as span:
        result = wrapped(*args, **kwargs)
        if span is not None:
            span.answered(result)
        return result


async def _acall(
    wrapped: Callable[..., Awaitable[Any]], model: Any, args: Args, kwargs: Named
) -> Any:
    if _is_inside(model):
        return await wrapped(*args, **kwargs)
    with _calling(model, args, kwargs) as span:
        result = await wrapped(*args, **kwargs)
        if span is not None:
            span.answered(result)
        return result


def _is_inside(model: Any) -> bool:
    """Whether a class's `call` calls that of the class it is made from."""
    here = model_here.get()
    return here is not None and here[0] is model


@contextmanager
def _calling(model: Any, args: Args, kwargs: Named) -> Iterator[ModelSpan | None]:
    """One call to a model. What is refused in it leaves so that nobody tries it again."""
    stop = latched()
    if stop is not None:
        raise abort(stop)
    span: ModelSpan | None = None
    if not _has_edge(model):
        with quietly("describing a model call"):
            span = model_span(model, args[0] if args else kwargs.get("messages"), kwargs)
    token = model_here.set((model, span))
    try:
        if span is None:
            yield None
        else:
            with span:
                span.asked()
                yield span
    except Exception as error:
        stop = latched() or (error.stop if isinstance(error, RunStopped) else None)
        if stop is None:
            raise
        raise abort(stop) from None
    finally:
        model_here.reset(token)


def _has_edge(model: Any) -> bool:
    for owner in type(model).__mro__:
        for module, client in _CLIENTS.items():
            if owner.__module__.startswith(module):
                return client in runtime.traced_clients
    return False


def _used(wrapped: Callable[..., Any], model: Any, args: Args, kwargs: Named) -> Any:
    """`BaseLLM._track_token_usage_internal(usage)`: a provider said what a request cost."""
    with quietly("reading usage"):
        here = model_here.get()
        if here is not None and here[1] is not None:
            here[1].used(args[0] if args else kwargs.get("usage_data"))
    return wrapped(*args, **kwargs)


def is_throttling(wrapped: Callable[..., Any], owner: Any, args: Args, kwargs: Named) -> Any:
    """Whether to wait and try again: not after a refusal, which may speak of limits too."""
    if latched() is not None or any(isinstance(given, Refused) for given in args):
        return False
    return wrapped(*args, **kwargs)

"""Running a function, of any kind, inside a span.

A generator's span is current while the generator's body runs and not in its consumer between
two items, and ends when the generator does: exhausted, closed, failed or garbage collected.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import lru_cache, partial, wraps
from typing import Any, TypeVar, cast

from opentelemetry.context import attach, detach, get_current

from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope

__all__ = ["wrap"]

F = TypeVar("F")
Scope = Callable[[], SpanScope]

KEPT_ITEMS = 1000
"""Items of a generator that are kept to be recorded as its output."""


def wrap(function: F, scope: Scope) -> F:
    """The function, each call of which runs inside a new `scope()`.

    Takes functions, coroutine functions, generator functions, async generator functions, other
    callables, and static and class methods. Raises `TypeError` for anything else.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return cast(F, type(function)(wrap(function.__func__, scope)))
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"{function!r} cannot be traced: decorate a function or a method instead")
    kinds: tuple[tuple[Callable[[Any], bool], Callable[[Any, Scope], Any]], ...] = (
        (inspect.isasyncgenfunction, _wrap_async_generator),
        (inspect.isgeneratorfunction, _wrap_generator),
        (inspect.iscoroutinefunction, _wrap_coroutine),
    )
    body = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    for is_kind, wrap_kind in kinds:
        if is_kind(function) or is_kind(body):
            return cast(F, wrap_kind(function, scope))
    return cast(F, _wrap_function(function, scope))


def _wrap_function(function: Callable[..., Any], scope: Scope) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        span = scope()
        span.given = partial(_arguments, function, args, kwargs)
        with span:
            if runtime.capture_content:
                span.record_input(_arguments(function, args, kwargs))
            result = function(*args, **kwargs)
            span.returned(result)
            return result

    return wrapper


def _wrap_coroutine(function: Callable[..., Any], scope: Scope) -> Callable[..., Any]:
    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        span = scope()
        span.given = partial(_arguments, function, args, kwargs)
        with span:
            if runtime.capture_content:
                span.record_input(_arguments(function, args, kwargs))
            result = await function(*args, **kwargs)
            span.returned(result)
            return result

    return wrapper


def _wrap_generator(function: Callable[..., Any], scope: Scope) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        steps = _Steps(scope(), function, args, kwargs)
        advance: Callable[[], Any] = partial(next, generator)
        with steps:
            while True:
                try:
                    item = steps.keep(steps.run(advance))
                except StopIteration as stop:
                    return stop.value
                try:
                    sent = yield item
                except GeneratorExit:
                    steps.run(generator.close)
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the generator decides
                    advance = partial(generator.throw, thrown)
                else:
                    advance = partial(generator.send, sent)

    return wrapper


def _wrap_async_generator(function: Callable[..., Any], scope: Scope) -> Callable[..., Any]:
    @wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        steps = _Steps(scope(), function, args, kwargs)
        advance: Callable[[], Any] = generator.__anext__
        with steps:
            while True:
                try:
                    item = steps.keep(await steps.run_async(advance))
                except StopAsyncIteration:
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await steps.run_async(generator.aclose)
                    raise
                except BaseException as thrown:  # noqa: BLE001 - the generator decides
                    advance = partial(generator.athrow, thrown)
                else:
                    advance = partial(generator.asend, sent)

    return wrapper


class _Steps:
    """The span of a generator, entered for each step of its body and left between them."""

    def __init__(
        self,
        scope: SpanScope,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._scope = scope
        self._items: list[object] | None = None
        arguments = scope.given = partial(_arguments, function, args, kwargs)
        self._context = scope.open()
        if runtime.capture_content:
            self._items = []
            scope.record_input(arguments())

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._items is not None:
            texts = [item for item in self._items if isinstance(item, str)]
            joined = "".join(texts) if len(texts) == len(self._items) else self._items
            self._scope.returned(joined)
        self._scope.close(error)

    def run(self, advance: Callable[[], Any]) -> Any:
        """One step of a generator, with the body's own context: it may open spans around yields."""
        token = attach(self._context)
        try:
            return advance()
        finally:
            self._context = get_current()
            detach(token)

    async def run_async(self, advance: Callable[[], Any]) -> Any:
        """One step of an async generator."""
        token = attach(self._context)
        try:
            return await advance()
        finally:
            self._context = get_current()
            detach(token)

    def keep(self, item: object) -> object:
        """Remember the item for the record of the output, up to a bound."""
        if self._items is not None and len(self._items) < KEPT_ITEMS:
            self._items.append(item)
        return item


_signature = lru_cache(1024)(inspect.signature)
_OWNERS = ("self", "cls")


@lru_cache(1024)
def _names(function: Callable[..., Any]) -> tuple[tuple[str, ...], int] | None:
    """The function's parameters in order, but for the object a method belongs to: 0 or 1 of them.

    None where some are not given by their own name.
    """
    try:
        parameters = _signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if any(parameter.kind not in plain for parameter in parameters):
        return None
    names = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    owners = int(names[:1] in (["self"], ["cls"]))
    return tuple(names[owners:]), owners


def _arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, object]:
    """The call's arguments by name, without the object a method belongs to."""
    known = _names(function)
    if known is not None:
        # As binding them does it, which takes ten times as long.
        names, owners = known
        own = args[owners:] if owners else args
        if len(own) <= len(names):
            bound = dict(zip(names, own, strict=False))
            if not kwargs:
                return bound
            bound |= kwargs
            return {name: value for name, value in bound.items() if name not in _OWNERS}
    try:
        bound = _signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        # The call itself will say what is wrong with it, or the function has no signature.
        bound = {"args": args, "kwargs": kwargs}
    return {name: value for name, value in bound.items() if name not in _OWNERS}

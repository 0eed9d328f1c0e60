"""Where the wrappers are put: on the one method of each client that all of its calls go through.

`openai` and `anthropic` are made by the same generator: `SyncAPIClient.request` and
`AsyncAPIClient.request` carry `create`, `parse`, streams, raw responses and every resource, and
`BaseClient._build_request` is called once for each attempt, outside of what is tried again.
Checked with openai 1.109, 2.54 and 3.54, anthropic 0.70 and 2.14.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import partial, wraps
from types import ModuleType
from typing import Any, Final

from wrapt import register_post_import_hook

from agentguard.boundary.flight import Flight, current_flight, take_off
from agentguard.boundary.streams import is_stream, watch_stream
from agentguard.cancellation import CancelOnStop
from agentguard.guards.place import call_over

__all__ = ["install", "is_guarded", "uninstall"]

log = logging.getLogger("agentguard")

_LIBRARIES: Final = ("openai", "anthropic")
_RAW: Final = "x-stainless-raw-response"
_lock = threading.Lock()
_originals: list[tuple[type, str, Any]] = []
_guarded: set[str] = set()
_hooked = False
_wanted = False


def install() -> None:
    """Wrap the clients that are imported, and those that will be. Once is enough."""
    global _hooked, _wanted
    with _lock:
        if _wanted:
            return
        _wanted, is_first, _hooked = True, not _hooked, True
    for library in _LIBRARIES:
        if is_first:
            register_post_import_hook(partial(_imported, library), f"{library}._base_client")
        else:
            _wrap_if_imported(library)


def uninstall() -> None:
    """Take the wrappers away."""
    global _wanted
    with _lock:
        _wanted = False
        for owner, name, original in _originals:
            setattr(owner, name, original)
        _originals.clear()
        _guarded.clear()


def is_guarded(library: str) -> bool:
    """Whether every request of that client comes by here."""
    return library in _guarded


def _imported(library: str, module: ModuleType) -> None:
    with _lock:
        if not _wanted:
            return
        try:
            for owner in _with_subclasses(module.SyncAPIClient):
                _replace(owner, "request", partial(_request, library))
            for owner in _with_subclasses(module.AsyncAPIClient):
                _replace(owner, "request", partial(_request_async, library))
            _replace(module.BaseClient, "_build_request", _build_request)
            if isinstance(vars(module.BaseClient).get("_tracer"), property):
                _originals.append((module.BaseClient, "_tracer", module.BaseClient._tracer))
                module.BaseClient._tracer = property(partial(_tracer, module.BaseClient._tracer))
            _guarded.add(library)
        except AttributeError as problem:
            log.warning(
                "The calls of %s are guarded by their spans only: this version of it has no %s. "
                "Versions that are known to work are listed in docs/guards.md.",
                library,
                problem.name,
            )


def _wrap_if_imported(library: str) -> None:
    import sys

    module = sys.modules.get(f"{library}._base_client")
    if module is not None:
        _imported(library, module)


def _with_subclasses(client: type) -> Iterator[type]:
    """The class, and those below it that have a `request` of their own.

    Instrumentors that were there before us have wrapped that one, and hold the original of this.
    """
    if "request" in vars(client):
        yield client
    below: list[type] = client.__subclasses__()
    for subclass in below:
        yield from _with_subclasses(subclass)


def _replace(owner: type, name: str, wrapper: Callable[[Any], Any]) -> None:
    original = vars(owner)[name]
    _originals.append((owner, name, original))
    setattr(owner, name, wraps(original)(wrapper(original)))


def _request(library: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def request(client: Any, cast_to: Any, options: Any, **more: Any) -> Any:
        flight = None if current_flight() else take_off(library, client, options)
        if flight is None:
            return _bound(original, client)(cast_to, options, **more)
        with flight:
            answer = _bound(original, client)(cast_to, options, **more)
        return _landed(answer, flight, bool(more.get("stream")))

    return request


def _request_async(
    library: str, original: Callable[..., Coroutine[Any, Any, Any]]
) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def request(client: Any, cast_to: Any, options: Any, **more: Any) -> Any:
        flight = None if current_flight() else take_off(library, client, options)
        if flight is None:
            return await _bound(original, client)(cast_to, options, **more)
        with flight:
            cancel = CancelOnStop(flight.call.run)
            try:
                answer = await _bound(original, client)(cast_to, options, **more)
            except BaseException as error:
                reason = cancel.disarm(error)
                if reason is not None:
                    raise reason from None
                raise
            cancel.disarm(None)
        return await _landed_async(answer, flight, bool(more.get("stream")))

    return request


def _bound(method: Any, client: Any) -> Any:
    """The method of the client: it may be a function, or the wrapper of an instrumentor."""
    return method.__get__(client, type(client))


def _build_request(original: Callable[..., Any]) -> Callable[..., Any]:
    def build_request(client: Any, options: Any, **more: Any) -> Any:
        flight = current_flight()
        if flight is not None:
            flight.attempt(client, options)
        return original(client, options, **more)

    return build_request


def _tracer(original: property, client: Any) -> Any:
    """The client's own tracer: anthropic 2 makes spans by itself, which one of ours replaces.

    Not for a client that was given a tracer provider of its own.
    """
    flight = current_flight()
    is_traced = flight is not None and flight.span is not None
    if is_traced and client._open_telemetry.get("tracer_provider") is None:
        return None
    return original.__get__(client)


def _landed(answer: Any, flight: Flight, is_streamed: bool) -> Any:
    """The answer, read as far as it is there, and watched where it is still to come."""
    try:
        if type(answer).__name__ == "LegacyAPIResponse" or _is_raw_stream(answer, is_streamed):
            # What `with_raw_response` gives; it keeps what it has parsed.
            _look_at(answer.parse(), flight, is_streamed)
        else:
            _look_at(answer, flight, is_streamed)
    except Exception:
        log.debug("An answer could not be looked at", exc_info=True)
        flight.end("ok")
    return answer


async def _landed_async(answer: Any, flight: Flight, is_streamed: bool) -> Any:
    """The same, where raw answers are parsed by a coroutine."""
    if not _is_raw_stream(answer, is_streamed):
        return _landed(answer, flight, is_streamed)
    try:
        _look_at(await answer.parse(), flight, is_streamed)
    except Exception:
        log.debug("An answer could not be looked at", exc_info=True)
        flight.end("ok")
    return answer


def _look_at(answer: Any, flight: Flight, is_streamed: bool) -> None:
    if not is_streamed and hasattr(answer, "__pydantic_extra__"):
        # What nearly every answer is; to ask it for what it does not have costs microseconds.
        flight.answered(answer)
    elif is_stream(answer):
        flight.call.answered = True
        call_over(has_span=flight.call.has_span)
        watch_stream(answer, flight)
    elif _is_response(answer) and answer.http_response.is_closed:
        flight.answered(answer.http_response.json())
    elif is_streamed or _is_response(answer):
        # The caller reads the bytes: what they hold is not known here.
        flight.end("ok")
    else:
        flight.answered(answer)


def _is_raw_stream(answer: Any, is_streamed: bool) -> bool:
    """Whether it is a raw answer that the caller will parse into a stream."""
    if not (is_streamed and _is_response(answer)):
        return False
    return bool(answer.http_response.request.headers.get(_RAW) == "raw")


def _is_response(answer: Any) -> bool:
    return type(answer).__name__ in ("APIResponse", "AsyncAPIResponse")

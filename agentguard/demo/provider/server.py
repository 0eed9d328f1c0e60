"""The HTTP side of the local provider: keys, refusals, the request log, streaming."""

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from agentguard.demo.provider import (
    anthropic_messages,
    gemini,
    openai_chat,
    openai_embeddings,
    openai_responses,
)
from agentguard.demo.provider.conversation import Responder, Usage, echo
from agentguard.demo.provider.errors import ProtocolError
from agentguard.demo.provider.reply import Reply

__all__ = ["LoggedRequest", "ProviderServer"]

_MAX_BODY = 16 * 2**20
_RETRY_AFTER_MS = 50
_POLL_S = 0.02

Handler = Callable[[Mapping[str, Any], Responder], Reply]

# One line per endpoint: another provider's protocol is another module and another line here.
_ROUTES: dict[str, Handler] = {
    "/v1/chat/completions": openai_chat.answer,
    "/v1/responses": openai_responses.answer,
    "/v1/embeddings": openai_embeddings.answer,
    "/v1/messages": anthropic_messages.answer,
}


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One HTTP request as the provider saw it; `usage` is None unless it was answered with 200."""

    path: str
    status: int
    model: str
    stream: bool
    usage: Usage | None
    received_at: int
    body: Mapping[str, Any]


class ProviderServer:
    """A provider on a loopback port; a context manager that stops its threads on exit.

    Args:
        responder: the script that answers; a pure function of the conversation.
        api_key: the one key accepted; made up when not given.
        refuse_every: every Nth authorised request is refused with 429 and Retry-After;
            0 means never. A retried request counts as one more.
        pause_s: seconds before each piece of a streamed answer.
        port: 0 takes any free port.
    """

    def __init__(
        self,
        responder: Responder = echo,
        *,
        api_key: str | None = None,
        refuse_every: int = 0,
        pause_s: float = 0.0,
        port: int = 0,
    ) -> None:
        self.responder = responder
        self.api_key = api_key or f"sk-local-{secrets.token_hex(12)}"
        self.pause_s = pause_s
        self._refuse_every = refuse_every
        self._log: list[LoggedRequest] = []
        self._turns = 0
        self._lock = threading.Lock()
        handler = type("BoundRequestHandler", (_RequestHandler,), {"provider": self})
        self._http = _HttpServer(("127.0.0.1", port), handler)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(_POLL_S,), daemon=True
        )

    @property
    def base_url(self) -> str:
        """What a client's `base_url` takes, as `http://127.0.0.1:PORT/v1`."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def requests(self) -> list[LoggedRequest]:
        """Every request so far, in order of answering; a copy."""
        with self._lock:
            return list(self._log)

    def usage(self) -> Usage:
        """Tokens of all answered requests together."""
        return sum((r.usage for r in self.requests() if r.usage), Usage())

    def reply_to(self, path: str, key: str, body: Mapping[str, Any]) -> Reply:
        """Answers one decoded request; raises ProtocolError for anything but a 200."""
        handler = _ROUTES.get(path)
        if path.startswith(gemini.PREFIXES):
            handler = partial(gemini.answer, path)
        if handler is None:
            raise ProtocolError(HTTPStatus.NOT_FOUND, f"Unknown request URL: POST {path}.")
        if not secrets.compare_digest(key.encode(), self.api_key.encode()):
            raise ProtocolError(
                HTTPStatus.UNAUTHORIZED,
                "Incorrect API key provided. Send the server's key as 'Authorization: Bearer'.",
                code="invalid_api_key",
            )
        if self._is_refused():
            raise ProtocolError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Rate limit reached for requests. Please try again later.",
                code="rate_limit_exceeded",
                headers={"retry-after": "1", "retry-after-ms": str(_RETRY_AFTER_MS)},
            )
        try:
            return handler(body, self.responder)
        except (AttributeError, KeyError, TypeError) as error:
            message = f"A part of the request does not have the documented shape: {error!r}"
            raise ProtocolError(HTTPStatus.BAD_REQUEST, message) from error

    def record(self, entry: LoggedRequest) -> None:
        """Appends to the request log."""
        with self._lock:
            self._log.append(entry)

    def _is_refused(self) -> bool:
        with self._lock:
            self._turns += 1
            return bool(self._refuse_every) and self._turns % self._refuse_every == 0


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Lets a client go that hung up in the middle of an answer; shows any other failure."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _RequestHandler(BaseHTTPRequestHandler):
    provider: ProviderServer
    protocol_version = "HTTP/1.1"
    # Small SSE chunks would otherwise wait for the peer's delayed acknowledgement.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        received_at = time.time_ns()
        body: Mapping[str, Any] = {}
        usage: Usage | None = None
        status = HTTPStatus.OK
        raw = self.rfile.read(min(int(self.headers.get("content-length") or 0), _MAX_BODY))
        try:
            body = _json_object(raw)
            key = (
                self.headers.get("x-api-key")
                or self.headers.get("x-goog-api-key")
                or (self.headers.get("authorization") or "").removeprefix("Bearer ")
            )
            reply = self.provider.reply_to(self.path.partition("?")[0], key, body)
            usage = reply.usage
        except ProtocolError as error:
            status = error.status
            reply = Reply(error.body(), headers=error.headers)
        entry = LoggedRequest(
            path=self.path,
            status=status,
            model=str(body.get("model") or gemini.model_of(self.path)),
            stream=reply.events is not None,
            usage=usage,
            received_at=received_at,
            body=body,
        )
        # Logged before it is sent: whoever has the answer in hand finds it in the log.
        self.provider.record(entry)
        self._send(status, reply)

    def do_GET(self) -> None:
        error = ProtocolError(HTTPStatus.METHOD_NOT_ALLOWED, "Only POST is served here.")
        self._send(error.status, Reply(error.body(), headers={"allow": "POST"}))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  inherited name
        """Stays silent: the request log is the record."""

    def _send(self, status: HTTPStatus, reply: Reply) -> None:
        self.send_response(status)
        self.send_header("x-request-id", f"req_{secrets.token_hex(8)}")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.events is None:
            self._send_json(reply.body)
        else:
            self._send_events(reply.events)

    def _send_json(self, body: Mapping[str, Any]) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_events(self, events: Iterator[bytes]) -> None:
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            time.sleep(self.provider.pause_s)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")


def _json_object(raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise ProtocolError(
            HTTPStatus.BAD_REQUEST, f"We could not parse the JSON body of your request: {error}"
        ) from error
    if not isinstance(body, dict):
        raise ProtocolError(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
    return body

"""What an HTTP request asks for: who, which statement, which settings.

The parameters and headers are those of https://clickhouse.com/docs/interfaces/http.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from agentguard_storage.embedded.compression import negotiate
from agentguard_storage.embedded.credentials import Credentials, User
from agentguard_storage.embedded.errors import EngineError
from agentguard_storage.embedded.forms import FORM, form_fields

__all__ = ["QueryRequest"]

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_FORMAT: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*\Z")

# Parameters of the interface itself: everything else in the URL is a setting.
_RESERVED: Final = frozenset(
    {
        "add_http_cors_header",
        "buffer_size",
        "client_protocol_version",
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "log_comment",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)
_RESERVED_PREFIXES: Final = ("http_header_", "http_headers_", "http_response_headers", "param_")


@dataclass(frozen=True)
class QueryRequest:
    """A request that has passed authentication.

    `settings` holds checked names, `param_*` included; `tag` names the running query for
    cancellation; `coding` is the body's, `encoding` the response's content coding; `form` is the
    Content-Type of a body that is a form; `whole` asks for the complete result before the first
    byte is sent.
    """

    user: User
    statement: str
    settings: Mapping[str, str]
    default_format: str
    coding: str
    encoding: str
    form: str
    query_id: str
    whole: bool
    tag: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def parse(cls, scope: Mapping[str, Any], credentials: Credentials) -> QueryRequest:
        """Read an ASGI HTTP scope; raise `EngineError` for what cannot be accepted."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        url = dict(_url_parameters(scope["query_string"]))
        user = _authenticate(url, headers, credentials)
        for name in ("compress", "decompress"):
            if url.get(name, "0") not in ("0", "false", ""):
                raise EngineError(
                    48,
                    "NOT_IMPLEMENTED",
                    f"{name}=1 (ClickHouse's native block compression) is not available here: "
                    "use Content-Encoding, or Accept-Encoding with enable_http_compression=1",
                )
        settings = dict(_settings(url))
        settings["database"] = (
            url.get("database") or headers.get("x-clickhouse-database") or "default"
        )
        if scope["method"] == "GET":
            settings.setdefault("readonly", "2")
        compressed = url.get("enable_http_compression", "0") in ("1", "true")
        default_format = (
            url.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated"
        )
        content_type = headers.get("content-type", "")
        if not _FORMAT.match(default_format):
            raise EngineError(73, "UNKNOWN_FORMAT", f"Unknown format {default_format!r}")
        return cls(
            user=user,
            statement=url.get("query", ""),
            settings=settings,
            default_format=default_format,
            coding=headers.get("content-encoding", "").strip().lower(),
            encoding=negotiate(headers.get("accept-encoding", "")) if compressed else "",
            form=content_type if content_type.lower().startswith(FORM) else "",
            query_id=_query_id(url.get("query_id", "")),
            whole=url.get("wait_end_of_query", "0") in ("1", "true"),
        )

    def with_form(self, body: bytes) -> QueryRequest:
        """Return the request with the statement, parameters and settings of its form."""
        fields = form_fields(self.form, body)
        statement = fields.get("query", self.statement)
        settings = {**self.settings, **dict(_settings(fields))}
        return replace(self, statement=statement, settings=settings, form="")


def _url_parameters(query_string: bytes) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=1000,
        )
    except ValueError as error:
        raise EngineError.bad_request(f"The URL's parameters cannot be read: {error}") from None


def _query_id(wanted: str) -> str:
    return wanted if wanted and wanted.isascii() and wanted.isprintable() else str(uuid.uuid4())


def _settings(url: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, value in url.items():
        if name in _RESERVED or (
            name.startswith(_RESERVED_PREFIXES) and not name.startswith("param_")
        ):
            continue
        if not _NAME.match(name):
            raise EngineError(115, "UNKNOWN_SETTING", f"Unknown setting {name!r}")
        yield name, value


def _authenticate(
    url: Mapping[str, str], headers: Mapping[str, str], credentials: Credentials
) -> User:
    name, password = _presented(url, headers)
    if not name:
        raise EngineError(
            194,
            "REQUIRED_PASSWORD",
            "Authentication is required: give a user and a password (Basic auth, "
            "X-ClickHouse-User and X-ClickHouse-Key, or user= and password=)",
        )
    user = credentials.matching(name, password)
    if user is None:
        raise EngineError(
            516,
            "AUTHENTICATION_FAILED",
            f"{name}: Authentication failed: password is incorrect, or there is no user with "
            "such name",
        )
    return user


def _presented(url: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", ""), headers.get("x-clickhouse-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise EngineError.bad_request("The Authorization header is not valid") from None
        return name, password
    return url.get("user", ""), url.get("password", "")

"""The settings: one table, and the order in which their sources are asked.

A value comes from the first of these that has it: an argument of `agentguard.init`, an
`AGENTGUARD_*` variable, an `OTEL_*` variable, `[tool.agentguard]` in the nearest
`pyproject.toml`, the default. An empty variable counts as absent, as
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ asks.
"""

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import unquote

from agentguard import reading
from agentguard.errors import ConfigurationError
from agentguard.redaction.patterns import read_patterns
from agentguard.semconv import DEPLOYMENT_ENVIRONMENT_NAME, SERVICE_NAME

__all__ = ["Options", "Settings", "Variable", "load_settings"]

Reader = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable a setting is read from.

    `entry` names the key to look for when the variable holds `key=value,key=value`.
    """

    name: str
    read: Reader
    entry: str | None = None

    def value(self, environ: Mapping[str, str]) -> str | None:
        """The text the variable holds for the setting, or None."""
        found = environ.get(self.name, "").strip()
        if self.entry is None:
            return found or None
        entries = (item.partition("=") for item in found.split(","))
        named = {key.strip(): unquote(content.strip()) for key, _, content in entries}
        return named.get(self.entry) or None


def _setting(
    default: object,
    read: Reader,
    help: str,  # noqa: A002 - the column's name
    *,
    env: str,
    otel: tuple[Variable, ...] = (),
    secret: bool = False,
) -> Any:
    return field(
        default=default,
        repr=not secret,
        metadata={
            "read": read,
            "variables": (Variable(env, read), *otel),
            "secret": secret,
            "help": help,
        },
    )


_OTLP = "OTEL_EXPORTER_OTLP"
_RESOURCE = "OTEL_RESOURCE_ATTRIBUTES"


@dataclass(frozen=True, slots=True)
class Settings:
    """The resolved settings. Durations are in seconds.

    Each field is a row of the table: its type, default, variables and meaning.
    """

    endpoint: str = _setting(
        "http://127.0.0.1:4318/v1/traces",
        reading.base_url,
        "The collector's base URL; `/v1/traces` is appended unless it is there.",
        env="AGENTGUARD_ENDPOINT",
        otel=(
            Variable(f"{_OTLP}_TRACES_ENDPOINT", reading.traces_url),
            Variable(f"{_OTLP}_ENDPOINT", reading.base_url),
        ),
    )
    api_key: str | None = _setting(
        None,
        reading.secret,
        "The ingest key, sent as `Authorization: Bearer`. Never read from `pyproject.toml`.",
        env="AGENTGUARD_API_KEY",
        secret=True,
    )
    service_name: str | None = _setting(
        None,
        reading.text,
        "`service.name` of the resource.",
        env="AGENTGUARD_SERVICE_NAME",
        otel=(
            Variable("OTEL_SERVICE_NAME", reading.text),
            Variable(_RESOURCE, reading.text, SERVICE_NAME),
        ),
    )
    environment: str | None = _setting(
        None,
        reading.text,
        "`deployment.environment.name` of the resource, such as `production`.",
        env="AGENTGUARD_ENVIRONMENT",
        otel=(Variable(_RESOURCE, reading.text, DEPLOYMENT_ENVIRONMENT_NAME),),
    )
    instrument: tuple[str, ...] = _setting(
        ("all",),
        reading.names,
        "Which libraries are traced: `all` that are installed, `none`, or names such as "
        "`openai,langchain`.",
        env="AGENTGUARD_INSTRUMENT",
    )
    capture_content: bool = _setting(
        False,
        reading.content_mode,
        "Record messages, tool arguments and results. "
        "Also takes OpenTelemetry's `SPAN_ONLY`, `NO_CONTENT` and so on.",
        env="AGENTGUARD_CAPTURE_CONTENT",
        otel=(
            Variable("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", reading.content_mode),
        ),
    )
    max_content_length: int = _setting(
        65_536,
        reading.whole,
        "Characters of content kept per attribute; the rest is cut.",
        env="AGENTGUARD_MAX_CONTENT_LENGTH",
    )
    redact: str = _setting(
        "secrets",
        reading.choice("none", "secrets", "all"),
        "What is taken out of spans before they are sent: `none`, `secrets`, or `all` "
        "(also e-mail addresses, phone, card and account numbers).",
        env="AGENTGUARD_REDACT",
    )
    redact_patterns: tuple[str, ...] = _setting(
        (),
        read_patterns,
        "Regular expressions of your own whose matches are taken out too; in the variable, "
        "one a line.",
        env="AGENTGUARD_REDACT_PATTERNS",
    )
    flush_timeout: float = _setting(
        5.0,
        reading.seconds,
        "Seconds that leaving the process, `flush()` and `shutdown()` may take.",
        env="AGENTGUARD_FLUSH_TIMEOUT",
    )
    export_timeout: float = _setting(
        10.0,
        reading.seconds,
        "Seconds one export may take, retries included.",
        env="AGENTGUARD_EXPORT_TIMEOUT",
        otel=(
            Variable(f"{_OTLP}_TRACES_TIMEOUT", reading.seconds),
            Variable(f"{_OTLP}_TIMEOUT", reading.seconds),
        ),
    )
    schedule_delay: float = _setting(
        1.0,
        reading.seconds,
        "Seconds a finished span may wait for company before it is sent. "
        "(The `OTEL_` variable is in milliseconds.)",
        env="AGENTGUARD_SCHEDULE_DELAY",
        otel=(Variable("OTEL_BSP_SCHEDULE_DELAY", reading.milliseconds),),
    )
    queue_size: int = _setting(
        2048,
        reading.whole,
        "Finished spans that may wait to be sent; more are dropped and counted.",
        env="AGENTGUARD_QUEUE_SIZE",
        otel=(Variable("OTEL_BSP_MAX_QUEUE_SIZE", reading.whole),),
    )
    batch_size: int = _setting(
        512,
        reading.whole,
        "Spans sent in one request at most; never more than `queue_size`.",
        env="AGENTGUARD_BATCH_SIZE",
        otel=(Variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", reading.whole),),
    )
    compression: str = _setting(
        "gzip",
        reading.choice("gzip", "deflate", "none"),
        "`gzip`, `deflate` or `none`.",
        env="AGENTGUARD_COMPRESSION",
        otel=(
            Variable(f"{_OTLP}_TRACES_COMPRESSION", reading.choice("gzip", "deflate", "none")),
            Variable(f"{_OTLP}_COMPRESSION", reading.choice("gzip", "deflate", "none")),
        ),
    )
    headers: tuple[tuple[str, str], ...] = _setting(
        (),
        reading.headers,
        "Extra HTTP headers, as a mapping or `name=value,name=value`. `OTEL_` headers are used "
        "only with an `OTEL_` endpoint. Never read from `pyproject.toml`.",
        env="AGENTGUARD_HEADERS",
        otel=(
            Variable(f"{_OTLP}_TRACES_HEADERS", reading.headers),
            Variable(f"{_OTLP}_HEADERS", reading.headers),
        ),
        secret=True,
    )
    disabled: bool = _setting(
        False,
        reading.flag,
        "Make no spans and send nothing.",
        env="AGENTGUARD_DISABLED",
        otel=(Variable("OTEL_SDK_DISABLED", reading.flag),),
    )


class Options(TypedDict, total=False):
    """What `agentguard.init` takes: the settings, each one optional."""

    endpoint: str
    api_key: str | None
    service_name: str | None
    environment: str | None
    instrument: str | Sequence[str]
    capture_content: bool | str
    max_content_length: int
    redact: str
    redact_patterns: Sequence[str]
    flush_timeout: float
    export_timeout: float
    schedule_delay: float
    queue_size: int
    batch_size: int
    compression: str
    headers: Mapping[str, str]
    disabled: bool


def load_settings(
    arguments: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """The settings that arguments, variables and `pyproject.toml` give together.

    `arguments` that are None count as absent; `environ` is the process's own and `directory`
    the current one unless given. Raises `ConfigurationError` for a value that cannot be used,
    an unknown name, a secret in `pyproject.toml`, or a `pyproject.toml` that cannot be read.
    """
    given = {name: value for name, value in (arguments or {}).items() if value is not None}
    environ = os.environ if environ is None else environ
    file, table = _project_table(directory)
    rows = {row.name: row for row in fields(Settings)}
    _refuse_unknown(given, rows, "an argument of init()")
    _refuse_unknown(table, rows, f"a setting in [tool.agentguard] of {file}")

    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, row in rows.items():
        found = _find(row, given, environ, table, f"{name} in [tool.agentguard] of {file}")
        if found is not None:
            sources[name], raw, read = found
            values[name] = _read(row, sources[name], raw, read)
    # Another vendor's headers hold another vendor's key: they go to that vendor's endpoint only.
    if _is_otel(sources, "headers") and not _is_otel(sources, "endpoint"):
        del values["headers"]
    settings = Settings(**values)
    if settings.batch_size > settings.queue_size:
        values["batch_size"] = settings.queue_size
        settings = Settings(**values)
    return settings


def _find(
    row: "Field[Any]",
    given: Mapping[str, object],
    environ: Mapping[str, str],
    table: Mapping[str, object],
    table_source: str,
) -> tuple[str, object, Reader] | None:
    """Where the setting's value comes from, the value as found, and its reader."""
    if row.name in given:
        return f"init({row.name}=...)", given[row.name], row.metadata["read"]
    for variable in row.metadata["variables"]:
        held = variable.value(environ)
        if held is not None:
            return variable.name, held, variable.read
    if row.name not in table:
        return None
    if row.metadata["secret"]:
        raise ConfigurationError(
            f"{table_source} would be committed with the project. Remove it there and set "
            f"{row.metadata['variables'][0].name} instead."
        )
    return table_source, table[row.name], row.metadata["read"]


def _read(row: "Field[Any]", source: str, raw: object, read: Reader) -> object:
    try:
        return read(raw)
    except ValueError as problem:
        shown = "the value (kept out of this message)" if row.metadata["secret"] else _shown(raw)
        raise ConfigurationError(f"{source}: {shown} is not {problem}.") from None


def _shown(raw: object) -> str:
    """The value for a message, without a password a URL may hold."""
    if isinstance(raw, str) and "@" in raw and "://" in raw:
        scheme, _, rest = raw.partition("://")
        raw = f"{scheme}://***@{rest.rpartition('@')[2]}"
    return repr(raw)


def _is_otel(sources: Mapping[str, str], name: str) -> bool:
    return sources.get(name, "").startswith("OTEL_")


def _refuse_unknown(names: Mapping[str, object], rows: Mapping[str, object], what: str) -> None:
    for name in names:
        if name not in rows:
            close = get_close_matches(name, rows, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(rows)}."
            raise ConfigurationError(f"{name} is not {what}. {hint}")


def _project_table(directory: Path | None) -> tuple[Path | None, dict[str, object]]:
    """The nearest `pyproject.toml`, upwards, and its `[tool.agentguard]` table."""
    try:
        start = (directory or Path.cwd()).absolute()
        file = next(
            (
                at / "pyproject.toml"
                for at in (start, *start.parents)
                if (at / "pyproject.toml").is_file()
            ),
            None,
        )
    except OSError:  # The current directory is gone or closed to us: there is no project.
        return None, {}
    if file is None:
        return None, {}
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ConfigurationError(f"{file} cannot be read: {problem}") from None
    tool = document.get("tool")
    table = tool.get("agentguard", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise ConfigurationError(f"[tool.agentguard] of {file} is not a table of settings.")
    return file, table

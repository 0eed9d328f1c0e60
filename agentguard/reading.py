"""Reading one configuration value, from a string or a native type.

Each reader takes what a source holds (text from a variable, or whatever an argument or TOML
gave) and returns the typed value. A reader that cannot use a value raises `ValueError` whose
message completes the sentence "`<value>` is not ...".
"""

from collections.abc import Callable, Mapping
from math import isfinite
from urllib.parse import urlsplit

from opentelemetry.util.re import parse_env_headers

TRACES_PATH = "/v1/traces"


def text(value: object) -> str:
    """A non-empty string, without the white space around it."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("a non-empty string")


def names(value: object) -> tuple[str, ...]:
    """Names in a list, or separated by commas; `none` is no name."""
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, list | tuple | set | frozenset) and all(isinstance(i, str) for i in items):
        found = [item.strip().lower() for item in items]
        if all(found) and found:
            return tuple(name for name in found if name != "none")
    raise ValueError("a list of names, all or none")


def secret(value: object) -> str:
    """A string that can travel in an HTTP header: printable ASCII without spaces."""
    cleaned = text(value)
    if cleaned.isascii() and cleaned.isprintable() and " " not in cleaned:
        return cleaned
    raise ValueError("made of printable ASCII characters without spaces")


def flag(value: object) -> bool:
    """`true`, `1`, `yes`, `on` and their opposites, in any case."""
    if isinstance(value, bool):
        return value
    match str(value).strip().lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise ValueError("true or false")


def content_mode(value: object) -> bool:
    """A flag, or one of OpenTelemetry's content capturing modes.

    Content goes on spans, so the modes that put it on spans mean true. Source:
    https://github.com/open-telemetry/opentelemetry-python-contrib/tree/main/util/opentelemetry-util-genai
    """
    match str(value).strip().upper():
        case "SPAN_ONLY" | "SPAN_AND_EVENT":
            return True
        case "NO_CONTENT" | "EVENT_ONLY":
            return False
    try:
        return flag(value)
    except ValueError:
        raise ValueError(
            "true, false, NO_CONTENT, SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT"
        ) from None


def whole(value: object) -> int:
    """A whole number of 1 or more."""
    if not isinstance(value, bool) and isinstance(value, (int, str)):
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number >= 1:
            return number
    raise ValueError("a whole number of 1 or more")


def seconds(value: object) -> float:
    """A number of seconds greater than 0."""
    return _duration(value, 1.0, "a number of seconds greater than 0")


def milliseconds(value: object) -> float:
    """A number of milliseconds greater than 0, returned as seconds."""
    return _duration(value, 1000.0, "a number of milliseconds greater than 0")


def _duration(value: object, per_second: float, allowed: str) -> float:
    if not isinstance(value, bool) and isinstance(value, (int, float, str)):
        try:
            number = float(value) / per_second
        except (ValueError, OverflowError):
            number = 0.0
        if number > 0 and isfinite(number):
            return number
    raise ValueError(allowed)


def choice(*allowed: str) -> Callable[[object], str]:
    """A reader for one of the given words, in any case."""

    def read(value: object) -> str:
        word = str(value).strip().lower()
        if word in allowed:
            return word
        raise ValueError("one of " + ", ".join(allowed))

    return read


def base_url(value: object) -> str:
    """The collector's base URL, returned as the URL spans are posted to.

    `/v1/traces` is appended unless it is already there, as
    https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp asks.
    """
    url = traces_url(value).rstrip("/")
    return url if url.endswith(TRACES_PATH) else url + TRACES_PATH


def traces_url(value: object) -> str:
    """The whole URL spans are posted to, used as it is."""
    allowed = "an http:// or https:// URL with a host, such as http://127.0.0.1:4318"
    url = text(value)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(allowed) from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without a user and password; give the key as api_key")
    if not usable or parts.query or parts.fragment or " " in url:
        raise ValueError(allowed)
    return url


def headers(value: object) -> tuple[tuple[str, str], ...]:
    """Extra HTTP headers: a mapping, or `name=value,name=value` with percent-encoded values.

    Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
    """
    pairs: Mapping[str, str]
    if isinstance(value, Mapping):
        pairs = {str(name).lower(): str(content) for name, content in value.items()}
    else:
        items = [item for item in str(value).split(",") if item.strip()]
        pairs = parse_env_headers(str(value), liberal=True)
        if len(pairs) < len(items):
            raise ValueError("a list of headers such as name=value,other-name=value")
    for name, content in pairs.items():
        if not (name.isascii() and content.isascii() and (name + content).isprintable()):
            raise ValueError("made of printable ASCII header names and values")
    return tuple(sorted(pairs.items()))

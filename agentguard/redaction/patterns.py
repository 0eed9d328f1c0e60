"""What is looked for. Every pattern is linear: no repetition stands inside another ambiguously."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from agentguard.redaction.checksums import is_card, is_iban

__all__ = ["PERSONAL", "SECRETS", "Pattern", "read_patterns"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of value. The group named `value`, or the whole match, is what is taken out.

    `hints` are texts one of which must be there, in any case, for the expression to be tried.
    """

    kind: str
    expression: re.Pattern[str]
    hints: tuple[str, ...] = ()
    check: Callable[[str], bool] | None = None


def read_patterns(value: object) -> tuple[str, ...]:
    """Own expressions: a list of them, or text with one a line. Raises `ValueError`."""
    lines = value.splitlines() if isinstance(value, str) else value
    allowed = "a list of regular expressions (in a variable: one a line) that match some text"
    if not isinstance(lines, (list, tuple)):
        raise ValueError(allowed)  # noqa: TRY004 - what readers of settings raise
    found = tuple(line for line in lines if line)
    for line in found:
        try:
            usable = isinstance(line, str) and not re.compile(line).match("")
        except re.error:
            usable = False
        if not usable:
            raise ValueError(allowed)
    return found


def _pattern(
    kind: str, expression: str, *hints: str, check: Callable[[str], bool] | None = None
) -> Pattern:
    return Pattern(kind, re.compile(expression), hints, check)


_START = r"(?<![A-Za-z0-9])"

SECRETS = (
    _pattern(
        "private_key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"[^-]*(?:-(?!----)[^-]*)*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        "private key",
    ),
    _pattern(
        "connection_string",
        r"(?<![A-Za-z])[A-Za-z][A-Za-z0-9+.]{1,30}://[^\s:/@\"'<>]{0,200}:"
        r"(?P<value>[^\s/\"'<>]{1,500})@",
        "://",
    ),
    _pattern(
        "connection_string",
        r"(?i)\b(?:password|pwd|accountkey|sharedaccesskey)=(?!(?:none|null|true|false)\b|os\.|self\.)(?P<value>[^\s;\"'&]{4,500})",
        "password=",
        "pwd=",
        "accountkey=",
        "sharedaccesskey=",
    ),
    _pattern(
        "jwt",
        _START + r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",
        "eyj",
    ),
    _pattern(
        "bearer_token",
        r"(?i)\b(?:bearer|basic) +(?P<value>(?=[A-Za-z._~+/-]{0,200}[0-9])"
        r"[A-Za-z0-9._~+/-]{16,}=*)",
        "bearer",
        "basic",
    ),
    _pattern("api_key", _START + r"agk_[A-Za-z0-9_-]{8,}", "agk_"),
    _pattern(
        "api_key",
        _START + r"sk-(?:(?:ant|proj|svcacct|admin|or|lf)-[A-Za-z0-9_-]{16,}|[A-Za-z0-9]{20,})",
        "sk-",
    ),
    _pattern(
        "api_key",
        _START + r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
    ),
    _pattern("api_key", _START + r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", "akia", "asia"),
    _pattern("api_key", _START + r"AIza[A-Za-z0-9_-]{35}", "aiza"),
    _pattern("api_key", _START + r"xox[abeprs]-[A-Za-z0-9-]{10,}", "xox"),
    _pattern(
        "api_key", _START + r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}", "_live_", "_test_"
    ),
    _pattern(
        "api_key",
        _START + r"(?:hf_|gsk_|xai-|pplx-|r8_|glpat-)[A-Za-z0-9_-]{20,}",
        "hf_",
        "gsk_",
        "xai-",
        "pplx-",
        "r8_",
        "glpat-",
    ),
    _pattern("api_key", _START + r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", "sg."),
    _pattern(
        "api_key", _START + r"(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})", "npm_", "pypi-"
    ),
    _pattern(
        "api_key",
        r"(?i)(?:api[_-]?key|secret|access[_-]?token|auth[_-]?token)"
        r"[\\\"']{0,4} ?[:=] ?[\\\"']{0,4}"
        r"(?P<value>(?=[A-Za-z_+/-]{0,100}[0-9])[A-Za-z0-9_+/-]{16,}={0,2})",
        "key",
        "secret",
        "token",
    ),
)
"""Taken out unless `redact` is `none`."""

PERSONAL = (
    _pattern("phone", r"(?<![\w+])\+[1-9](?:[ .()-]{0,2}[0-9]){7,14}(?![\w])", "+"),
    _pattern(
        "email",
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])",
        "@",
    ),
    _pattern(
        "iban",
        r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])",
        check=is_iban,
    ),
    _pattern("card", r"(?<![\w.-])[3-6][0-9]{3}(?:[ -]?[0-9]){9,15}(?![\w-])", check=is_card),
    _pattern(
        "phone",
        r"(?<![\w.-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}(?![\w-])",
    ),
)
"""Taken out with `redact` set to `all`."""

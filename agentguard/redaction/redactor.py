"""Taking values out of one text."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence

from agentguard.redaction.patterns import PERSONAL, SECRETS, Pattern

__all__ = ["MAX_CHARACTERS", "Callback", "Redactor"]

log = logging.getLogger("agentguard")

Callback = Callable[[str], str]
"""Is given a text after everything else was taken out, and returns what may be sent."""

MAX_CHARACTERS = 1_000_000
"""Longer texts are cut here: what is not looked through is not sent."""

_SHORTEST = 13
_SHORT, _REMEMBERED = 64, 4096
# Names and short values come again and again: so many of them are known to be clean.


class Redactor:
    """Replaces what it finds by `[redacted:<kind>]`, and counts it.

    `level` is `none`, `secrets` or `all`; own patterns and the callback apply at each of them.
    """

    def __init__(
        self, level: str, own: Sequence[str] = (), callback: Callback | None = None
    ) -> None:
        built_in = {"none": (), "secrets": SECRETS, "all": SECRETS + PERSONAL}[level]
        self._patterns = [Pattern("custom", re.compile(each)) for each in own] + list(built_in)
        self._callback = callback
        self._clean: set[str] = set()
        self.active = bool(self._patterns or callback)

    def text(self, text: str, counts: Counter[str]) -> str:
        """The text without what is looked for; `counts` gains the kinds that were found."""
        if len(text) > MAX_CHARACTERS:
            text = text[:MAX_CHARACTERS]
            counts["cut"] += 1
        if text not in self._clean:
            text = self._matched(text, counts)
        return text if self._callback is None else self._asked(self._callback, text, counts)

    def _matched(self, text: str, counts: Counter[str]) -> str:
        given, lowered = text, text.lower()
        for pattern in self._patterns:
            if not pattern.hints or any(hint in lowered for hint in pattern.hints):
                text = _without(pattern, text, counts)
        if text == given and len(text) <= _SHORT:
            if len(self._clean) >= _REMEMBERED:
                self._clean = set()
            self._clean.add(text)
        return text

    def _asked(self, callback: Callback, text: str, counts: Counter[str]) -> str:
        try:
            kept = callback(text)
        except Exception as error:  # noqa: BLE001 - the user's code must not stop the export
            log.debug("The redaction callback failed: %s", type(error).__name__)
            kept = None
        if not isinstance(kept, str):
            counts["callback_failed"] += 1
            return "[redacted:callback_failed]"
        if kept != text:
            counts["callback"] += 1
        return kept


def _without(pattern: Pattern, text: str, counts: Counter[str]) -> str:
    if pattern.check is not None:
        return _without_checked(pattern, pattern.check, text, counts)
    group = "value" if "value" in pattern.expression.groupindex else 0

    def replace(match: re.Match[str]) -> str:
        whole, value = match[0], match[group]
        if not value:
            return whole
        counts[pattern.kind] += 1
        start = match.start(group) - match.start()
        return f"{whole[:start]}[redacted:{pattern.kind}]{whole[start + len(value) :]}"

    return pattern.expression.sub(replace, text)


def _without_checked(
    pattern: Pattern, check: Callable[[str], bool], text: str, counts: Counter[str]
) -> str:
    kept: list[str] = []
    done = at = 0
    while match := pattern.expression.search(text, at):
        start, end = _checked(match[0], check)
        if start == end:
            at = match.end()
            continue
        counts[pattern.kind] += 1
        kept += (text[done : match.start() + start], f"[redacted:{pattern.kind}]")
        # The match may reach into the next value, which is looked for from here on.
        done = at = match.start() + end
    kept.append(text[done:])
    return "".join(kept)


def _checked(text: str, check: Callable[[str], bool]) -> tuple[int, int]:
    """The longest run of groups that passes: other numbers may stand before and after it."""
    gaps = [at for at, sign in enumerate(text) if sign in " -"]
    starts, ends = [0, *(at + 1 for at in gaps)], [*gaps, len(text)]
    spans = [(start, end) for start in starts for end in ends if end - start >= _SHORTEST]
    for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
        if check(text[start:end]):
            return start, end
    return 0, 0

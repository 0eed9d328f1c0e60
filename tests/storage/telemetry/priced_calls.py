"""Calls whose prices are hard to find: every way a rule can match, at the edges of its validity."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from agentguard.prices import PriceRule, Usage, provider_rules, rules

_SECOND = 10**9
_DAY = 86_400
_NOW = 1_772_000_000
_DATED = re.compile(r"(20\d\d)-(\d\d)-(\d\d)")
_NO_PROVIDER = ("", "litellm", "langchain", "LangGraph ")
_EACH = 30


class Call(NamedTuple):
    """A model call at `at` (Unix nanoseconds); `provider` and `model` as a span would say them."""

    provider: str
    model: str
    at: int
    usage: Usage


def calls(seed: int) -> list[Call]:
    """Several hundred different calls, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311  reproducible, not secret
    known = dice.sample(rules(), len(rules()))
    names = sorted({rule.match.pattern for rule in known if rule.match.kind == "exact"})
    chosen = [
        rule
        for kind in ("exact", "prefix", "suffix", "contains", "regex")
        for rule in islice((r for r in known if r.match.kind == kind), _EACH)
    ]
    chosen += islice((r for r in known if r.match.unless), _EACH)
    chosen += islice((r for r in known if r.price.tier_starts), _EACH)
    chosen += islice((r for r in known if not r.timeless), _EACH)
    chosen += islice((r for r in known if r.until_second - r.from_second != _DAY), _EACH)
    made = [
        Call(provider, model, at, _usage(dice, rule))
        for rule in chosen
        for provider, model in _spelled(dice, rule, _name(dice, rule, names))
        for at in _times(dice, rule)
    ]
    return made + list(_strangers(dice, names))


def _name(dice: random.Random, rule: PriceRule, names: list[str]) -> str:
    pattern = rule.match.pattern
    match rule.match.kind:
        case "prefix":
            return pattern + dice.choice(("", "-latest", "@x", "-20240229", "-20240230", ":free"))
        case "suffix":
            return dice.choice(("", "org/", "eu.")) + pattern
        case "contains":
            return dice.choice(("", "eu.", "models/")) + pattern + dice.choice(("", "-v2:0"))
        case "regex":
            near = [name for name in names if re.search(pattern, name)]
            return dice.choice(near or names)
        case _:
            return pattern


def _spelled(dice: random.Random, rule: PriceRule, name: str) -> Iterator[tuple[str, str]]:
    """The name as its provider's, and in one of the ways that others write it."""
    yield rule.provider, name
    match dice.randrange(5):
        case 0:
            yield rule.provider.upper(), _DATED.sub(r"\1\2\3", name).upper()
        case 1:
            yield dice.choice(_NO_PROVIDER), f"{rule.provider}/{name}"
        case 2:
            yield dice.choice(_NO_PROVIDER), name
        case 3:
            spellings = [r.match.pattern for r in provider_rules() if r.provider == rule.provider]
            yield dice.choice(spellings), name
        case _:
            yield rule.provider, f"{name}-20251301"


def _times(dice: random.Random, rule: PriceRule) -> Iterator[int]:
    yield dice.randrange(1_672_531_200, 1_830_297_600) * _SECOND + dice.randrange(_SECOND)
    if rule.timeless:
        return
    start = datetime.combine(rule.start_date, datetime.min.time(), UTC)
    midnight = max(int(start.timestamp()), _NOW // _DAY * _DAY)
    for edge in {int(start.timestamp()), midnight + rule.from_second, midnight + rule.until_second}:
        if edge > 0:
            yield from (edge * _SECOND - 1, edge * _SECOND)


def _usage(dice: random.Random, rule: PriceRule) -> Usage:
    size = dice.choice((50, 5_000, 3_000_000))
    counts = [dice.choice((0, dice.randrange(size))) for _ in range(5)]
    if rule.price.tier_starts and dice.randrange(3):
        # All input together lies just below, at, or just above where a tier starts.
        edge = dice.choice(rule.price.tier_starts) + dice.choice((-1, 0, 1))
        counts[1:3] = edge // 3, edge // 5
        counts[0] = edge - counts[1] - counts[2]
    return Usage(*counts)


def _strangers(dice: random.Random, names: list[str]) -> Iterator[Call]:
    """Names nobody knows, or only some of them; no name at all; a clock that is far off."""
    usage = Usage(10, 20, 30, 40, 50)
    known = "gpt-4o"
    pairs = [("openai", "no-such-model"), ("openai", ""), ("", ""), ("acme", known), ("", "??")]
    pairs += [("", "acme/" + known), ("", "openai/"), ("", "/" + known), ("", f"a/openai/{known}")]
    pairs += [(" OpenAI ", known.upper()), ("openai", f"{known} "), ("öpenai", "ГПТ-4"), ("%", "_")]
    for provider, model in pairs:
        yield Call(provider, model, _NOW * _SECOND, usage)
    for name in dice.sample(names, 40):
        yield Call(dice.choice(("", "openai", "azure", "aws.bedrock")), name, _NOW * _SECOND, usage)
    for at in (0, 1, 2**32 * _SECOND - 1):
        yield Call("openai", known, at, usage)

"""Text that compresses like what people and models write: Zipf-like words, real source code."""

from __future__ import annotations

import argparse
import ast
import json.decoder
import random
import re
import textwrap
import urllib.request
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from pydoc_data import topics

_SOURCES = (argparse, ast, json.decoder, random, textwrap, urllib.request)


class Corpus:
    """Makes sentences from the word pairs of Python's manual, and snippets from its library.

    A chain of word pairs never repeats itself as a sampled text would, yet keeps the manual's
    vocabulary and word order, so general compression finds in it what it finds in real prose.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        words = re.findall(r"[A-Za-z']{1,14}[.,;:]?", " ".join(topics.topics.values()))
        following: dict[str, list[str]] = defaultdict(list)
        for word, after in pairwise(words):
            following[word].append(after)
        self._following = dict(following)
        self._starts = [word for word in following if word[0].isupper()]
        self._code = [
            line
            for module in _SOURCES
            for line in Path(module.__file__ or "").read_text(encoding="utf-8").splitlines()
        ]

    def prose(self, words: int) -> str:
        """Return about `words` words of prose."""
        choose = self._rng.choice
        word = choose(self._starts)
        found = [word]
        for _ in range(words - 1):
            word = choose(self._following.get(word, self._starts))
            found.append(word)
        return " ".join(found)

    def code(self, lines: int) -> str:
        """Return consecutive lines of Python source."""
        start = self._rng.randrange(len(self._code) - lines)
        return "\n".join(self._code[start : start + lines])

    def name(self) -> str:
        """Return an identifier, such as a file or a record would have."""
        word = self._rng.choice(self._starts).strip(",.;:").lower()
        return f"{word}-{self._rng.getrandbits(32):08x}"

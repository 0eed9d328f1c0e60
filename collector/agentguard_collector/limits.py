"""Per-key rates: a token bucket each for spans and for bytes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from agentguard_collector.errors import RateLimited

__all__ = ["RateLimiter"]

_BURST_SECONDS = 5.0
_KEYS = 10_000
_PLENTY = 1e15


@dataclass(slots=True)
class _Bucket:
    """What is left of a key's allowance, as of `then` (monotonic seconds)."""

    then: float
    spans: float
    bytes: float

    def refill(self, now: float, rates: tuple[float, float]) -> None:
        passed = now - self.then
        self.then = now
        self.spans = min(rates[0] * _BURST_SECONDS, self.spans + passed * rates[0])
        self.bytes = min(rates[1] * _BURST_SECONDS, self.bytes + passed * rates[1])


class RateLimiter:
    """Allows `spans_per_second` and `bytes_per_second` per key, in bursts of five seconds' worth.

    None means unlimited. A batch is let through while anything is left and the rest is owed, so a
    batch larger than the burst is slowed down and not refused for ever.
    """

    def __init__(
        self,
        spans_per_second: float | None,
        bytes_per_second: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = (spans_per_second or _PLENTY, bytes_per_second or _PLENTY)
        self._off = spans_per_second is None and bytes_per_second is None
        self._clock = clock
        self._keys: OrderedDict[str, _Bucket] = OrderedDict()

    def spend(self, key_id: str, spans: int, size: int) -> None:
        """Take one batch out of a key's allowance. Raises RateLimited with the time to wait."""
        if self._off:
            return
        now, rates = self._clock(), self._rates
        bucket = self._keys.pop(key_id, None) or _Bucket(now, *(r * _BURST_SECONDS for r in rates))
        bucket.refill(now, rates)
        self._keys[key_id] = bucket
        if len(self._keys) > _KEYS:
            self._keys.popitem(last=False)
        wait = max(-bucket.spans / rates[0], -bucket.bytes / rates[1])
        if wait < 0:
            bucket.spans -= spans
            bucket.bytes -= size
        else:
            raise RateLimited(
                "this key sends more than it may; wait and send again",
                retry_after=max(1.0, wait),
            )

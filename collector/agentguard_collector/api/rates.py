"""How often a key may ask, and how it is told.

https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.html
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agentguard_collector.errors import RateLimited

__all__ = ["WINDOW_S", "Allowance", "Policy", "Rates"]

Policy = Literal["read", "control"]
"""`read` asks ClickHouse; `control` is what running agents need: budgets, stops, prices."""

WINDOW_S: Final = 60
_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left to a key of a policy, after this request was counted or refused."""

    policy: Policy
    quota: int
    remaining: int
    resets_in: float
    refused: bool

    def check(self) -> None:
        """Raise RateLimited where the request was refused."""
        if self.refused:
            raise RateLimited(
                f"this key has sent {self.quota} requests within a minute; wait and send again",
                retry_after=max(1.0, self.resets_in),
            )

    def headers(self) -> dict[str, str]:
        """The two fields of the draft; `t` is rounded up, so that it is never too early."""
        seconds = math.ceil(self.resets_in)
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.quota};w={WINDOW_S}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={seconds}',
        }


class Rates:
    """Counts the requests of each key in windows of a minute that begin with its first request.

    Quotas hold for one process: where several share a port, a key has them with each.
    """

    def __init__(
        self, quotas: Mapping[Policy, int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quotas = dict(quotas)
        self._clock = clock
        self._used: OrderedDict[tuple[str, Policy], tuple[float, int]] = OrderedDict()

    def spend(self, key_id: str, policy: Policy) -> Allowance:
        """Count one request of a key, unless its quota is used up."""
        now, quota = self._clock(), self._quotas[policy]
        began, used = self._used.pop((key_id, policy), (now, 0))
        if now - began >= WINDOW_S:
            began, used = now, 0
        refused = used >= quota
        used += not refused
        self._used[(key_id, policy)] = (began, used)
        if len(self._used) > _KEYS:
            self._used.popitem(last=False)
        return Allowance(policy, quota, quota - used, WINDOW_S - (now - began), refused)

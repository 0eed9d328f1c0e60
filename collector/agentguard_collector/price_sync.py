"""Brings the prices that projects set for themselves to the store, within seconds."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from agentguard_storage.clickhouse import connect
from agentguard_storage.clickhouse.price_list import load_project_prices
from agentguard_storage.control import Prices

__all__ = ["sync_prices"]

logger = logging.getLogger(__name__)

_EVERY_S = 2.0
_LOOK_AGAIN_S = 60.0
"""Also without a change: another worker may have put older ones in place."""
_LONGEST_PAUSE_S = 10.0
_TIMEOUT_S = 15
_GRACE_S = 1.0
"""At the end, for what is being brought just then."""


async def sync_prices(prices: Prices, clickhouse: str) -> None:
    """Keep the store's prices of projects as the control plane has them, until cancelled.

    Spans that come meanwhile are priced by what the store has; so they are while either is away.
    """
    stop = threading.Event()
    # Not one of the loop's own threads: a store that never answers would hold up the end.
    thread = threading.Thread(
        target=_keep, args=(prices, clickhouse, stop), name="prices", daemon=True
    )
    thread.start()
    try:
        await asyncio.Event().wait()
    finally:
        stop.set()
        end = time.monotonic() + _GRACE_S
        while thread.is_alive() and time.monotonic() < end:  # noqa: ASYNC110 - threads have no event
            await asyncio.sleep(0.01)


def _keep(prices: Prices, clickhouse: str, stop: threading.Event) -> None:
    mark, looked, pause = "", 0.0, _EVERY_S
    while not stop.is_set():
        try:
            now = prices.mark()
            if now != mark or time.monotonic() - looked > _LOOK_AGAIN_S:
                if _bring(prices, clickhouse):
                    logger.info("the prices that projects set are in force in the store")
                mark, looked = now, time.monotonic()
            pause = _EVERY_S
        except Exception as error:  # noqa: BLE001 - whatever it is, spans go on coming in
            level = logging.WARNING if pause == _EVERY_S else logging.DEBUG
            logger.log(level, "the prices that projects set cannot be brought: %s", _line(error))
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        stop.wait(pause)


def _bring(prices: Prices, clickhouse: str) -> bool:
    client = connect(clickhouse, _TIMEOUT_S)
    try:
        return load_project_prices(client, prices.rules())
    finally:
        client.close()


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]

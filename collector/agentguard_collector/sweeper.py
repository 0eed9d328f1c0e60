"""Gives back, now and then, what shared budgets still hold for processes that are gone."""

from __future__ import annotations

import asyncio
import logging

from agentguard_storage.control import Reservations
from agentguard_storage.control.errors import ControlPlaneUnavailable

__all__ = ["sweep_budgets"]

logger = logging.getLogger(__name__)

_EVERY_S = 15.0
_PRUNE_EVERY = 240


async def sweep_budgets(reservations: Reservations) -> None:
    """Sweep until cancelled. Reserving gives back by itself what it needs: this is for the rest."""
    turn = 0
    while True:
        await asyncio.sleep(_EVERY_S)
        turn += 1
        try:
            await asyncio.to_thread(reservations.sweep)
            if turn % _PRUNE_EVERY == 0:
                await asyncio.to_thread(reservations.prune)
        except ControlPlaneUnavailable as error:
            logger.warning("cannot give back what expired of shared budgets: %s", error)

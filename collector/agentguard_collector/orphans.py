"""Log folders that dead workers left behind are taken over and emptied."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from agentguard_collector.flusher import Flusher
from agentguard_collector.recovery import find_segments
from agentguard_collector.wal import FolderLock, Usage

__all__ = ["Orphans"]

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0


class Orphans:
    """Holds the locks of the folders it has adopted until their segments are in the store."""

    def __init__(self, wal_dir: Path, flusher: Flusher, usage: Usage) -> None:
        self._wal_dir, self._flusher, self._usage = wal_dir, flusher, usage
        self._held: list[FolderLock] = []

    def adopt_folder(self, folder: Path) -> None:
        """Queue every segment of a folder whose lock this process holds."""
        for segment in find_segments(folder):
            self._usage.add(segment.size)
            self._flusher.offer(segment)

    def look(self) -> None:
        """Adopt the folders that nobody holds, let go of those that are empty."""
        for lock in [held for held in self._held if not any(held.folder.glob("*.seg"))]:
            self._held.remove(lock)
            lock.release()
        for folder in sorted(self._wal_dir.iterdir()):
            if not any(folder.glob("*.seg")):
                continue
            try:
                lock = FolderLock(folder)
            except BlockingIOError:
                continue
            self._held.append(lock)
            self.adopt_folder(folder)

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                self.look()
            except OSError as error:
                logger.warning("cannot look for logs left behind: %s", error)

    def release(self) -> None:
        """Let go of every folder."""
        for lock in self._held:
            lock.release()

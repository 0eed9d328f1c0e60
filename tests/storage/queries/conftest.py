"""The telemetry tables for questions: the same database as for what is written, read back."""

from tests.storage.telemetry.conftest import project, store

__all__ = ["project", "store"]

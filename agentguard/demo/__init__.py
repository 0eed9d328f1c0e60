"""The demo behind `agentguard demo`: a local model provider and a crew of agents that calls it."""

from agentguard.demo.instrumentors import InstrumentorMissingError
from agentguard.demo.report import (
    CrewRun,
    DemoError,
    DemoReport,
    StoppedRun,
    run_crews,
    run_runaways,
)

__all__ = [
    "CrewRun",
    "DemoError",
    "DemoReport",
    "InstrumentorMissingError",
    "StoppedRun",
    "run_crews",
    "run_runaways",
]

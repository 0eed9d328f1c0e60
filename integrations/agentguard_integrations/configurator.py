"""How `opentelemetry-instrument` sets this process up: as `agentguard.init()` does."""

from typing import Any

from opentelemetry.sdk._configuration import _BaseConfigurator

import agentguard

__all__ = ["AgentGuardConfigurator"]


class AgentGuardConfigurator(_BaseConfigurator):
    """Found by its entry point. The settings come from `AGENTGUARD_*` and `OTEL_*` variables.

    Where another distribution is installed too, `OTEL_PYTHON_CONFIGURATOR=agentguard` chooses it.
    """

    def _configure(self, **_: Any) -> None:
        agentguard.init()

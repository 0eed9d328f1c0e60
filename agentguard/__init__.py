"""AgentGuard: the flight recorder and the circuit breaker for AI agents.

    import agentguard

    agentguard.init()

    @agentguard.tool
    def search(query: str) -> list[str]: ...

    with agentguard.run("nightly"):
        search("otters")

Importing this package is nearly free: each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentguard.client import AsyncClient as AsyncClient
    from agentguard.client import Client as Client
    from agentguard.decorators import agent as agent
    from agentguard.decorators import task as task
    from agentguard.decorators import tool as tool
    from agentguard.errors import AgentGuardError as AgentGuardError
    from agentguard.errors import BudgetExceeded as BudgetExceeded
    from agentguard.errors import ConfigurationError as ConfigurationError
    from agentguard.errors import DepthExceeded as DepthExceeded
    from agentguard.errors import LoopDetected as LoopDetected
    from agentguard.errors import OutputTooLarge as OutputTooLarge
    from agentguard.errors import RateLimitExceeded as RateLimitExceeded
    from agentguard.errors import Refused as Refused
    from agentguard.errors import RetryLimitExceeded as RetryLimitExceeded
    from agentguard.errors import RunStopped as RunStopped
    from agentguard.errors import TimeoutExceeded as TimeoutExceeded
    from agentguard.errors import ToolDenied as ToolDenied
    from agentguard.guards.budget import BudgetGuard as BudgetGuard
    from agentguard.guards.call import Call as Call
    from agentguard.guards.depth import DepthGuard as DepthGuard
    from agentguard.guards.fuzzy_loop import FuzzyLoopGuard as FuzzyLoopGuard
    from agentguard.guards.guard import Guard as Guard
    from agentguard.guards.loop import LoopGuard as LoopGuard
    from agentguard.guards.output import OutputGuard as OutputGuard
    from agentguard.guards.rate_limit import RateLimitGuard as RateLimitGuard
    from agentguard.guards.retry import RetryGuard as RetryGuard
    from agentguard.guards.timeout import TimeoutGuard as TimeoutGuard
    from agentguard.guards.tool_policy import ToolPolicy as ToolPolicy
    from agentguard.guards.verdict import Stop as Stop
    from agentguard.guards.verdict import Verdict as Verdict
    from agentguard.lifecycle import Handle as Handle
    from agentguard.lifecycle import init as init
    from agentguard.propagation import ContextThreadPoolExecutor as ContextThreadPoolExecutor
    from agentguard.propagation import propagate as propagate
    from agentguard.runs import Run as Run
    from agentguard.runs import current_run as current_run
    from agentguard.runs import run as run
    from agentguard.spans import AgentSpan as AgentSpan
    from agentguard.spans import ChatSpan as ChatSpan
    from agentguard.spans import EmbeddingsSpan as EmbeddingsSpan
    from agentguard.spans import RetrievalSpan as RetrievalSpan
    from agentguard.spans import TaskSpan as TaskSpan
    from agentguard.spans import ToolSpan as ToolSpan
    from agentguard.spans import WorkflowSpan as WorkflowSpan
    from agentguard.spans import agent_span as agent_span
    from agentguard.spans import chat_span as chat_span
    from agentguard.spans import embeddings_span as embeddings_span
    from agentguard.spans import retrieval_span as retrieval_span
    from agentguard.spans import task_span as task_span
    from agentguard.spans import tool_span as tool_span
    from agentguard.spans import workflow_span as workflow_span

    __version__: str

_MODULE_OF = {
    "AgentGuardError": "errors",
    "AgentSpan": "spans",
    "AsyncClient": "client",
    "BudgetExceeded": "errors",
    "BudgetGuard": "guards.budget",
    "Call": "guards.call",
    "ChatSpan": "spans",
    "Client": "client",
    "ConfigurationError": "errors",
    "ContextThreadPoolExecutor": "propagation",
    "DepthExceeded": "errors",
    "DepthGuard": "guards.depth",
    "EmbeddingsSpan": "spans",
    "FuzzyLoopGuard": "guards.fuzzy_loop",
    "Guard": "guards.guard",
    "Handle": "lifecycle",
    "LoopDetected": "errors",
    "LoopGuard": "guards.loop",
    "OutputGuard": "guards.output",
    "OutputTooLarge": "errors",
    "RateLimitExceeded": "errors",
    "RateLimitGuard": "guards.rate_limit",
    "Refused": "errors",
    "RetrievalSpan": "spans",
    "RetryGuard": "guards.retry",
    "RetryLimitExceeded": "errors",
    "Run": "runs",
    "RunStopped": "errors",
    "Stop": "guards.verdict",
    "TaskSpan": "spans",
    "TimeoutExceeded": "errors",
    "TimeoutGuard": "guards.timeout",
    "ToolDenied": "errors",
    "ToolPolicy": "guards.tool_policy",
    "ToolSpan": "spans",
    "Verdict": "guards.verdict",
    "WorkflowSpan": "spans",
    "agent": "decorators",
    "agent_span": "spans",
    "chat_span": "spans",
    "current_run": "runs",
    "embeddings_span": "spans",
    "init": "lifecycle",
    "propagate": "propagation",
    "retrieval_span": "spans",
    "run": "runs",
    "task": "decorators",
    "task_span": "spans",
    "tool": "decorators",
    "tool_span": "spans",
    "workflow_span": "spans",
}

__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("agentguard")
    elif name in _MODULE_OF:
        value = getattr(import_module(f"agentguard.{_MODULE_OF[name]}"), name)
    else:
        raise AttributeError(f"module 'agentguard' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})

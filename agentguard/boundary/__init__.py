"""The model clients' own boundary: where a request leaves the process, whoever traces it.

An instrumentor may swallow what a guard raises at the start of its span, and a client that nobody
instruments has no spans. So `openai` and `anthropic` are wrapped themselves, each at one place that
all of its calls go through:

    clients    where the wrappers are put, and taken away
    flight     one call on its way: admitted, tried, tried again, answered or failed
    request    what is asked
    answer     what comes back
    streams    what comes back in pieces
    abandoned  what nobody read to its end

What is ours and goes wrong here never reaches the caller: the request then goes on as it would.
"""

from agentguard.boundary.clients import install, uninstall

__all__ = ["install", "uninstall"]

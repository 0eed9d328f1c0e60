"""The API under /api/v1: what was recorded, read back; budgets, stops and prices.

`application` puts it together; `context` is what its handlers stand on, `routing` what every
request goes through first, `asking` how a question gets to ClickHouse. Then a module for each
resource, with its handlers, and one of models beside it.
"""

from agentguard_collector.api.application import add_api
from agentguard_collector.api.context import ApiContext

__all__ = ["ApiContext", "add_api"]

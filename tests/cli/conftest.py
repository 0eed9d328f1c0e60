"""The fixtures of `tests/stack.py`, until the shared conftest brings them in for every area."""

from tests.stack import stack, start_stack

__all__ = ["stack", "start_stack"]

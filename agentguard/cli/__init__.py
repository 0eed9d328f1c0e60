"""The `agentguard` command."""

import gc

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed or not found, 2 wrong use or a conflict."""
    # What is imported is no garbage: to look for some in it is a sixth of the start.
    gc.set_threshold(20_000, 20, 20)
    from agentguard.cli.app import app

    app(prog_name="agentguard")

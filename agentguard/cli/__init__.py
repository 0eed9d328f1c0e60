"""The `agentguard` command."""

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed or not found, 2 wrong use or a conflict."""
    from agentguard.cli.app import app

    app(prog_name="agentguard")

"""`python -m agentguard.cli`: the same command where the console script is not on the path."""

from agentguard.cli import main

main()

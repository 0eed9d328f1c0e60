"""Teams in a team: a model selects who speaks, members hand over, tools run, one of them fails."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import HandoffTermination
from autogen_agentchat.teams import RoundRobinGroupChat, SelectorGroupChat, Swarm
from autogen_agentchat.tools import AgentTool
from autogen_ext.models.openai import OpenAIChatCompletionClient


def look_up(booking: str) -> str:
    """Look up a booking."""
    return f"{booking}: Lisbon, 3 May"


async def refund(booking: str) -> str:
    """Refund a booking."""
    raise PermissionError(f"{booking} cannot be refunded")


async def main() -> None:
    """Two teams at once."""
    client = OpenAIChatCompletionClient(model="gpt-4o-mini-2024-07-18")
    travel = AssistantAgent("travel", client, tools=[look_up], handoffs=["refunds"])
    refunds = AssistantAgent(
        "refunds", client, description="Refunds.", tools=[refund], handoffs=["user"]
    )
    swarm = Swarm([travel, refunds], termination_condition=HandoffTermination("user"))
    poet = AssistantAgent("poet", client, description="A poet.")
    editor = AssistantAgent("editor", client, tools=[AgentTool(poet)])
    board = SelectorGroupChat(
        [poet, editor],
        client,
        name="board",
        max_turns=1,
    )
    office = RoundRobinGroupChat([swarm, board], name="office", max_turns=2)
    await asyncio.gather(
        office.run(task="Refund booking 7."),
        RoundRobinGroupChat([AssistantAgent("alone", client)], max_turns=1, name="other").run(
            task="Hello."
        ),
    )
    await client.close()


asyncio.run(main())

"""A client of the MCP SDK, 1.x or 2.x, that does what it is told: a plan on stdin, answers on
stdout. Its Python is not that of the tests, so it imports nothing of theirs.

A plan has the transport (`url` and `headers`, or `command`, `args` and `env`), `mode` (for 2.x:
`legacy` with a handshake, or a version of the protocol), `elicit` (how its person answers, one time
after the other: nothing where it has none), and steps: method names with their arguments.
"""

import json
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

SECOND = version("mcp").startswith("2.")
asked: list[str] = []


def person(answers: list[str] | None) -> Any:
    """Someone who answers one form after the other like this; None for nobody."""
    if answers is None:
        return None
    ahead = iter(answers)
    if SECOND:
        from mcp_types import ElicitResult
    else:
        from mcp.types import ElicitResult

    async def respond(_: Any, params: Any) -> Any:
        asked.append(params.message)
        answer = next(ahead)
        content = {"confirm": True} if answer == "accept" else None
        return ElicitResult(action=answer, content=content)

    return respond


async def connected(stack: AsyncExitStack, plan: dict[str, Any]) -> Any:
    """The plan's client, its session begun."""
    respond = person(plan.get("elicit"))
    if "url" in plan:
        if SECOND:
            import httpx2 as http
        else:
            import httpx as http
        own = http.AsyncClient(headers=plan["headers"], follow_redirects=True, timeout=60)
        transport = streamable_http_client(
            plan["url"], http_client=await stack.enter_async_context(own)
        )
    else:
        server = StdioServerParameters(command=plan["command"], args=plan["args"], env=plan["env"])
        transport = stdio_client(server)
    if SECOND:
        from mcp import Client

        mode = plan.get("mode", "legacy")
        return await stack.enter_async_context(
            Client(transport, mode=mode, elicitation_callback=respond)
        )
    received, sent, *_ = await stack.enter_async_context(transport)
    session = ClientSession(received, sent, elicitation_callback=respond)
    await stack.enter_async_context(session)
    await session.initialize()
    return session


async def step(client: Any, name: str, *arguments: Any) -> Any:
    """One answer as it came, or what the client raised."""
    try:
        if name == "read_resource" and not SECOND:
            from pydantic import AnyUrl

            arguments = (AnyUrl(arguments[0]),)
        if name == "complete":
            if SECOND:
                from mcp_types import ResourceTemplateReference
            else:
                from mcp.types import ResourceTemplateReference
            arguments = (
                ResourceTemplateReference(type="ref/resource", uri=arguments[0]),
                arguments[1],
            )
        result = await getattr(client, name)(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever a client raises is an answer
        return {"raised": f"{type(error).__name__}: {error}"}
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main() -> None:
    """Do it all."""
    plan = json.load(sys.stdin)
    async with AsyncExitStack() as stack:
        client = await connected(stack, plan)
        answers = [await step(client, *each) for each in plan["steps"]]
    json.dump({"answers": answers, "asked": asked, "sdk": version("mcp")}, sys.stdout)


anyio.run(main)

"""What to put into the configuration of MCP clients, as their own documentation has it.

https://modelcontextprotocol.io/docs/develop/connect-local-servers  (Claude Desktop)
https://code.claude.com/docs/en/mcp
https://cursor.com/docs/mcp
https://code.visualstudio.com/docs/agents/reference/mcp-configuration
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["CLIENTS", "Client", "snippet"]

_KEY: Final = "AGENTGUARD_API_KEY"
_INPUT: Final = "agentguard-api-key"


@dataclass(frozen=True, slots=True)
class Client:
    """Where a client's configuration is, and how it refers to a secret that is not in it."""

    file: str
    servers: str
    reference: str
    typed: bool = True


CLIENTS: Final[Mapping[str, Client]] = {
    "claude-desktop": Client(
        "claude_desktop_config.json (Settings, Developer, Edit Config)",
        "mcpServers",
        # It expands no variables: somebody has to write the key there.
        "agk_...",
        typed=False,
    ),
    "claude-code": Client(".mcp.json in the project", "mcpServers", f"${{{_KEY}}}"),
    "cursor": Client(
        ".cursor/mcp.json in the project, or ~/.cursor/mcp.json",
        "mcpServers",
        f"${{env:{_KEY}}}",
    ),
    "vscode": Client(".vscode/mcp.json in the project", "servers", f"${{input:{_INPUT}}}"),
}


def snippet(
    client: str,
    command: list[str],
    environment: Mapping[str, str],
    *,
    api_key: str | None = None,
    needs_key: bool = True,
) -> dict[str, Any]:
    """The configuration for a client of CLIENTS; raises KeyError for another.

    `command` starts the server, in `environment`. Where it needs a key in there, that is a
    reference to it, unless `api_key` is given.
    """
    known = CLIENTS[client]
    env = dict(environment)
    if needs_key:
        env[_KEY] = api_key or known.reference
    server: dict[str, Any] = {"type": "stdio"} if known.typed else {}
    server |= {"command": command[0], "args": command[1:]}
    if env:
        server["env"] = env
    made: dict[str, Any] = {known.servers: {"agentguard": server}}
    if client == "vscode" and needs_key and api_key is None:
        asked = {"type": "promptString", "id": _INPUT, "description": "AgentGuard API key"}
        made["inputs"] = [{**asked, "password": True}]
    return made

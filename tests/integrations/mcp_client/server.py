"""An MCP server over stdio with two tools, which says what trace context reached it."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

try:
    from mcp.server.mcpserver import Context, MCPServer
except ImportError:  # mcp 1 called it so
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as MCPServer

server = MCPServer("library")


@server.tool()
def search(query: str, context: Context) -> str:
    """Search the library."""
    meta = context.request_context.meta
    carried = meta.model_dump() if hasattr(meta, "model_dump") else dict(meta or {})
    return f"{query}: {carried.get('traceparent', 'no trace')}"


@server.tool()
def fail(query: str) -> str:
    """Search a library that is closed."""
    raise ValueError(f"the library is closed to {query}")


if __name__ == "__main__":
    trace.set_tracer_provider(TracerProvider())
    server.run(transport="stdio")

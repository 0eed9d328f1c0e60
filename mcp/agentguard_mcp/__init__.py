"""AgentGuard for models: an MCP server over what was recorded, and over budgets and stops.

    a client ──stdio──> stdio.Remote ──POST /mcp──┐
    a client ──streamable HTTP────────────────────┴─> http.Endpoint ──> service.Service ──> tools

The tools run in the collector alone, beside the reader and the control plane. `sdk` is all that
knows whether the installed mcp is 1.x or 2.x.
"""

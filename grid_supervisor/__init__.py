"""The supervisor: two LangGraph loops that reach the plant only through MCP clients."""

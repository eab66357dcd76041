"""The MCP server: registers the tools, binds identities, serves stdio and streamable HTTP."""

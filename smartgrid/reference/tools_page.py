"""The reference of the MCP tools."""

from collections.abc import Iterator

from smartgrid.reference.markdown import code, page, table
from smartgrid.reference.schema import Row, rows
from tools.contract import Tool
from tools.registry import discover_tools

INTRODUCTION = """
Power is in kW: at an asset, positive injects into the grid; net load is positive where the area imports. What
is not known is null, never 0. [The MCP server](../mcp.md) tells how tools are chosen, how errors look, and
which resources and prompts there are.
"""


def tools_page() -> str:
    """Every tool that the product itself brings."""
    found = [tool for tool in discover_tools().tools if tool.run.__module__.startswith("tools.")]
    return page("Tools", INTRODUCTION, *(part for tool in found for part in _tool(tool)))


def _tool(tool: Tool) -> Iterator[str]:
    effect = "Proposes or halts" if tool.effect == "act" else "Reads"
    yield f"## {tool.name}"
    yield tool.description
    yield f"{effect}. Set {code(tool.toolset)}, scope {code(tool.scope)}."
    asked = list(rows(tool.input_model.model_json_schema()))
    yield (
        table(("argument", "value", "default", "what it is"), map(_argument, asked))
        if asked
        else ("It takes no arguments.")
    )
    answered = rows(tool.output_model.model_json_schema(mode="serialization"), depth=3)
    yield table(("answer", "value", "what it is"), ((code(row.path), row.kind, row.text) for row in answered))


def _argument(row: Row) -> tuple[str, str, str, str]:
    unset = "**needed**" if row.required else "–"
    return code(row.path), row.kind, unset if row.default is None else code(row.default), row.text

"""What docs/mcp.md says of the server is what the server offers."""

from pathlib import Path

import pytest
from mcp import Client

from mcp_server.isolation import is_own
from tests.tools.small_grid import SmallGrid


@pytest.fixture
def written(repository: Path) -> str:
    return (repository / "docs" / "mcp.md").read_text(encoding="utf-8")


def test_every_tool_of_ours_stands_in_its_set(quiet_plant: SmallGrid, written: str) -> None:
    toolset, rows = "", {}
    for line in written.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5:
            toolset = cells[1].strip("`") or toolset
            rows.update(dict.fromkeys((name.strip(" `") for name in cells[2].split(",")), toolset))
    for tool in quiet_plant.tools.values():
        if is_own(tool):
            assert rows[tool.name] == tool.toolset


@pytest.mark.anyio
async def test_every_resource_and_prompt_stands_there(quiet_plant: SmallGrid, written: str) -> None:
    async with Client(quiet_plant.server()) as client:
        named = [str(resource.uri) for resource in (await client.list_resources()).resources]
        templates = (await client.list_resource_templates()).resource_templates
        prompts = (await client.list_prompts()).prompts
    named += [template.uri_template for template in templates]
    named += [prompt.name for prompt in prompts]
    assert len(named) == 10
    for name in named:
        assert f"| `{name}` |" in written

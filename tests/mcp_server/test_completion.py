from collections.abc import Sequence
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from knowledge.errors import KnowledgeError
from mcp_server.server import Sources, build_server
from smartgrid.regulation import RegulationLibrary
from tests.mcp_server.conftest import MODES
from tests.tools.small_grid import ANA, SmallGrid
from tools.errors import ToolUnavailableError

pytestmark = pytest.mark.anyio
in_both_eras = pytest.mark.parametrize("mode", MODES)

TELEMETRY = ResourceTemplateReference(uri="grid://sites/{site}/telemetry")
ASSET = ResourceTemplateReference(uri="grid://assets/{asset}")
DISPATCH = ResourceTemplateReference(uri="grid://dispatches/{id}")
RAMP = PromptReference(name="prepare_evening_ramp")
EXPLAIN = PromptReference(name="explain_dispatch")
INCIDENT = PromptReference(name="incident_report")

Reference = PromptReference | ResourceTemplateReference


async def completed(client: Client, ref: Reference, name: str, begun: str) -> list[str]:
    return (await client.complete(ref, {"name": name, "value": begun})).completion.values


@in_both_eras
async def test_sites_assets_and_dispatches_are_completed(acted_plant: SmallGrid, mode: str) -> None:
    async with Client(acted_plant.server(), mode=mode) as client:
        assert client.server_capabilities.completions is not None
        for ref in (TELEMETRY, RAMP):
            assert await completed(client, ref, "site", "") == ["area", "area-native"]
            assert await completed(client, ref, "site", "AREA-") == ["area-native"]
        assert await completed(client, ASSET, "asset", "b") == ["battery"]
        for reference in (DISPATCH, EXPLAIN):
            assert await completed(client, reference, "id", "") == ["1"]
        assert await completed(client, RAMP, "weather", "") == []


def offering(plant: SmallGrid, documents: Sequence[str] | Exception) -> Client:
    def known() -> Sequence[str]:
        if isinstance(documents, Exception):
            raise documents
        return documents

    sources = Sources(documents=known)
    return Client(build_server([], lambda: plant.workplace.context(ANA), sources=sources))


async def test_documents_are_completed_a_hundred_at_a_time(quiet_plant: SmallGrid) -> None:
    names = [f"BAL-{number:03}.pdf" for number in range(150)]
    async with offering(quiet_plant, names) as client:
        found = (await client.complete(INCIDENT, {"name": "document", "value": "bal"})).completion
        assert (found.values, found.total, found.has_more) == (names[:100], 150, True)
        assert await completed(client, INCIDENT, "document", "bal-14") == names[140:150]


async def test_what_cannot_be_looked_up_is_an_error_that_says_why(quiet_plant: SmallGrid) -> None:
    async with offering(quiet_plant, ToolUnavailableError("the index is damaged; ingest again")) as client:
        with pytest.raises(MCPError, match="the index is damaged; ingest again"):
            await completed(client, INCIDENT, "document", "")


def test_before_any_ingest_there_are_no_documents(tmp_path: Path) -> None:
    library = RegulationLibrary(tmp_path)
    assert library.documents() == []
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "current.json").write_text("{}")
    with pytest.raises(KnowledgeError, match="ingest again"):
        library.documents()

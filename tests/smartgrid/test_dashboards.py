"""The dashboards as files: what is on disk is what the code makes, and Grafana can take it.

That each query finds rows is tested on a real InfluxDB (tests/services_influx/test_dashboards.py).
"""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.influx_points import original_name
from smartgrid.cli import app
from smartgrid.dashboards.files import DASHBOARDS, text_of, write_dashboards
from smartgrid.dashboards.model import DATASOURCE, SITE, SITES_QUERY, Dashboard
from smartgrid.errors import ReportError

GRAFANA_FILLS = {"v.defaultBucket", "v.timeRangeStart", "v.timeRangeStop", "v.windowPeriod"}
QUERIES = [query for board in DASHBOARDS for panel in board.panels for query in panel.queries]
each = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)


def test_the_files_in_the_repository_are_what_the_code_makes(repository: Path) -> None:
    folder = repository / "deploy/grafana/dashboards"
    on_disk = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert on_disk == {f"{board.uid}.json": text_of(board) for board in DASHBOARDS}, "run: make dashboards"


def test_the_command_writes_the_same_files_and_names_them(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["dashboards", str(tmp_path / "new"), "--json"])
    assert result.exit_code == 0, result.output
    assert {Path(name).read_text("utf-8") for name in json.loads(result.output)} == set(
        map(text_of, DASHBOARDS)
    )


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ReportError, match="taken"):
        write_dashboards(tmp_path / "taken")


def test_uids_and_titles_are_unique_and_such_as_grafana_takes() -> None:
    assert len({board.uid for board in DASHBOARDS}) == len({board.title for board in DASHBOARDS}) == 4
    assert all(re.fullmatch(r"[a-z][a-z-]{1,39}", board.uid) for board in DASHBOARDS)


def cells(place: dict[str, int]) -> set[tuple[int, int]]:
    return set(
        itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    )


@each
def test_panels_have_ids_of_their_own_and_fill_the_grid_without_overlap(dashboard: Dashboard) -> None:
    panels: list[dict[str, Any]] = dashboard.document()["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    taken = [cells(panel["gridPos"]) for panel in panels]
    height = max(y for _, y in set().union(*taken)) + 1
    assert sum(map(len, taken)) == len(set().union(*taken)) == 24 * height
    assert {x for x, _ in set().union(*taken)} == set(range(24))


@each
def test_every_panel_says_what_it_shows_and_asks_the_provisioned_store(
    dashboard: Dashboard, repository: Path
) -> None:
    document = dashboard.document()
    source = repository / "deploy/grafana/provisioning/datasources/influxdb.yml"
    (provisioned,) = yaml.safe_load(source.read_text("utf-8"))["datasources"]
    assert {"type": provisioned["type"], "uid": provisioned["uid"]} == DATASOURCE
    assert len({panel["title"] for panel in document["panels"]}) == len(document["panels"])
    for panel in document["panels"]:
        assert panel["description"].endswith(".")
        assert panel["datasource"] == DATASOURCE
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


@pytest.mark.parametrize("query", [*QUERIES, SITES_QUERY])
def test_every_query_has_an_end_and_no_empty_windows(query: str) -> None:
    assert query.count("range(start:") == len(re.findall(r"range\(start: [^\n]+, stop: [^\n]+\)", query))
    assert query.count("aggregateWindow(") == query.count("createEmpty: false")
    assert "range(start:" in query or "stop: v.timeRangeStop" in query
    assert set(re.findall(r"\bv\.\w+", query)) <= GRAFANA_FILLS
    assert "$" not in query.replace(SITE, ""), "in a Flux text it would begin an expression"


def test_a_site_whose_name_could_be_an_expression_is_not_offered() -> None:
    (choice,) = DASHBOARDS[0].document()["templating"]["list"]
    offered = re.compile(choice["regex"].strip("/"))
    assert offered.fullmatch("feeder 7, north")
    assert not offered.fullmatch("${secret}")
    assert original_name("${secret}") == "${secret}", "the store keeps it as it is"


def test_the_band_is_filled_down_to_the_column_that_is_drawn() -> None:
    for board in DASHBOARDS:
        for panel in board.panels:
            names = {drawn.name for drawn in panel.series.values()}
            assert {drawn.fill_to for drawn in panel.series.values()} - {None} <= names

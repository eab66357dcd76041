"""``smartgrid bench server`` in small: what it measures, not how fast anything is."""

import asyncio
import shutil
from pathlib import Path

import pytest
from mcp import Client

from smartgrid.bench.server import ServerPlan, ServerResult, bench_server
from smartgrid.bench.server_calls import BARE, TRANSPORTS
from smartgrid.bench.server_crowd import measure_crowd
from smartgrid.bench.server_subjects import ADDENDS, ERAS, SUBJECTS, TRIVIAL, bare_server
from smartgrid.cli.bench import app
from smartgrid.settings import Settings

SMALL = ServerPlan(rounds=3, warm_up=1, ticks=2, clients=4, calls_each=5)


@pytest.fixture(scope="module")
def result(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> ServerResult:
    state = tmp_path_factory.mktemp("bench")
    shutil.copytree(trained, state / "model")
    settings = Settings(state=state, kafka=None, influx_url=None)
    return asyncio.run(bench_server(settings, SMALL, lambda _: None))


def test_every_tool_is_called_beside_the_bare_server_over_each_transport_in_each_era(
    result: ServerResult,
) -> None:
    rows = [(row.transport, row.era, row.subject) for row in result.calls]
    assert rows == [
        (transport, era, subject) for transport in TRANSPORTS for era in ERAS for subject in (BARE, *SUBJECTS)
    ]
    for row in result.calls:
        assert row.calls == SMALL.rounds
        assert 0 < row.p50_ms <= row.p99_ms


def test_a_ratio_is_to_the_bare_server_of_the_same_transport_and_era(result: ServerResult) -> None:
    bare = {(row.transport, row.era): row.p50_ms for row in result.calls if row.subject == BARE}
    for row in result.calls:
        assert row.ratio == pytest.approx(row.p50_ms / bare[row.transport, row.era])


def test_the_tools_own_work_and_the_clients_check_are_told_apart(result: ServerResult) -> None:
    assert [part.subject for part in result.parts] == list(SUBJECTS)
    assert all(part.work_ms > 0 and part.check_ms > 0 for part in result.parts)


def test_all_clients_of_a_crowd_make_all_their_calls_without_an_error(result: ServerResult) -> None:
    found = [(crowd.era, crowd.clients, crowd.calls, crowd.errors) for crowd in result.crowds]
    assert found == [(era, 4, 20, 0) for era in ERAS]


def test_the_supervisor_ticks_once_an_interval_and_is_not_blocked(result: ServerResult) -> None:
    assert (result.tick.ticks, result.tick.blocked) == (2, 0)
    assert 0 < result.tick.p50_ms <= result.tick.p99_ms


def test_a_call_that_is_answered_with_an_error_is_counted() -> None:
    # The bare server has the trivial tool alone.
    crowd = asyncio.run(measure_crowd(bare_server(), "2026-07-28", clients=2, calls_each=len(SUBJECTS)))
    assert (crowd.calls, crowd.errors) == (2 * len(SUBJECTS), 2 * (len(SUBJECTS) - 1))


def test_the_bare_server_answers_the_same_as_the_tool_through_our_contract() -> None:
    async def total() -> object:
        async with Client(bare_server()) as client:
            return (await client.call_tool(TRIVIAL, ADDENDS)).structured_content

    assert asyncio.run(total()) == {"total": 5.0}


def test_the_command_is_registered() -> None:
    assert "server" in {command.name for command in app.registered_commands}

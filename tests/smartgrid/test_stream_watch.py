"""What operators see of a stream process: metrics, readiness, and the port that they are on."""

import json
import math
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.engine import BatchReport
from pipeline.memory_stream import MemoryStream
from pipeline.sqlite_store import SqliteStore
from smartgrid.errors import RoleError
from smartgrid.metrics_server import serve_beside
from smartgrid.observability import StreamMetrics, probe_routes
from smartgrid.settings import Settings
from smartgrid.store_probe import store_problem
from smartgrid.stream_watch import READY_WITHIN_S, StreamWatch

BATCH = BatchReport(
    polled=7,
    accepted=3,
    forecasts=2,
    duplicates=1,
    dead_letters=3,
    rebuilt=7,
    reasons={"schema": 2, "too_late": 1},
    newest={0: 1000.0, 2: 1030.0},
)


class Behind(MemoryStream):
    """Stands in for Kafka, of which it has nothing but the lag; that is set by hand.

    The real one is watched in tests/services/test_stream_metrics.py.
    """

    def __init__(self) -> None:
        super().__init__()
        self.behind: dict[int, int] = {}

    def lag(self) -> dict[int, int]:
        return self.behind


@dataclass
class Hands:
    """A clock that is set by hand, and a store that fails when told to."""

    now_s: float = 0.0
    problem: str | None = None
    metrics: StreamMetrics = field(default_factory=StreamMetrics)
    transport: Behind = field(default_factory=Behind)

    def watch(self) -> StreamWatch:
        return StreamWatch(self.metrics, lambda: self.problem, lambda: self.now_s)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"smartgrid_stream_{name}", labels)


def test_every_record_is_in_a_counter_and_dead_letters_are_told_apart() -> None:
    hands = Hands()
    watch = hands.watch()
    for _ in range(2):
        watch.round_done(BATCH, 0.02, hands.transport)
    assert hands.value("events_total", outcome="accepted") == 6
    assert hands.value("events_total", outcome="duplicates") == 2
    assert hands.value("events_total", outcome="dead_letters") == 6
    assert hands.value("dead_letters_total", reason="too_late") == 2
    assert hands.value("dead_letters_total", reason="schema") == 4
    assert hands.value("rebuilt_records_total") == 14
    assert hands.value("forecasts_total") == 4
    assert hands.value("batch_seconds_count") == 2
    assert hands.value("batch_seconds_sum") == pytest.approx(0.04)


def test_records_read_again_are_counted_though_no_batch_was_made_of_them() -> None:
    hands = Hands()
    hands.watch().round_done(BatchReport(rebuilt=9), 0.5, hands.transport)
    assert hands.value("rebuilt_records_total") == 9
    assert hands.value("batch_seconds_count") == 0


def test_ages_are_by_the_events_own_time_and_grow_while_nothing_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 1040.0
    monkeypatch.setattr("smartgrid.observability.time.time", lambda: now_s)
    hands = Hands()
    hands.transport.behind = {0: 0, 2: 5}
    watch = hands.watch()
    assert math.isnan(hands.value("forecast_age_seconds") or 0.0)
    watch.round_done(BATCH, 0.02, hands.transport)
    watch.round_done(BatchReport(polled=1, accepted=1, newest={0: 900.0}), 0.02, hands.transport)
    now_s = 1050.0
    assert hands.value("event_age_seconds", partition="0") == 50.0
    assert hands.value("event_age_seconds", partition="2") == 20.0
    assert hands.value("forecast_age_seconds") == 10.0


def test_a_partition_that_moved_away_is_not_shown_any_more() -> None:
    hands = Hands()
    watch = hands.watch()
    hands.transport.behind = {0: 4, 2: 11}
    watch.round_done(BATCH, 0.02, hands.transport)
    assert (hands.value("lag_records", partition="0"), hands.value("lag_records", partition="2")) == (4, 11)
    hands.transport.behind = {2: 10}
    watch.round_done(BatchReport(), 0.1, hands.transport)
    assert hands.value("lag_records", partition="0") is None
    assert hands.value("event_age_seconds", partition="0") is None
    assert hands.value("lag_records", partition="2") == 10
    assert hands.value("event_age_seconds", partition="2") is not None


def test_ready_once_a_round_is_done_with_a_partition_and_a_store() -> None:
    hands = Hands()
    watch = hands.watch()
    assert watch.unready() == ["no batch is finished yet"]
    watch.round_done(BatchReport(), 0.1, hands.transport)
    assert watch.unready() == [
        "no partition is read here: the broker is away, or the group has members to spare"
    ]
    hands.transport.behind = {0: 0}
    watch.round_done(BatchReport(), 0.1, hands.transport)
    assert watch.unready() == []
    hands.problem = "full"
    assert watch.unready() == ["full"]


def test_not_ready_while_a_round_hangs() -> None:
    hands = Hands()
    hands.transport.behind = {0: 0}
    watch = hands.watch()
    watch.round_done(BATCH, 0.1, hands.transport)
    hands.now_s = READY_WITHIN_S
    assert watch.unready() == []
    hands.now_s = READY_WITHIN_S + 1
    assert watch.unready() == ["no batch was finished for 31 s, allowed 30 s"]
    watch.round_done(BATCH, 31.0, hands.transport)
    assert watch.unready() == []


def test_a_stream_without_a_log_needs_no_partition() -> None:
    hands = Hands()
    watch = hands.watch()
    watch.round_done(BatchReport(), 0.1, MemoryStream())
    assert watch.unready() == []


def test_the_embedded_store_takes_writes_once_it_is_there(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    problem = store_problem(settings)
    assert problem is not None
    assert problem.startswith(f"{settings.telemetry_db} takes no writes (")
    assert not settings.telemetry_db.exists()
    with SqliteStore(settings.telemetry_db):
        assert store_problem(settings) is None


def ask(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  our own address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_role_is_asked_while_its_own_thread_works() -> None:
    hands = Hands()
    hands.transport.behind = {0: 3}
    watch = hands.watch()
    with serve_beside("127.0.0.1", 0, probe_routes(hands.metrics, watch.unready)) as address:
        assert ask(f"{address}/healthz") == (200, "alive\n")
        status, text = ask(f"{address}/readyz")
        assert (status, json.loads(text)["reasons"]) == (503, ["no batch is finished yet"])
        watch.round_done(BATCH, 0.01, hands.transport)
        assert ask(f"{address}/readyz") == (200, '{"ready":true,"reasons":[]}')
        assert 'smartgrid_stream_lag_records{partition="0"} 3.0' in ask(f"{address}/metrics")[1]
    with pytest.raises(urllib.error.URLError):
        ask(f"{address}/healthz")


def test_a_port_that_is_taken_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(RoleError, match=f"metrics_port={port}: cannot listen there .*another port"),
            serve_beside("127.0.0.1", port, []),
        ):
            pytest.fail("listened all the same")

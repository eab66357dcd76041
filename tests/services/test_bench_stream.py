"""``smartgrid bench stream`` on a real broker: every event is accounted for, and nothing is left behind."""

import json
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

import smartgrid.bench.stream as bench
from pipeline.kafka_settings import KafkaConnection
from smartgrid.bench.stream_topics import BenchTopics
from smartgrid.bench.stream_worker import BenchError
from smartgrid.cli import app

pytestmark = pytest.mark.service
TINY = replace(bench.QUICK, events=2_000, tail_events=0, dense_events=20_000, latency_s=0.3, pandas_events=5)


@pytest.fixture(scope="module")
def ran(kafka: KafkaConnection, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the command prints for 20 sites with dense and 100 with sparse windows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "QUICK", TINY)
        state = str(tmp_path_factory.mktemp("state"))
        words = ["--quick", "--sites", "20", "--sites", "100", "--brokers", kafka.brokers, "--state", state]
        result = CliRunner().invoke(app, ["bench", "stream", "--json", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_way_measures_all_its_events_and_gives_each_a_forecast(ran: Any) -> None:
    assert [(size["sites"], size["windows"]) for size in ran["sizes"]] == [(20, "dense"), (100, "sparse")]
    for size in ran["sizes"]:
        assert {way: [len(reports) for reports in runs] for way, runs in size["runs"].items()} == {
            "engine": [1],
            "floor": [1],
            "two engines": [2],
        }
        for way, runs in size["runs"].items():
            for report in runs[0]:
                assert report["events"] == report["forecasts"] >= TINY.events / len(runs[0])
                assert report["written"] > report["events"]  # those of the run-in
                assert report["ended"] > report["begun"]
                assert report["cpu_s"] > 0
                assert (report["state_bytes"] is None) == (way == "floor")


def test_the_engine_knows_all_sites_and_two_engines_have_each_of_them_once(ran: Any) -> None:
    for size in ran["sizes"]:
        [[one]], [two] = size["runs"]["engine"], size["runs"]["two engines"]
        assert one["sites"] == size["sites"]
        assert sum(report["sites"] for report in two) == size["sites"]
        assert all(report["sites"] < size["sites"] for report in two)
        assert size["state_bytes_per_site"] == one["state_bytes"] / size["sites"]


def test_latency_is_of_paced_events_alone_and_in_order(ran: Any) -> None:
    for size in ran["sizes"]:
        found = size["latency"]
        assert found["events"] == round(found["rate_per_s"] * TINY.latency_s) > 0
        assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"] < 60_000


def test_ratios_are_those_of_the_table(ran: Any) -> None:
    rate = {(row["sites"], row["way"]): row["events_per_s"] for row in ran["speeds"]}
    for size in ran["sizes"]:
        one = rate[size["sites"], "engine"]
        assert size["ratios"]["engine_to_floor"] == pytest.approx(one / rate[size["sites"], "floor"])
        assert size["ratios"]["two_to_one"] == pytest.approx(rate[size["sites"], "two engines"] / one)
        assert size["ratios"]["engine_to_pandas"] == pytest.approx(one / rate[1, "pandas"])
        assert all(isfinite(value) and value > 0 for value in size["ratios"].values())
    assert ran["trees"] == 300


def test_its_topics_are_gone_afterwards(ran: Any, kafka: KafkaConnection) -> None:
    prefixes = set(ran["prefixes"])
    assert len(prefixes) == 2
    left = AdminClient(kafka.config()).list_topics(timeout=10).topics
    assert not [name for name in left if name.startswith(tuple(prefixes))]


def test_forecasts_that_are_missing_on_the_topic_are_an_error(
    kafka: KafkaConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    count = iter([10, 9])
    monkeypatch.setattr(BenchTopics, "forecasts", lambda _topics: next(count))
    plan = replace(TINY, sites=(20,))
    with pytest.raises(BenchError, match="forecasts made, -1 on the topic"):
        bench.bench_stream(kafka, plan, None, lambda _step: None)


def test_with_fdia_every_site_is_judged_over_whole_rows_of_the_detector(
    kafka: KafkaConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "QUICK", TINY)
    words = ["--quick", "--sites", "20", "--brokers", kafka.brokers, "--state", str(tmp_path)]
    result = CliRunner().invoke(app, ["bench", "stream", "--fdia", "--json", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    [size] = json.loads(result.stdout)["sizes"]
    [[judged]], [[bare]] = size["runs"]["engine, false data"], size["runs"]["engine"]
    assert judged["events"] == judged["forecasts"] >= 20 * 60
    cost = size["false_data"]
    assert cost["state_bytes_per_site"] == (judged["state_bytes"] - bare["state_bytes"]) / 20 > 32_768
    assert cost["to_engine"] > 0.0

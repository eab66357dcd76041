"""``smartgrid bench scale`` on real services: shapes and counts of a tiny run, and nothing left behind."""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from sqlalchemy import NullPool, create_engine, text
from typer.testing import CliRunner

import smartgrid.bench.scale as bench
from pipeline.influx_target import open_client
from pipeline.kafka_settings import KafkaConnection
from smartgrid.bench import scale_stores
from smartgrid.bench.scale import ScalePlan
from smartgrid.bench.scale_failure import FailurePlan
from smartgrid.bench.scale_measure import Load
from smartgrid.bench.scale_stores import influx_rate, ledger_rates
from smartgrid.bench.stream_topics import BenchTopics
from smartgrid.cli import app
from tests.services_influx.server import fresh_target
from tests.services_postgres.server import server_url

pytestmark = pytest.mark.service
TINY = ScalePlan(
    fit=(Load(20, (1, 2)),),
    unseen=(Load(60, (1,)),),
    events=2_000,
    tail_events=0,
    failure=FailurePlan(sites=20, rate_per_s=400.0, turns=20, before_s=1.0, after_s=1.0),
    store_s=0.1,
    ledger_s=0.1,
)
"""The lag is watched for a second after the kill; all the same everything is finished in the end."""


@pytest.fixture(scope="module")
def ran(kafka: KafkaConnection, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the command prints, and what it keeps."""
    folder = tmp_path_factory.mktemp("scale")
    prefixes = []
    make = BenchTopics.__init__

    def noted(topics: BenchTopics, connection: KafkaConnection, prefix: str) -> None:
        prefixes.append(prefix)
        make(topics, connection, prefix)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "QUICK", TINY)
        patch.setattr(bench, "CELL_SITES", 1_000)
        patch.setattr(BenchTopics, "__init__", noted)
        for name in [name for name in os.environ if name.startswith("SMARTGRID_INFLUX")]:
            patch.delenv(name)
        kept = folder / "kept.json"
        words = ["--quick", "--brokers", kafka.brokers, "--state", str(folder), "--out", str(kept), "--json"]
        result = CliRunner().invoke(app, ["bench", "scale", *words], catch_exceptions=False)
    said = json.loads(result.stdout)
    assert result.exit_code == (0 if said["holds"] else 1)
    return said, json.loads(kept.read_bytes()), prefixes


def test_every_run_counts_its_events_and_both_clocks(ran: Any) -> None:
    said, kept, _ = ran
    assert [(run["sites"], run["workers"]) for run in kept["fit"]] == [(20, 1), (20, 2)]
    assert [(made["sites"], made["workers"]) for made in said["predictions"]] == [(60, 1)]
    for run in kept["fit"] + kept["unseen"]:
        assert run["events"] >= TINY.events
        assert 0.0 < run["main_us"] <= run["worker_us"]
        assert run["rebuild_us"] > 0.0
        assert run["state_bytes_per_site"] > 1_000


def test_a_record_is_larger_than_nothing_and_smaller_than_a_page(ran: Any) -> None:
    _, kept, _ = ran
    for kind in ("telemetry", "forecast"):
        assert 80 < kept["wire"][kind]["payload"] < 400
        assert 20 < kept["wire"][kind]["wire"] < 4_096


def test_the_lag_of_a_lost_worker_is_watched_from_before_its_end_and_all_events_are_finished(
    ran: Any,
) -> None:
    _, kept, _ = ran
    failure, plan = kept["failure"], TINY.failure
    assert failure["log_records"] == plan.sites * (len(plan.size().history()) + plan.turns)
    assert failure["samples"][0]["t_s"] < failure["fault_at_s"] < failure["samples"][-1]["t_s"]
    assert failure["sent"] == pytest.approx(400.0 * 2.0, rel=0.3)
    assert failure["samples"][-1]["arrived"] <= failure["sent"]
    assert all(sample["lag"] <= sample["arrived"] for sample in failure["samples"])


def test_ledgers_take_transactions(ran: Any) -> None:
    _, kept, _ = ran
    assert kept["ledgers"][0]["kind"] == "SQLite"
    assert all(rate["transactions_per_s"] > 0.0 for rate in kept["ledgers"])


def test_its_topics_are_gone_afterwards(ran: Any, kafka: KafkaConnection) -> None:
    _, _, prefixes = ran
    assert len(prefixes) == 3
    left = AdminClient(kafka.config()).list_topics(timeout=10).topics
    assert not [name for name in left if name.startswith(tuple(prefixes))]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> str:
    """Of the next bucket and schema."""
    known = uuid4()
    monkeypatch.setattr(scale_stores, "uuid4", lambda: known)
    return known.hex


def test_influxdb_is_written_to_in_a_bucket_that_is_gone_afterwards(name: str) -> None:
    target = fresh_target()
    found = influx_rate(target, 0.1)
    assert found.points_per_s > 0.0
    assert (found.series_per_site, found.fields_per_point) == (10, 5.0)
    assert found.writer_us > 0.0
    assert found.recall_ms > 0.0
    with open_client(target) as client:
        assert not client.buckets_api().find_buckets(name=f"bench-{name}").buckets


def test_postgresql_is_written_to_in_a_schema_that_is_gone_afterwards(tmp_path: Path, name: str) -> None:
    url = server_url()
    rates = ledger_rates(tmp_path, url.render_as_string(hide_password=False), 0.05)
    assert [rate.kind for rate in rates] == ["SQLite", "PostgreSQL"]
    assert all(rate.transactions_per_s > 0.0 for rate in rates)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert (
            f"bench_{name}"
            not in connection.execute(text("SELECT nspname FROM pg_namespace")).scalars().all()
        )

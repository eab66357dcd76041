"""What the measurements mean for many sites, as tables and as the command's exit code."""

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import smartgrid.bench.scale as bench
from smartgrid.bench.scale import Measured, Scale, load, save
from smartgrid.bench.scale_capacity import INFLUX_SERIES, Costs, full, need
from smartgrid.bench.scale_failure import FailurePlan, FailureRun
from smartgrid.bench.scale_measure import Wire, run_of
from smartgrid.bench.scale_model import CapacityModel, CostCurve, Run
from smartgrid.bench.scale_outlook import outlook
from smartgrid.bench.scale_process import broker_process, server_process
from smartgrid.bench.scale_recovery import Sample
from smartgrid.bench.scale_report import markdown, sheets
from smartgrid.bench.scale_stores import InfluxRate, LedgerRate
from smartgrid.bench.scale_wire import WireBytes
from smartgrid.bench.stream_worker import BenchError, WorkerReport
from smartgrid.cli import app

MODEL = CapacityModel(2, CostCurve(6.0, 80.0, 1.0), CostCurve(7.0, 90.0, 1.5), 2.0, busy=0.9, contention=0.95)
WIRE = Wire(WireBytes(135.0, 50.0), WireBytes(216.0, 80.0), 1.0)
INFLUX = InfluxRate(50_000.0, 9.0, 15.0, 10, 5.0, 25.0)
LEDGERS = [LedgerRate("SQLite", 150.0), LedgerRate("PostgreSQL", 100.0)]
COSTS = Costs(MODEL, WIRE, 4_096.0, INFLUX, LEDGERS)
SITES = st.integers(1, 200_000_000)


def run_at(sites: int, workers: int, *, share: float = 1.0) -> Run:
    rate = MODEL.events_per_s(sites, workers) * share
    costs = (MODEL.main_us.at(sites), MODEL.worker_us.at(sites), MODEL.broker_us)
    return Run(sites, workers, 100_000, rate, *costs, rebuild_us=5.0, state_bytes_per_site=4_096.0)


def lost_worker(plan: FailurePlan) -> FailureRun:
    """A lag that rises from the kill on and is gone after a while."""
    samples = []
    for step in range(160):
        t_s = 0.25 * step
        lag = plan.rate_per_s * (
            0.5 + (min(max(t_s - plan.before_s, 0.0), 12.0) / 2.0 if t_s < 20.0 else 0.0)
        )
        samples.append(Sample(t_s, round(plan.rate_per_s * t_s), round(lag)))
    return FailureRun(samples, plan.before_s, 772 * plan.sites, 40_000, 15.0)


def measured(share: float = 1.0) -> Measured:
    """Exact measurements; the runs for the test do ``share`` of what the model says."""
    fit = [run_at(*at) for at in ((1_000, 1), (10_000, 1), (10_000, 2), (100_000, 1))]
    unseen = [run_at(sites, workers, share=share) for sites in (3_000, 30_000) for workers in (1, 2)]
    plan = FailurePlan(sites=100, rate_per_s=1_000.0)
    return Measured(2, 0.1, fit, unseen, WIRE, plan, lost_worker(plan), INFLUX, LEDGERS)


@pytest.fixture(autouse=True)
def small_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures of a group that is quick to simulate."""
    monkeypatch.setattr(bench, "CELL_SITES", 10_000)


@given(SITES, SITES)
def test_more_sites_never_need_less(one: int, other: int) -> None:
    few, many = (need(COSTS, sites) for sites in sorted((one, other)))
    for name in (
        "workers",
        "worker_machines",
        "partitions",
        "state_gb",
        "broker_machines",
        "in_mb_s",
        "log_tb",
    ):
        assert getattr(few, name) <= getattr(many, name)
    assert few.ledgers <= many.ledgers
    assert few.influx is not None
    assert many.influx is not None
    assert few.influx.machines <= many.influx.machines


@given(SITES)
def test_planned_workers_have_the_spare_speed_that_was_assumed(sites: int) -> None:
    planned = need(COSTS, sites)
    assert planned.workers >= 2
    assert planned.events_per_s <= planned.workers * COSTS.worker_per_s * COSTS.assumed.load_share * (
        1 + 1e-9
    )


def test_network_disk_and_memory_follow_from_bytes_and_rates() -> None:
    found = need(COSTS, 1_000_000)
    assert found.events_per_s == 200_000.0
    assert found.in_mb_s == pytest.approx(200_000 * 130 / 1e6)
    assert found.log_tb == pytest.approx(200_000 * 130 * 6 * 3_600 * 3 / 1e12)
    assert found.state_gb == pytest.approx(4.096)
    assert (found.plants, found.transactions_per_s) == (1_000, 400.0)
    assert found.ledgers == 6  # of 75 transactions/s each


def test_a_worker_that_waits_for_its_store_does_less() -> None:
    bare = replace(COSTS, influx=None)
    assert bare.worker_per_s == bare.bare_per_s
    assert 1.0 / COSTS.worker_per_s == pytest.approx(1.0 / bare.bare_per_s + 2.0 / 50_000.0)
    assert need(bare, 1_000_000).influx is None


def test_a_broker_on_another_machine_has_no_figure_and_never_costs_nothing() -> None:
    elsewhere = replace(COSTS, wire=replace(WIRE, broker_in_us=None))
    found = need(elsewhere, 1_000_000)
    assert (found.broker_cores, found.broker_machines) == (None, None)
    assert not [end for end in full(elsewhere) if end.part.startswith("one broker")]
    lone = measured()
    runs = [replace(run, broker_us=None) for run in lone.fit]
    shown = markdown(Scale(replace(lone, fit=runs, wire=elsewhere.wire)))
    assert "| machines for brokers | – | – | – |" in shown


def test_the_nearest_end_comes_first_and_more_sites_than_that_do_not_fit() -> None:
    ends = {end.part: end.sites for end in full(COSTS)}
    assert list(ends.values()) == sorted(ends.values())
    assert ends["one worker without a store"] == pytest.approx(5.0 * COSTS.bare_per_s)
    assert ends["one InfluxDB, by its series"] == INFLUX_SERIES / 10
    assert ends["one ledger on SQLite, a plant every 1,000 sites"] == pytest.approx(375_000.0)


def test_a_run_is_what_its_workers_did_together() -> None:
    one = WorkerReport(
        events=100, begun=10.0, ended=12.0, cpu_s=1.0, main_cpu_s=0.8, state_bytes=500, sites=5
    )
    two = replace(
        one, events=300, begun=11.0, ended=14.0, cpu_s=3.0, main_cpu_s=2.4, rebuilt=10, rebuild_cpu_s=0.1
    )
    found = run_of(10, [one, two], broker_cpu_s=0.4)
    assert (found.workers, found.events, found.events_per_s) == (2, 400, 100.0)
    assert (found.worker_us, found.main_us, found.broker_us) == pytest.approx((10_000.0, 8_000.0, 1_000.0))
    assert found.busy == pytest.approx(0.4)
    assert found.state_bytes_per_site == 100.0


def test_what_was_measured_is_kept_whole(tmp_path: Path) -> None:
    file = tmp_path / "scale.json"
    save(measured(), file)
    assert load(file) == measured()


@pytest.mark.parametrize(("text", "said"), [("{}", "cores"), ("no JSON", "JSON")])
def test_another_file_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "scale.json"
    file.write_text(text)
    with pytest.raises(BenchError, match=said):
        load(file)


@pytest.mark.parametrize(("share", "code", "said"), [(1.0, 0, "Holds"), (0.7, 1, "DOES NOT HOLD")])
def test_the_exit_code_says_whether_every_prediction_is_within_20_percent(
    tmp_path: Path, share: float, code: int, said: str
) -> None:
    file = tmp_path / "scale.json"
    save(measured(share), file)
    shown = CliRunner().invoke(app, ["bench", "scale", "--from", str(file), "--markdown"])
    assert shown.exit_code == code
    assert said in shown.stdout


def test_one_prediction_that_misses_is_enough_not_to_hold() -> None:
    exact = measured()
    *others, last = exact.unseen
    off = replace(last, events_per_s=0.7 * last.events_per_s)
    assert Scale(exact).holds
    assert not Scale(replace(exact, unseen=[*others, off])).holds


def test_every_table_has_a_figure_for_every_column() -> None:
    found = Scale(measured())
    assert len(sheets(found)) == 7
    for sheet in sheets(found):
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.names)}
    assert markdown(found).count("\n| --- |") == 7


def test_the_json_has_predictions_and_the_lost_worker_beside_what_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "scale.json"
    save(measured(), file)
    shown = CliRunner().invoke(app, ["bench", "scale", "--from", str(file), "--json"], catch_exceptions=False)
    said = json.loads(shown.stdout)
    assert said["holds"] is True
    assert [(made["sites"], made["workers"]) for made in said["predictions"]] == [
        (3_000, 1),
        (3_000, 2),
        (30_000, 1),
        (30_000, 2),
    ]
    assert len(said["failure"]) == 4
    assert [row["sites"] for row in said["needs"]] == [10_000, 1_000_000, 100_000_000]


def test_a_lost_zone_takes_longer_than_a_lost_worker_and_a_shared_loss_less_than_a_replaced_one() -> None:
    shared, replaced, _, zone, *_ = outlook(COSTS, 1_000_000, 6.0)
    assert shared.back_s is not None
    assert replaced.back_s is not None
    assert zone.back_s is not None
    assert shared.back_s < replaced.back_s
    assert shared.back_s < zone.back_s


def test_a_client_that_uses_a_port_is_not_its_server() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert server_process("127.0.0.1", client.getsockname()[1]) is None


def test_a_server_is_found_by_the_port_on_which_it_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found, elsewhere = server_process("127.0.0.1", port), server_process("192.0.2.1", port)
        listed = broker_process(f"192.0.2.1:9092,127.0.0.1:{port}")
    known = Path("/proc/net/tcp").exists()
    assert (found.pid if found else None) == (os.getpid() if known else None)
    assert listed == found
    assert elsewhere is None
    if found is not None:
        assert found.cpu_s > 0.0
        assert found.resident_bytes > 0

"""``smartgrid store init`` on a real server: what is made, what is told, means that are right."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from influxdb_client import TaskUpdateRequest

from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.influx_setup import State, downsampling_flux, means_bucket, prepare_store, task_name
from pipeline.influx_store import InfluxStore
from pipeline.influx_target import InfluxTarget, open_client
from smartgrid.cli import main
from tests.services_influx.server import fresh_target, remove

START = datetime(2024, 5, 1, tzinfo=UTC)
MONTH, YEAR = timedelta(days=30), timedelta(days=365)


@pytest.fixture
def target() -> Iterator[InfluxTarget]:
    """A bucket's name; nothing of that name exists."""
    target = fresh_target()
    yield target
    remove(target)


def prepared(
    target: InfluxTarget, retention: timedelta | None = MONTH, *, update: bool = False
) -> list[State]:
    found = prepare_store(target, retention=retention, means_retention=None, update=update)
    return [finding.state for finding in found]


def kept_s(target: InfluxTarget) -> list[int]:
    with open_client(target) as client:
        bucket = client.buckets_api().find_bucket_by_name(target.bucket)
        return [rule.every_seconds for rule in bucket.retention_rules]


def test_what_is_missing_is_made_and_a_second_run_changes_nothing(target: InfluxTarget) -> None:
    assert prepared(target) == ["created"] * 3
    assert kept_s(target) == [30 * 86_400]
    assert prepared(target) == ["unchanged"] * 3


def test_another_retention_is_told_and_changed_only_when_asked(target: InfluxTarget) -> None:
    prepared(target, MONTH)
    found = prepare_store(target, retention=YEAR, means_retention=None)
    assert (found[0].state, found[0].wanted, found[0].found) == (
        "differs",
        "kept 365 days",
        "kept 30 days",
    )
    assert kept_s(target) == [30 * 86_400]
    assert prepared(target, YEAR, update=True) == ["updated", "unchanged", "unchanged"]
    assert kept_s(target) == [365 * 86_400]
    assert prepared(target, None, update=True)[0] == "updated"
    assert prepared(target, None) == ["unchanged"] * 3


def test_a_task_that_was_changed_or_stopped_is_told_and_put_right(target: InfluxTarget) -> None:
    prepared(target)
    with open_client(target) as client:
        task = client.tasks_api().find_tasks(name=task_name(target.bucket))[0]
        client.tasks_api().update_task_request(task.id, TaskUpdateRequest(status="inactive"))
        assert prepared(target) == ["unchanged", "unchanged", "differs"]
        other = downsampling_flux(target.bucket).replace("fn: mean", "fn: max")
        client.tasks_api().update_task_request(task.id, TaskUpdateRequest(status="active", flux=other))
    assert prepared(target) == ["unchanged", "unchanged", "differs"]
    assert prepared(target, update=True) == ["unchanged", "unchanged", "updated"]
    assert prepared(target) == ["unchanged"] * 3


def test_the_tasks_flux_gives_the_means_of_fifteen_minutes(target: InfluxTarget) -> None:
    prepared(target, None)
    pulses = [
        Telemetry(
            "bus 7",
            START + timedelta(minutes=i),
            load_kw=15.0 * (i // 15 + 1) if i % 15 == 0 else 0.0,
            solar_kw=None if i < 15 else 2.0 * i,
            wind_kw=4.0 if i % 2 else None,
        )
        for i in range(58)  # three whole windows, and one that is not over at 00:52
    ]
    with InfluxStore(target) as store:
        store.write([*pulses, replace(pulses[0], site="other")])
    with open_client(target) as client:
        task = client.tasks_api().find_tasks(name=task_name(target.bucket))[0]
        for now in ("2024-05-01T00:52:00Z", "2024-05-01T00:58:30Z"):
            client.query_api().query(
                task.flux.replace("option task", f"option now = () => {now}\noption task")
            )
        found = {
            (record["_field"], record.get_time()): record.get_value()
            for table in client.query_api().query(_means_of("bus 7"), params=_everything(target))
            for record in table.records
        }
    quarters = [START + timedelta(minutes=minutes) for minutes in (0, 15, 30)]
    assert found == {
        **{("load_kw", at): mean for at, mean in zip(quarters, (1.0, 2.0, 3.0), strict=True)},
        **{("solar_kw", at): mean for at, mean in zip(quarters[1:], (44.0, 74.0), strict=True)},
        **{("wind_kw", at): 4.0 for at in quarters},
    }


def _means_of(site: str) -> str:
    return (
        "from(bucket: bucket) |> range(start: start, stop: stop) "
        f'|> filter(fn: (r) => r._measurement == "telemetry" and r.site == "{site}")'
    )


def _everything(target: InfluxTarget) -> dict[str, object]:
    return {
        "bucket": means_bucket(target.bucket),
        "start": START - timedelta(days=1),
        "stop": START + timedelta(days=1),
    }


def test_a_hostile_bucket_name_is_only_a_name() -> None:
    target = fresh_target()
    hostile = replace(target, bucket=f"{target.bucket} ${{now()}} \\ , 'x'")
    try:
        assert prepared(hostile) == ["created"] * 3
        assert prepared(hostile) == ["unchanged"] * 3
    finally:
        remove(hostile)


def test_an_organization_that_is_not_there_is_named(target: InfluxTarget) -> None:
    with pytest.raises(StoreError, match="influx_org=none-such"):
        prepared(replace(target, org="none-such"))


def test_the_command_makes_the_store_and_says_what_it_found(
    target: InfluxTarget, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(f"{target.token}\n")
    monkeypatch.delenv("SMARTGRID_INFLUX_TOKEN")
    monkeypatch.setenv("SMARTGRID_INFLUX_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("SMARTGRID_INFLUX_BUCKET", target.bucket)
    monkeypatch.setenv("SMARTGRID_STATE", str(tmp_path))
    for state in ("created", "unchanged"):
        monkeypatch.setattr(sys, "argv", ["smartgrid", "store", "init", "--json"])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        assert [part["state"] for part in json.loads(capsys.readouterr().out)] == [state] * 3
    monkeypatch.setenv("SMARTGRID_INFLUX_RETENTION_DAYS", "7")
    monkeypatch.setattr(sys, "argv", ["smartgrid", "store", "init"])
    with pytest.raises(SystemExit):
        main()
    assert "store init --update" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["SMARTGRID_INFLUX_URL", "SMARTGRID_INFLUX_TOKEN"])
def test_the_command_names_the_setting_that_it_lacks(
    target: InfluxTarget,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SMARTGRID_STATE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["smartgrid", "store", "init"])
    with monkeypatch.context() as without, pytest.raises(SystemExit, match="1"):
        without.delenv(name)
        main()
    assert f"{name.removeprefix('SMARTGRID_').lower()}: not set" in capsys.readouterr().err

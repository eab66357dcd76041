"""The command line: what people and scripts read, and what wrong input gets."""

import csv
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.forecasting.versions import current_folder
from smartgrid.cli import main
from smartgrid.day.scenario import read_replay

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command in this process: exit code, standard output, standard error."""
    for name in [name for name in os.environ if name.startswith("SMARTGRID_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SMARTGRID_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["smartgrid", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return int(str(code or 0)), out, err

    return call


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of the sample as a CSV."""
    series = read_replay("sample", mapping=None, tz=None)[0]
    frame = series.frame.iloc[: 10 * 96, :].rename(columns={"load_kw": "demand_kw"})
    path = tmp_path_factory.mktemp("csv") / "area.csv"
    frame.drop(columns="net_load_kw").to_csv(path)
    return path


ACCOUNTS = {
    "cost_no_action_usd",
    "cost_usd",
    "cost_perfect_foresight_usd",
    "value_capture",
    "ramp_relief",
    "trade_share",
    "guardrail_violations",
    "ramp_penalty_usd",
    "energy_profit_usd",
    "dispatches",
    "battery_cycles",
    "price_source",
    "seed",
}


def test_demo_prints_the_accounts_as_json_and_writes_nothing_unasked(run: Run, tmp_path: Path) -> None:
    code, out, err = run("demo", "--replay", "sample", "--day", "2024-04-20", "--json")
    report = json.loads(out)
    assert code == 0, err
    assert report.keys() >= ACCOUNTS | {"days"}
    (day,) = report["days"]
    assert day.keys() >= ACCOUNTS | {"name"}
    assert day["name"] == "2024-04-20"
    assert day["guardrail_violations"] == 0
    assert report["price_source"] == "synthetic"
    assert list(tmp_path.iterdir()) == []


def test_demo_writes_a_self_contained_page_and_shows_a_table(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("demo", "--seed", "201", "--cadence", "900", "--out", "report", "--state", "kept")
    assert code == 0
    assert "seed 201" in out
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    report = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert page.count("<svg") == 5
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert "<script" not in page
    assert report["seed"] == 201
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["report.html", "report.json"]
    code, out, _ = run("audit", "verify", "--state", "kept/seed-201", "--json")
    assert code == 0
    assert json.loads(out)["ok"]
    code, _, err = run("demo", "--seed", "201", "--cadence", "900", "--state", "kept")
    assert code == 1
    assert "is there already" in err


def test_demo_replays_a_file_with_its_own_names(run: Run, recording: Path) -> None:
    code, out, err = run("demo", "--replay", recording, "--day", "2024-03-12", "--site-tz", "UTC", "--json")
    assert code == 0, err
    (day,) = json.loads(out)["days"]
    assert day["cadence_s"] == 900.0
    assert any("load from demand_kw" in note for note in day["notes"])


def test_an_audit_that_was_tampered_with_is_named_and_exits_with_1(run: Run, tmp_path: Path) -> None:
    assert run("demo", "--seed", "201", "--cadence", "900", "--state", "kept", "--json")[0] == 0
    with sqlite3.connect(tmp_path / "kept" / "seed-201" / "ledger.db") as ledger:
        ledger.execute("UPDATE audit SET payload = replace(payload, 'battery', 'peaker') WHERE seq = 5")
    ledger.close()
    code, _, err = run("audit", "verify", "--state", "kept/seed-201")
    assert code == 1
    assert "entry 5 was changed" in err


BAD_FILES = {
    "no load column": (b"ts_utc,temperature_c\n2024-01-01T00:00Z,1\n", "--map load=COLUMN"),
    "text in every number": (
        b"ts_utc,load_mw\n2024-01-01T00:00Z,a\n2024-01-01T00:15Z,b\n",
        "line 2: load_mw 'a'",
    ),
    "infinite": (b"ts_utc,load_mw\n2024-01-01T00:00Z,inf\n2024-01-01T00:15Z,1\n", "infinite"),
    "naive times": (b"ts_utc,load_mw\n2024-01-01 00:00,1\n2024-01-01 00:15,2\n", "--tz"),
    "empty": (b"", "empty"),
    "header alone": (b"ts_utc,load_mw\n", "no rows"),
    "broken gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03abc", "gzip"),
    "binary": (b"ts_utc,load_mw\n\x00\x01\x02\n", "binary"),
    "not UTF-8": (b"ts_utc,load_mw\n2024-01-01T00:00Z,\xff\n", "UTF-8"),
    "all missing": (b"ts_utc,load_mw\n2024-01-01T00:00Z,NaN\n2024-01-01T00:15Z,\n", "no row has a value"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize(
    "command",
    [
        ["demo", "--replay", "{file}", "--out", "out"],
        ["train", "{file}", "--out", "out"],
        ["backtest", "forecast", "{file}", "--train-until", "2024-01-01", "--out", "out"],
    ],
    ids=lambda command: command[0],
)
def test_a_bad_file_ends_with_one_line_that_says_what_to_do(
    name: str, command: list[str], run: Run, tmp_path: Path
) -> None:
    content, told = BAD_FILES[name]
    (tmp_path / "bad.csv").write_bytes(content)
    code, out, err = run(*(part.replace("{file}", "bad.csv") for part in command))
    assert code == 1
    assert told in err
    assert "Traceback" not in err + out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["demo", "--replay", "nowhere.csv"], "nowhere.csv"),
        (["demo", "--replay", "sample", "--day", "soon"], "--day 'soon' is no date"),
        (["demo", "--replay", "sample", "--day", "2030-01-01"], "its days run from 2024-03-04 to 2024-04-28"),
        (["demo", "--day", "2024-04-15"], "needs --replay"),
        (["demo", "--replay", "sample", "--seed", "1"], "leave one out"),
        (["demo", "--seed", "105"], "is a training day"),
        (["demo", "--replay", "sample", "--site-tz", "Mars/Phobos"], "no IANA time zone"),
        (["demo", "--seed", "1", "--cadence", "7"], "cadence_s: 7"),
        (["demo", "--limits", "missing.yaml"], "missing.yaml: cannot be read"),
        (["up", "--loops", "gambling"], "no loop 'gambling'"),
        (["bench", "day", "--only", "Mars"], "--only 'Mars'"),
    ],
)
def test_wrong_usage_names_the_option_and_the_fix(arguments: list[str], told: str, run: Run) -> None:
    code, _, err = run(*arguments)
    assert code == 1
    assert told in err
    assert "Traceback" not in err


def test_a_wrong_setting_names_field_value_and_fix(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTGRID_HTTP_PORT", "99999")
    code, _, err = run("doctor")
    assert code == 1
    assert "http_port = '99999'" in err


def test_a_misspelt_secret_is_refused_without_showing_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "smartgrid.toml").write_text("influx_tokn = 'do-not-show'\n")
    code, out, err = run("doctor")
    assert code == 1
    assert "influx_tokn" in err
    assert "do-not-show" not in out + err


def test_serving_beyond_this_machine_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMARTGRID_HTTP_HOST", "0.0.0.0")  # noqa: S104  what must be refused
    code, _, err = run("up", "--loops", "none")
    assert code == 1
    assert "127.0.0.1" in err


def test_train_saves_a_model_and_prints_the_importance_of_each_family(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    code, out, err = run("train", recording, "--out", "model", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert set(document["importance"]) == {"lags", "rolling", "gradient", "penetration", "hour", "level"}
    assert sum(document["importance"].values()) == pytest.approx(1.0)
    assert document["metadata"]["cadence_s"] == 900.0
    assert (current_folder(tmp_path / "model") / "model.json").is_file()
    code, out, _ = run("train", recording, "--out", "model")
    assert code == 0
    assert "penetration" in out


def test_backtest_writes_a_line_for_every_row_from_t_on(run: Run, recording: Path, tmp_path: Path) -> None:
    code, out, err = run(
        "backtest", "forecast", recording, "--train-until", "2024-03-11T00:00Z", "--out", "bt", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["metrics"]["rows"] > 100
    with (tmp_path / "bt" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["issued_at", "target_at", "p10_kw", "p50_kw", "p90_kw"]
    assert rows[0]["issued_at"] == "2024-03-11T00:00:00Z"
    assert rows[0]["target_at"] == "2024-03-11T00:30:00Z"
    judged = pd.read_csv(recording, parse_dates=["ts_utc"])
    assert len(rows) == (judged["ts_utc"] >= pd.Timestamp("2024-03-11", tz="UTC")).sum()


def test_doctor_says_what_is_missing_and_how_to_fix_it(run: Run) -> None:
    code, out, _ = run("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(out)}
    assert code == 0
    assert findings["ledger"]["level"] == "missing"
    assert findings["ledger"]["fix"] == "start one: smartgrid up"
    assert findings["tools"]["level"] == "ok"


@pytest.mark.parametrize(
    ("variable", "address", "what"),
    [
        ("SMARTGRID_KAFKA", "127.0.0.1:1", "kafka"),
        ("SMARTGRID_INFLUX_URL", "http://127.0.0.1:1", "influxdb"),
    ],
)
def test_doctor_names_a_service_that_does_not_answer(
    variable: str, address: str, what: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, address)
    monkeypatch.setenv("SMARTGRID_INFLUX_TOKEN", "not-the-token")
    code, out, _ = run("doctor", "--json")
    (finding,) = [found for found in json.loads(out) if found["what"] == what]
    assert code == 1
    assert finding["level"] == "wrong"
    assert address in finding["detail"]
    assert "not-the-token" not in out


def test_doctor_exits_with_1_when_something_is_wrong(run: Run, tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text("battery: {power_kw: -5}\n")
    code, out, _ = run("doctor", "--limits", "limits.yaml", "--json")
    wrong = [finding for finding in json.loads(out) if finding["level"] == "wrong"]
    assert code == 1
    assert [finding["what"] for finding in wrong] == ["limits"]
    assert "battery.power_kw" in wrong[0]["detail"]

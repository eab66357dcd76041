"""``backtest forecast`` and ``bench forecast`` as people type them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from smartgrid.bench.forecast import bench_forecast
from smartgrid.cli.backtest_forecast import days, forecast
from smartgrid.errors import ScenarioError
from smartgrid.moments import moment

DAYS = 24


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(forecast)
    return made


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks and more of a load in MW under a name of its own, in naive local times, with a gap."""
    rng = np.random.default_rng(9)
    times = pd.date_range("2024-05-01", periods=DAYS * 48, freq="30min")
    wave = np.sin(2 * np.pi * np.arange(len(times)) / 48)
    table = pd.DataFrame({"timestamp": times, "drawn_mw": 40 + 8 * wave + rng.normal(0, 0.4, len(times))})
    table.loc[len(table) - 20, "drawn_mw"] = np.nan
    path = tmp_path_factory.mktemp("csv") / "site.csv"
    table.to_csv(path, index=False)
    return path


def run(app: typer.Typer, csv: Path, out: Path, *more: str) -> str:
    fixed = [str(csv), "--train-until", "2024-05-20", "--out", str(out), "--map", "load=drawn_mw"]
    result = CliRunner().invoke(
        app,
        [*fixed, "--tz", "Europe/Berlin", "--site-tz", "Europe/Berlin", *more],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_it_writes_predictions_metrics_and_a_picture_and_prints_the_scores_as_json(
    app: typer.Typer, csv: Path, tmp_path: Path
) -> None:
    document = json.loads(run(app, csv, tmp_path / "out", "--refit", "2d", "--json"))
    found = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert list(found.columns) == ["issued_at", "target_at", "p10_kw", "p50_kw", "p90_kw"]
    assert found["issued_at"].iloc[0] == "2024-05-20T00:00:00Z"
    assert found["target_at"].iloc[0] == "2024-05-20T00:30:00Z"
    assert len(found) == DAYS * 48 - 19 * 48 - 4  # from 02:00 Berlin time on
    assert found["p50_kw"].isna().sum() == 1
    assert document["fits"] == 3
    assert document["metrics"]["skill_persistence"] > 0.2
    for name in ("mae_kw", "rmse_kw", "pinball_kw", "coverage", "skill_drift", "ramp_kw", "ramps"):
        assert document["metrics"][name] is not None
    assert {group["hour"] for group in document["by_hour"]} == {f"{hour:02}" for hour in range(24)}
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == document
    assert (tmp_path / "out" / "forecast.png").read_bytes().startswith(b"\x89PNG")


def test_without_json_it_prints_tables_and_where_the_predictions_are(
    app: typer.Typer, csv: Path, tmp_path: Path
) -> None:
    text = run(app, csv, tmp_path, "--horizon", "1h", "--refit", "never")
    assert "skill_drift" in text
    assert "By local hour" in text
    assert str(tmp_path / "predictions.csv") in text


@pytest.mark.parametrize("text", ["90", "0d", "-3d", "90 hours", ""])
def test_a_refit_that_is_no_number_of_days_is_an_error(text: str) -> None:
    with pytest.raises(ScenarioError, match="--refit"):
        days(text)


def test_a_train_until_that_is_no_time_is_an_error() -> None:
    with pytest.raises(ScenarioError, match="yesterday"):
        moment("yesterday", "--train-until")


def test_the_bench_names_what_it_does_not_find(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="ercot_generation"):
        list(bench_forecast(tmp_path, "ercot", lambda _: None))
    with pytest.raises(ScenarioError, match="Luxembourg"):
        list(bench_forecast(tmp_path, "Mars", lambda _: None))

"""``attack``, ``backtest fdia`` and ``bench fdia``: a drill from file to figures."""

import json
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from pipeline.fdia.backtest import OURS
from pipeline.fdia.errors import AttackError, DetectorError
from smartgrid.bench.fdia import Setting, bench_fdia, ercot_load
from smartgrid.bench.trust_days import bench_trust
from smartgrid.cli.attack import attack
from smartgrid.cli.backtest_fdia import fdia as backtest

T = "2024-02-19T00:00Z"
KINDS = "scale:0.1,freeze,replay,pulse:0.1"

app = typer.Typer(pretty_exceptions_enable=False)
app.command("attack")(attack)
app.command("backtest")(backtest)


def made_up_rows(days: int = 77) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = days * 48
    stamps = pd.date_range("2024-01-01", periods=rows, freq="30min", tz="UTC")
    hours = np.arange(rows) / 2
    wander = np.zeros(rows)
    for row in range(1, rows):
        wander[row] = 0.97 * wander[row - 1] + rng.normal(0.0, 0.004)
    load = np.round(1.0 + 0.2 * np.sin(2 * np.pi * hours / 24) + wander, 4)
    return pd.DataFrame({"timestamp": stamps.strftime("%Y-%m-%dT%H:%M:%SZ"), "note": "a,b", "grid_mw": load})


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drill")
    made_up_rows().to_csv(folder / "site.csv", index=False)
    arguments = ["attack", str(folder / "site.csv"), "--channel", "load", "--map", "load=grid_mw"]
    run = [*arguments, "--from", T, "--kinds", KINDS, "--seed", "4", "--out", str(folder)]
    done = CliRunner().invoke(app, run, catch_exceptions=False)
    assert done.exit_code == 0
    return folder


@pytest.fixture(scope="module")
def judged(drill: Path) -> dict[str, object]:
    arguments = ["backtest", str(drill / "attacked.csv"), "--train-until", T, "--map", "load=grid_mw"]
    run = [*arguments, "--labels", str(drill / "labels.csv"), "--out", str(drill / "out"), "--json"]
    done = CliRunner().invoke(app, run, catch_exceptions=False)
    assert done.exit_code == 0
    document: dict[str, object] = json.loads(done.stdout)
    return document


def test_the_attacked_file_has_the_inputs_columns_and_differs_inside_the_labels_alone(drill: Path) -> None:
    before, after = pd.read_csv(drill / "site.csv"), pd.read_csv(drill / "attacked.csv")
    labels = pd.read_csv(drill / "labels.csv")
    assert list(labels) == ["start_utc", "end_utc", "channel", "kind", "magnitude"]
    assert list(after) == list(before)
    pd.testing.assert_frame_equal(after.drop(columns="grid_mw"), before.drop(columns="grid_mw"))
    inside = np.zeros(len(before), dtype=bool)
    for event in labels.itertuples():
        inside |= (
            (before["timestamp"] >= event.start_utc) & (before["timestamp"] < event.end_utc)
        ).to_numpy()
    changed = (after["grid_mw"] != before["grid_mw"]).to_numpy()
    assert changed.any()
    assert not changed[~inside].any()
    assert labels["kind"].value_counts().nunique() == 1
    assert (labels["channel"] == "load").all()


def test_the_same_seed_gives_the_same_attack(drill: Path, tmp_path: Path) -> None:
    arguments = ["attack", str(drill / "site.csv"), "--channel", "load", "--map", "load=grid_mw"]
    run = [*arguments, "--from", T, "--kinds", KINDS, "--seed", "4", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, run).exit_code == 0
    assert (tmp_path / "attacked.csv").read_bytes() == (drill / "attacked.csv").read_bytes()


def test_every_row_from_t_on_has_a_finite_score(drill: Path, judged: dict[str, object]) -> None:
    scores = pd.read_csv(drill / "out" / "scores.csv")
    attacked = pd.read_csv(drill / "attacked.csv")
    assert list(scores) == ["ts_utc", "score", "alarm", "alarm_week", "channel", "kind"]
    stamps = attacked.loc[attacked["timestamp"] >= "2024-02-19", "timestamp"].tolist()
    assert scores["ts_utc"].tolist() == stamps
    assert np.isfinite(scores["score"]).all()
    assert set(scores["alarm"]) == set(scores["alarm_week"]) == {0, 1}
    assert (scores.loc[scores["alarm"] == 1, "channel"] == "load").all()
    substitutes = pd.read_csv(drill / "out" / "substitutes.csv")
    assert list(substitutes) == ["ts_utc", "trust", "since", "substitute_load_kw"]
    assert substitutes["substitute_load_kw"].notna().any()


def test_plain_attacks_are_found_better_than_by_chance_or_by_the_references(
    judged: dict[str, object],
) -> None:
    detectors = judged["detectors"]
    assert isinstance(detectors, dict)
    assert set(detectors) == {OURS, "isolation forest", "residual z-score"}
    kinds = detectors[OURS]["kinds"]
    assert set(kinds) == {"scale:0.1", "freeze", "replay", "pulse:0.1"}
    for kind, figures in kinds.items():
        assert figures["recall_day"] >= 0.8, kind
        assert figures["recall_day"] > figures["chance_day"]
    forest = detectors["isolation forest"]["kinds"]
    assert sum(of["recall_week"] for of in kinds.values()) > sum(of["recall_week"] for of in forest.values())


def test_scores_before_a_cut_do_not_change_when_the_file_ends_there(
    drill: Path, judged: dict[str, object]
) -> None:
    lines = (drill / "attacked.csv").read_text().splitlines()
    cut = next(at for at, line in enumerate(lines) if line.startswith("2024-03-01T05:00"))
    (drill / "short.csv").write_text("\n".join(lines[:cut]) + "\n")
    arguments = ["backtest", str(drill / "short.csv"), "--train-until", T, "--map", "load=grid_mw"]
    assert CliRunner().invoke(app, [*arguments, "--out", str(drill / "short")]).exit_code == 0
    whole = (drill / "out" / "scores.csv").read_text().splitlines()
    short = (drill / "short" / "scores.csv").read_text().splitlines()
    assert len(short) < len(whole)
    assert short == whole[: len(short)]


def test_a_channel_or_labels_that_are_not_there_are_errors(drill: Path, tmp_path: Path) -> None:
    arguments = ["attack", str(drill / "site.csv"), "--channel", "wind", "--map", "load=grid_mw"]
    with pytest.raises(AttackError, match="wind"):
        CliRunner().invoke(app, [*arguments, "--from", T, "--out", str(tmp_path)], catch_exceptions=False)
    arguments = ["backtest", str(drill / "attacked.csv"), "--train-until", T, "--map", "load=grid_mw"]
    run = [*arguments, "--labels", str(tmp_path / "none.csv"), "--out", str(tmp_path)]
    with pytest.raises(DetectorError, match=r"none\.csv"):
        CliRunner().invoke(app, run, catch_exceptions=False)
    with pytest.raises(DetectorError, match="train_until"):
        late = [*arguments[:3], "2031-01-01", *arguments[4:], "--out", str(tmp_path)]
        CliRunner().invoke(app, late, catch_exceptions=False)


def test_on_ercots_load_plain_attacks_are_found_and_false_alarms_stay_rare(data_dir: Path) -> None:
    series = ercot_load(data_dir)
    start = pd.Timestamp("2019-07-01", tz="UTC")
    setting = Setting("short", "scale:0.05,pulse:0.1,freeze,replay")
    found = bench_fdia(series.part(0, 22_000), start, "America/Chicago", setting, [1, 2])
    recalls = [of.recall_day for of in found[OURS].kinds.values()]
    assert np.mean(recalls) > 0.95
    assert min(recalls) > 0.85
    assert 0.4 < found["clean rows"].day.per_day < 2.0


def test_on_a_caiso_day_a_false_net_load_beside_true_meters_costs_the_trust_at_once(
    data_dir: Path, tmp_path: Path
) -> None:
    found = bench_trust(data_dir, tmp_path, date(2019, 5, 24), date(2019, 5, 25))
    rows = {row.kind: row for row in islice(found, 6)}  # the site with all its meters
    assert set(rows) == {"clean", "scale:0.1", "bias:0.1", "ramp:0.1", "pulse:0.1", "noise:0.03"}
    assert rows.pop("clean").distrusted < 0.02
    for row in rows.values():
        assert row.distrusted == row.at_once == 1.0, row.kind
        assert row.after_rows < 20
        assert row.used_error < 0.1 * row.false_error

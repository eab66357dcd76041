"""``bench forecast``: one frozen configuration on three operators' files, beside plain trees."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import xgboost

from grid.csv_columns import parse_mapping
from grid.csv_series import read_csv_series
from grid.series import BaseSeries
from pipeline.arrays import Floats, Indices
from pipeline.features import events_of, feature_rows
from pipeline.forecasting.memory import DAY_US
from pipeline.forecasting.scores import ramp_calls, score
from pipeline.forecasting.walk_forward import Prepared, WalkForward, walk_forward
from smartgrid.errors import ScenarioError

REFIT: Final = timedelta(days=90)
THRESHOLD_DAYS: Final = 364
"""Before T: ramp thresholds are set there, on forecasts by models of the time before."""
_STEPS: Final = 200

Say = Callable[[str], None]


@dataclass(frozen=True)
class BenchFile:
    """A file, how it is read, and from when on it is judged.

    Attributes:
        name: how the table calls it.
        file: its name in the data directory.
        train_until: T.
        site_tz: time zone of the local day.
        mapping: as ``--map``.
        judge_ramps: whether ramp recall is compared with LightGBM's.
    """

    name: str
    file: str
    train_until: datetime
    site_tz: str
    mapping: tuple[str, ...] = ()
    judge_ramps: bool = False


FILES: Final = (
    BenchFile(
        "ERCOT",
        "ercot_generation_15min_2019_2021H1.csv.gz",
        datetime(2020, 11, 15, tzinfo=UTC),
        "America/Chicago",
        ("load=total_gen_mw",),
        judge_ramps=True,
    ),
    BenchFile(
        "AEMO Victoria",
        "aemo_vic_demand_price_5min_2024_2025H1.csv.gz",
        datetime(2025, 4, 1, tzinfo=UTC),
        "Australia/Melbourne",
    ),
    BenchFile(
        "Luxembourg",
        "luxembourg_load_15min_2020_2024H1.csv.gz",
        datetime(2024, 2, 15, tzinfo=UTC),
        "Europe/Luxembourg",
    ),
)


def bench_forecast(data: Path, only: str | None, say: Say) -> Iterator[dict[str, Any]]:
    """One row of figures for each file.

    Args:
        data: the folder of the files.
        only: one file's name; None runs all.
        say: is told what comes next.

    Raises:
        ScenarioError: for an unknown name, or a file that is not there.
    """
    chosen = [item for item in FILES if only is None or item.name.lower() == only.lower()]
    if not chosen:
        raise ScenarioError(f"--only {only!r}: choose from {', '.join(item.name for item in FILES)}")
    for item in chosen:
        say(item.name)
        yield _judge(item, data)


def _judge(item: BenchFile, data: Path) -> dict[str, Any]:
    path = data / item.file
    if not path.is_file():
        raise ScenarioError(f"--data {data}: {item.file} is not there; name the folder that holds it")
    series = read_csv_series(path, mapping=parse_mapping(list(item.mapping))).series
    found = walk_forward(series, train_until=item.train_until, site_tz=item.site_tz, refit=REFIT)
    overall = dict(score(found).overall)
    reference_kw = _mission_trees(series, found)
    row = {
        "file": item.name,
        "train_until": item.train_until.isoformat(),
        "fits": len(found.refits),
        **overall,
        **_beside(found, reference_kw, overall["mae_kw"]),
        **_training_time(found.prepared),
    }
    return {**row, **_ramp_comparison(found)} if item.judge_ramps else row


def _beside(found: WalkForward, reference_kw: Floats, mae_kw: float) -> dict[str, float]:
    change_kw = found.prepared.change_kw[found.at]
    reference = float(np.nanmean(np.abs(change_kw - reference_kw)))
    return {"mae_mission_trees_kw": reference, "less_mae_than_mission_trees": 1.0 - mae_kw / reference}


def _mission_trees(series: BaseSeries, found: WalkForward) -> Floats:
    """XGBoost on the mission's features, the change as target, refitted when ours is."""
    prepared = found.prepared
    rows = feature_rows(
        events_of(series),
        np.arange(len(prepared.seen)),
        cadence_s=series.cadence_s,
        site_tz=prepared.layout.site_tz,
    )
    ts_us, forecasts = prepared.seen.ts_us[found.at], np.empty(len(found.at))
    for begin, end in zip(found.refits, (*found.refits[1:], int(ts_us[-1]) + 1), strict=True):
        learnt = prepared.known_before(begin)
        scale_kw = float(np.std(prepared.change_kw[learnt]))
        data = xgboost.QuantileDMatrix(rows[learnt], label=prepared.change_kw[learnt] / scale_kw, nthread=1)
        parameters = {
            "objective": "reg:absoluteerror",
            "max_depth": 6,
            "learning_rate": 0.05,
            "tree_method": "hist",
            "nthread": 1,
        }
        booster = xgboost.train(parameters, data, num_boost_round=300)
        now = slice(*np.searchsorted(ts_us, [begin, end]))
        forecasts[now] = booster.inplace_predict(rows[found.at[now]], missing=np.nan) * scale_kw
    return forecasts


def _training_time(prepared: Prepared) -> dict[str, float]:
    """How long a fit on the whole file takes, by the clock and in processor time."""
    begun, used = time.perf_counter(), time.process_time()
    prepared.fit(int(prepared.seen.ts_us[-1]) + prepared.layout.horizon_us)
    return {
        "training_s": time.perf_counter() - begun,
        "training_cpu_s": time.process_time() - used,
    }


def _ramp_comparison(found: WalkForward) -> dict[str, float]:
    """Recall at LightGBM's precision: its threshold is the training P99, ours is set in the year before T.

    ``ramp_recall_at_same_precision`` sets ours where the precision is theirs on the judged rows themselves.
    """
    prepared = found.prepared
    tested = ~np.isnan(prepared.change_kw[found.at])
    change_kw, ours = prepared.change_kw[found.at][tested], found.median_kw[tested]
    theirs = _lightgbm(prepared, found.start_us, found.at[tested])
    precision, recall = ramp_calls(change_kw, theirs, ramp_kw=found.ramp_kw, called_kw=found.ramp_kw)
    called = _threshold_before(prepared, found.start_us)
    same = _threshold(change_kw / found.ramp_kw, ours / found.ramp_kw, precision)
    our_precision, our_recall = _calls(change_kw, ours, found.ramp_kw, called)
    same_precision, same_recall = _calls(change_kw, ours, found.ramp_kw, same)
    return {
        "lightgbm_mae_kw": float(np.mean(np.abs(change_kw - theirs))),
        "lightgbm_ramp_precision": precision,
        "lightgbm_ramp_recall": recall,
        "ramp_threshold": called,
        "ramp_precision_at_threshold": our_precision,
        "ramp_recall_at_threshold": our_recall,
        "ramp_recall_ratio": our_recall / recall if recall > 0 else float("nan"),
        "ramp_precision_at_same_precision": same_precision,
        "ramp_recall_at_same_precision": same_recall,
        "ramp_recall_ratio_at_same_precision": same_recall / recall if recall > 0 else float("nan"),
    }


def _calls(change_kw: Floats, median_kw: Floats, ramp_kw: float, called: float) -> tuple[float, float]:
    return ramp_calls(change_kw, median_kw, ramp_kw=ramp_kw, called_kw=called * ramp_kw)


def _threshold_before(prepared: Prepared, start_us: int) -> float:
    """The threshold that gave LightGBM's precision in the year before T, by two models each."""
    changes, ours, theirs = [], [], []
    half_us = THRESHOLD_DAYS * DAY_US // 2
    for begin_us in (start_us - 2 * half_us, start_us - half_us):
        held = np.arange(*np.searchsorted(prepared.seen.ts_us, [begin_us, begin_us + half_us]))
        held = held[~np.isnan(prepared.change_kw[held])]
        early = prepared.fit(begin_us)
        changes.append(prepared.change_kw[held] / early.ramp_kw)
        ours.append(early.predict(prepared.rows[held])[0] / early.ramp_kw)
        theirs.append(_lightgbm(prepared, begin_us, held) / early.ramp_kw)
    precision, _ = ramp_calls(np.concatenate(changes), np.concatenate(theirs), ramp_kw=1.0, called_kw=1.0)
    return _threshold(np.concatenate(changes), np.concatenate(ours), precision)


def _threshold(change: Floats, median: Floats, precision: float) -> float:
    """The smallest |median| that calls ramps at least so precisely; all in units of the ramp."""
    for called in np.linspace(0.5, 1.5, _STEPS + 1).tolist():
        if ramp_calls(change, median, ramp_kw=1.0, called_kw=called)[0] >= precision:
            return float(called)
    return 1.0


def _lightgbm(prepared: Prepared, before_us: int, at: Indices) -> Floats:
    """LightGBM on the same rows: absolute error, 300 trees of 63 leaves, rate 0.05."""
    try:
        lightgbm = import_module("lightgbm")  # this comparison alone needs it
    except ModuleNotFoundError:
        raise ScenarioError(
            "lightgbm: not installed; this comparison needs it: pip install lightgbm"
        ) from None
    learnt = prepared.known_before(before_us)
    scale_kw = float(np.std(prepared.change_kw[learnt]))
    parameters = {
        "objective": "l1",
        "num_leaves": 63,
        "learning_rate": 0.05,
        "num_threads": 1,
        "verbose": -1,
        "seed": 7,
        "deterministic": True,
    }
    data = lightgbm.Dataset(prepared.rows[learnt] / scale_kw, label=prepared.change_kw[learnt] / scale_kw)
    booster = lightgbm.train(parameters, data, num_boost_round=300)
    return np.asarray(booster.predict(prepared.rows[at] / scale_kw)) * scale_kw

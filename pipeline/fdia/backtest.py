"""A leak-free backtest of the detectors: fit on rows before T, judge every row from T on, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from grid.series import BaseSeries
from grid.units import require_utc
from pipeline.fdia.detector import Detector, DetectorModel, Verdicts
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.fitting import PER_DAY, PER_WEEK, fit_detector
from pipeline.fdia.labels import LabelledSpan, inside, spans_of
from pipeline.fdia.layout import Booleans, Floats, Integers
from pipeline.fdia.references import isolation_forest, residual_zscore, threshold_at
from pipeline.fdia.regular import RegularSeries, to_regular
from pipeline.fdia.scoring import FalseAlarms, KindScore, false_alarms, score_kind

OURS: Final = "this detector"
FOREST: Final = "isolation forest"
ZSCORE: Final = "residual z-score"
_SUFFIX: Final = "_kw"


@dataclass(frozen=True)
class Judged:
    """One detector's answer on the test rows (of the grid)."""

    score: Floats
    alarms: tuple[Booleans, Booleans]


@dataclass(frozen=True)
class DetectorResult:
    """How one detector did.

    Attributes:
        day, week: false alarms at the two thresholds.
        kinds: by kind of attack; empty without labels.
    """

    day: FalseAlarms
    week: FalseAlarms
    kinds: Mapping[str, KindScore]


@dataclass(frozen=True)
class FdiaBacktest:
    """What a backtest gave.

    Attributes:
        scores: ``ts_utc, score, alarm, alarm_week, channel, kind``: one line for every row from T on.
        substitutes: ``ts_utc, trust, since`` and a substitute in kW per channel, where distrusted.
        results: by detector, ours first.
        model: the fitted detector.
    """

    scores: pd.DataFrame
    substitutes: pd.DataFrame
    results: Mapping[str, DetectorResult]
    model: DetectorModel


def backtest_fdia(
    series: BaseSeries,
    channels: Sequence[str],
    *,
    train_until: datetime,
    site_tz: str,
    labels: pd.DataFrame | None = None,
) -> FdiaBacktest:
    """Fit before T, judge from T on, and score against the labels.

    Args:
        series: the whole series.
        channels: its columns that have a meter of their own.
        train_until: T; rows before it are taken to be clean.
        site_tz: IANA time zone of the site's day.
        labels: as :func:`pipeline.fdia.labels.read_labels` gives them; None judges false alarms alone.

    Raises:
        DetectorError: if there is nothing on one side of T, or too little before it.
    """
    grid, place = to_regular(series, channels)
    first = int(grid.stamps.searchsorted(pd.Timestamp(require_utc(train_until, "train_until"))))
    if first >= len(grid):
        raise DetectorError(f"train_until: no rows from {train_until.isoformat()} on; choose an earlier time")
    model = fit_detector(grid.part(0, first), site_tz)
    verdicts, test = judge_after(model, grid, first), grid.part(first)
    rows = place[place >= first] - first
    spans = [] if labels is None else spans_of(labels, test)
    judged = {OURS: Judged(verdicts.score[0], (verdicts.alarm[0], verdicts.alarm_week[0]))}
    judged |= reference_verdicts(grid, first, model, _attacked_channel(spans, grid))
    results = {name: score_detector(found, spans, model) for name, found in judged.items()}
    stamps = pd.DatetimeIndex(series.frame.index)[place >= first].tz_convert("UTC")
    return FdiaBacktest(
        scores_frame(model, verdicts, stamps, rows),
        substitutes_frame(model, verdicts, test, stamps, rows),
        results,
        model,
    )


def judge_after(model: DetectorModel, grid: RegularSeries, first: int) -> Verdicts:
    """Stream the rows from ``first`` on through the detector, the rows before being its history."""
    detector = Detector(model, grid.values_kw[None, :, max(0, first - model.layout.window) : first])
    return detector.judge(grid.stamps[first:], grid.values_kw[None, :, first:])


def reference_verdicts(
    grid: RegularSeries, first: int, model: DetectorModel, channel: int
) -> dict[str, Judged]:
    """The two plain detectors on one channel, with thresholds from the rows before ``first``."""
    values, layout = grid.values_kw[channel], model.layout
    block = layout.calendar(grid.stamps).block.astype(np.float64)
    scores = {
        FOREST: isolation_forest(values, first, layout),
        ZSCORE: residual_zscore(values, block, first, layout),
    }
    judged = {}
    for name, score in scores.items():
        limits = [threshold_at(score, first, rate, layout) for rate in (PER_DAY, PER_WEEK)]
        known = np.nan_to_num(score[first:], nan=-np.inf)
        judged[name] = Judged(score[first:], (known >= limits[0], known >= limits[1]))
    return judged


def score_detector(judged: Judged, spans: list[LabelledSpan], model: DetectorModel) -> DetectorResult:
    """False alarms and, by kind, what was found."""
    layout, rows = model.layout, len(judged.score)
    events = inside(spans, rows)
    kinds = {
        kind: score_kind(
            [(span.start, span.end) for span in spans if span.kind == kind],
            events,
            judged.score,
            judged.alarms,
            layout.cadence_s,
        )
        for kind in sorted({span.kind for span in spans})
    }
    rates = [
        false_alarms(alarm, events, layout.hour_rows, rate)
        for alarm, rate in zip(judged.alarms, (PER_DAY, PER_WEEK), strict=True)
    ]
    return DetectorResult(rates[0], rates[1], kinds)


def _attacked_channel(spans: list[LabelledSpan], grid: RegularSeries) -> int:
    named = [f"{span.channel}{_SUFFIX}" for span in spans]
    return grid.channels.index(named[0]) if named and named[0] in grid.channels else 0


def scores_frame(
    model: DetectorModel, verdicts: Verdicts, stamps: pd.DatetimeIndex, rows: Integers
) -> pd.DataFrame:
    """The lines of ``scores.csv``; channel and kind are blank where nothing is suspected."""
    suspected = (verdicts.score[0, rows] >= 1.0) | verdicts.alarm[0, rows] | verdicts.alarm_week[0, rows]
    channel = np.array([name.removesuffix(_SUFFIX) for name in model.channels])[
        verdicts.channel[0, rows].astype(np.int64)
    ]
    kind = np.array(Detector.kinds_of(model, verdicts.leading[0, rows]))
    return pd.DataFrame(
        {
            "ts_utc": stamps,
            "score": verdicts.score[0, rows],
            "alarm": verdicts.alarm[0, rows].astype(np.int64),
            "alarm_week": verdicts.alarm_week[0, rows].astype(np.int64),
            "channel": np.where(suspected, channel, ""),
            "kind": np.where(suspected, kind, ""),
        }
    )


def substitutes_frame(
    model: DetectorModel, verdicts: Verdicts, test: RegularSeries, stamps: pd.DatetimeIndex, rows: Integers
) -> pd.DataFrame:
    """Trust, since when, and what to use instead of a distrusted pulse (blank where it is trusted)."""
    age = verdicts.age[0, rows].astype(np.int64)
    since = test.stamps[np.maximum(rows - np.maximum(age - 1, 0), 0)].to_series(index=range(len(rows)))
    columns: dict[str, Any] = {
        "ts_utc": stamps,
        "trust": verdicts.trust[0, rows],
        "since": since.where(age > 0),
    }
    for at, name in enumerate(model.channels):
        doubted = verdicts.distrusted[0, at, rows]
        columns[f"substitute_{name}"] = np.where(doubted, verdicts.substitute_kw[0, at, rows], np.nan)
    return pd.DataFrame(columns)

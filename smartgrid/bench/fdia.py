"""``bench fdia``: attacks on recorded load, thresholds from the clean rows before, many seeds at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import poisson

from grid.csv_series import read_csv_series
from grid.series import BaseSeries
from pipeline.fdia.attacks import (
    DEFAULT_KINDS,
    SUB_SIGMA,
    AttackEvent,
    Signal,
    inject,
    parse_kinds,
    plan_events,
)
from pipeline.fdia.backtest import (
    OURS,
    DetectorResult,
    Judged,
    reference_verdicts,
    score_detector,
)
from pipeline.fdia.detector import Detector, DetectorModel
from pipeline.fdia.fitting import fit_detector
from pipeline.fdia.labels import LabelledSpan
from pipeline.fdia.layout import Floats
from pipeline.fdia.path_model import one_step_sigma_kw
from pipeline.fdia.regular import RegularSeries, to_regular
from pipeline.fdia.scoring import FalseAlarms, KindScore

ERCOT: Final = "ercot_generation_15min_2019_2021H1.csv.gz"
ERCOT_TZ: Final = "America/Chicago"
ERCOT_T: Final = pd.Timestamp("2020-11-15", tz="UTC")
LEFT_OUT: Final = "scale:0.07,bias:0.04,pulse:0.05,swing:0.05,delay"
SECOND_METER: Final = "ramp:0.05,scale:0.02"
SECOND_NOISE: Final = 0.01
REFERENCE_SEEDS: Final = 3


@dataclass(frozen=True)
class Setting:
    """One table of the benchmark."""

    name: str
    kinds: str
    second_meter: bool = False


SETTINGS: Final = (
    Setting("one meter", DEFAULT_KINDS),
    Setting("one meter, kinds and sizes left out of tuning", LEFT_OUT),
    Setting("a second meter with 1 % noise, one of the two attacked", SECOND_METER, second_meter=True),
)


def ercot_load(data: Path) -> RegularSeries:
    """The load of the ERCOT file alone: its other columns would give the answer away."""
    frame = read_csv_series(data / ERCOT).series.frame[["load_kw"]]
    return to_regular(BaseSeries(frame, 900.0), ("load_kw",))[0]


def with_second_meter(series: RegularSeries, seed: int) -> RegularSeries:
    """Beside the load, net load of a site without solar and wind, metered with noise of its own."""
    noise = np.random.default_rng([seed, 2]).standard_normal(len(series))
    second = series.values_kw[0] * (1.0 + SECOND_NOISE * noise)
    return replace(
        series,
        channels=("load_kw", "net_load_kw"),
        values_kw=np.stack([series.values_kw[0], second]),
    )


def bench_fdia(
    series: RegularSeries, start: pd.Timestamp, site_tz: str, setting: Setting, seeds: Sequence[int]
) -> dict[str, DetectorResult]:
    """Run one table.

    Args:
        series: one channel of load.
        start: T.
        site_tz: IANA time zone of the site's day.
        setting: which.
        seeds: of the attacks; each is a copy of the test span.

    Returns:
        By detector, pooled over seeds; ``clean rows`` are our false alarms without any attack.
    """
    first = int(series.stamps.searchsorted(start))
    clean = with_second_meter(series, 0) if setting.second_meter else series
    model = fit_detector(clean.part(0, first), site_tz)
    events, copies = _attacked(clean, first, model, setting, seeds)
    history = np.repeat(clean.values_kw[None, :, first - model.layout.window : first], len(copies), axis=0)
    verdicts = Detector(model, history).judge(clean.stamps[first:], copies[:, :, first:])
    ours = [
        score_detector(
            Judged(verdicts.score[at], (verdicts.alarm[at], verdicts.alarm_week[at])), spans, model
        )
        for at, spans in enumerate(events)
    ]
    pooled = {OURS: pool(ours[1:]), "clean rows": ours[0]}
    for name, results in _references(clean, first, model, events, copies).items():
        pooled[name] = pool(results)
    return pooled


def _attacked(
    clean: RegularSeries, first: int, model: DetectorModel, setting: Setting, seeds: Sequence[int]
) -> tuple[list[list[LabelledSpan]], Floats]:
    """The untouched copy, then one per seed; spans are rows from T."""
    kinds = parse_kinds(setting.kinds)
    spans: list[list[LabelledSpan]] = [[]]
    copies = [clean.values_kw]
    sigmas = [
        one_step_sigma_kw(values[:first], model.layout.calendar(clean.stamps[:first]), model.layout)
        for values in clean.values_kw
    ]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        channel = seed % len(clean.channels)
        values = clean.values_kw[channel]
        events = plan_events(first, len(clean), clean.cadence_s, kinds, rng)
        mean_abs = float(np.nanmean(np.abs(values[:first])))
        copy = clean.values_kw.copy()
        copy[channel] = inject(Signal(values, model.layout.day_rows, mean_abs, sigmas[channel]), events, rng)
        copies.append(copy)
        spans.append([_span(event, first, clean.channels[channel]) for event in events])
    return spans, np.stack(copies)


def _span(event: AttackEvent, first: int, channel: str) -> LabelledSpan:
    return LabelledSpan(event.start - first, event.end - first, channel.removesuffix("_kw"), str(event.kind))


def _references(
    clean: RegularSeries,
    first: int,
    model: DetectorModel,
    events: list[list[LabelledSpan]],
    copies: Floats,
) -> dict[str, list[DetectorResult]]:
    results: dict[str, list[DetectorResult]] = {}
    for at in range(1, min(REFERENCE_SEEDS, len(copies) - 1) + 1):
        channel = clean.channels.index(f"{events[at][0].channel}_kw")
        judged = reference_verdicts(replace(clean, values_kw=copies[at]), first, model, channel)
        for name, found in judged.items():
            results.setdefault(name, []).append(score_detector(found, events[at], model))
    return results


def pool(results: Sequence[DetectorResult]) -> DetectorResult:
    """Over seeds: recall by event, rates by day; the interval is that of one seed's span."""
    kinds = sorted({kind for result in results for kind in result.kinds})
    return DetectorResult(
        _pool_rates([result.day for result in results]),
        _pool_rates([result.week for result in results]),
        {
            kind: _pool_kind([result.kinds[kind] for result in results if kind in result.kinds])
            for kind in kinds
        },
    )


def _pool_rates(rates: Sequence[FalseAlarms]) -> FalseAlarms:
    """Mean over seeds; they share the clean rows, so the mean must itself lie in one span's interval."""
    count = round(float(np.mean([rate.count for rate in rates])))
    expected = float(np.mean([rate.expected for rate in rates]))
    low, high = poisson.interval(0.95, expected)
    return FalseAlarms(
        count, float(np.mean([rate.per_day for rate in rates])), expected, bool(low <= count <= high)
    )


def _pool_kind(scores: Sequence[KindScore]) -> KindScore:
    weights = np.array([score.events for score in scores], dtype=np.float64)

    def mean(name: str) -> float:
        values = np.array([getattr(score, name) for score in scores], dtype=np.float64)
        known = ~np.isnan(values)
        return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")

    names = ("recall_day", "recall_week", "chance_day", "chance_week", "auc", "delay_min")
    return KindScore(int(weights.sum()), *(mean(name) for name in names))


def detectable_week(result: DetectorResult) -> float:
    """Recall at one a week over all events but the sub-sigma ones."""
    kinds = [score for kind, score in result.kinds.items() if not kind.startswith(SUB_SIGMA)]
    weights = [score.events for score in kinds]
    return (
        float(np.average([score.recall_week for score in kinds], weights=weights)) if kinds else float("nan")
    )

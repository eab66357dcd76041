"""How good a walk-forward forecast was: overall, by local hour and by month, and on ramps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from pipeline.arrays import Floats, Mask, Micros
from pipeline.forecasting.memory import DAY_US
from pipeline.forecasting.observations import changes_ahead
from pipeline.forecasting.walk_forward import Prepared, WalkForward

DRIFT_DAYS: Final = 7
_TOP_SHARE: Final = 0.01
_OUTER: Final = (0.1, 0.9)


@dataclass(frozen=True)
class Scores:
    """Figures of a backtest.

    Attributes:
        overall: name → figure; powers in kW, the others are shares.
        by_hour, by_month: the same, fewer, for each local hour and calendar month.
    """

    overall: Mapping[str, float]
    by_hour: Sequence[Mapping[str, float | str]]
    by_month: Sequence[Mapping[str, float | str]]


@dataclass(frozen=True)
class _Judged:
    """Rows whose change is known."""

    change_kw: Floats
    median_kw: Floats
    bands_kw: Floats
    drift_kw: Floats

    def part(self, keep: Mask) -> "_Judged":
        return _Judged(self.change_kw[keep], self.median_kw[keep], self.bands_kw[keep], self.drift_kw[keep])


def drift_reference(prepared: Prepared, from_us: Micros) -> Floats:
    """The mean change at the same time of the last seven days in kW; NaN where none is known."""
    layout = prepared.layout
    past = np.array(
        [
            changes_ahead(
                prepared.seen,
                from_us - days * DAY_US,
                horizon_us=layout.horizon_us,
                cadence_us=layout.cadence_us,
            )
            for days in range(1, DRIFT_DAYS + 1)
        ]
    )
    count = np.sum(~np.isnan(past), axis=0)
    return np.asarray(
        np.divide(np.nansum(past, axis=0), count, out=np.full(len(count), np.nan), where=count > 0)
    )


def score(found: WalkForward) -> Scores:
    """Score a backtest.

    Returns:
        Overall: ``rows``, ``mae_kw``, ``rmse_kw``, ``pinball_kw``, ``coverage`` (P10–P90, where those
        are among the quantiles), ``mae_persistence_kw``, ``skill_persistence``, ``mae_drift_kw``,
        ``skill_drift`` (on the rows that have such a past), ``coverage_top_ramps`` (the 1 % largest
        |change|), ``ramp_kw``, ``ramps``, ``ramp_recall``, ``ramp_precision`` (|P50| beyond
        ``ramp_kw`` calls one; the sign must fit).
    """
    prepared = found.prepared
    issued_us = prepared.seen.ts_us[found.at]
    change_kw = prepared.change_kw[found.at]
    judged = _Judged(change_kw, found.median_kw, found.bands_kw, drift_reference(prepared, issued_us))
    known = ~np.isnan(change_kw)
    if not known.any():
        return Scores({"rows": 0.0}, (), ())
    judged = judged.part(known)
    overall = {**_errors(judged, found.quantiles), **_ramps(judged, found)}
    local = (
        pd.DatetimeIndex(issued_us[known].astype("datetime64[us]"))
        .tz_localize("UTC")
        .tz_convert(prepared.layout.site_tz)
    )
    return Scores(
        overall,
        _grouped(judged, "hour", local.strftime("%H").to_numpy(), found.quantiles),
        _grouped(judged, "month", local.strftime("%Y-%m").to_numpy(), found.quantiles),
    )


def ramp_calls(
    change_kw: Floats, median_kw: Floats, *, ramp_kw: float, called_kw: float
) -> tuple[float, float]:
    """Precision and recall of ramp calls.

    Args:
        change_kw: what came.
        median_kw: what was forecast.
        ramp_kw: a larger |change| is a ramp.
        called_kw: a larger |median| calls one; it hits where its sign fits.
    """
    ramps, called = np.abs(change_kw) > ramp_kw, np.abs(median_kw) > called_kw
    hits = float(np.sum(ramps & called & (np.sign(change_kw) == np.sign(median_kw))))
    return _ratio(hits, float(called.sum())), _ratio(hits, float(ramps.sum()))


def _errors(judged: _Judged, quantiles: Sequence[float]) -> dict[str, float]:
    off = np.abs(judged.change_kw - judged.median_kw)
    persistence = float(np.mean(np.abs(judged.change_kw)))
    with_past = ~np.isnan(judged.drift_kw)
    drift = _mean(np.abs(judged.change_kw - judged.drift_kw)[with_past])
    pinball = [
        _pinball(judged.change_kw - judged.bands_kw[:, place], quantile)
        for place, quantile in enumerate(quantiles)
    ]
    return {
        "rows": float(len(off)),
        "mae_kw": float(np.mean(off)),
        "rmse_kw": float(np.sqrt(np.mean(off**2))),
        "pinball_kw": float(np.mean(pinball)),
        "coverage": _mean(_inside(judged, quantiles)),
        "mae_persistence_kw": persistence,
        "skill_persistence": 1.0 - _ratio(float(np.mean(off)), persistence),
        "mae_drift_kw": drift,
        "skill_drift": 1.0 - _ratio(_mean(off[with_past]), drift),
    }


def _ramps(judged: _Judged, found: WalkForward) -> dict[str, float]:
    size = np.abs(judged.change_kw)
    top = size > np.quantile(size, 1.0 - _TOP_SHARE)
    precision, recall = ramp_calls(
        judged.change_kw, judged.median_kw, ramp_kw=found.ramp_kw, called_kw=found.ramp_kw
    )
    return {
        "mae_top_ramps_kw": _mean(np.abs(judged.change_kw - judged.median_kw)[top]),
        "coverage_top_ramps": _mean(_inside(judged, found.quantiles)[top]),
        "ramp_kw": found.ramp_kw,
        "ramps": float(np.sum(size > found.ramp_kw)),
        "ramp_recall": recall,
        "ramp_precision": precision,
    }


def _inside(judged: _Judged, quantiles: Sequence[float]) -> Floats:
    """1 where the change lies from P10 to P90, NaN where those were not asked for."""
    if not set(_OUTER) <= set(quantiles):
        return np.full(len(judged.change_kw), np.nan)
    low, high = (judged.bands_kw[:, quantiles.index(quantile)] for quantile in _OUTER)
    return ((judged.change_kw >= low) & (judged.change_kw <= high)).astype(np.float64)


def _grouped(
    judged: _Judged, name: str, labels: np.ndarray, quantiles: Sequence[float]
) -> list[dict[str, float | str]]:
    kept = ("rows", "mae_kw", "coverage", "skill_persistence", "skill_drift")
    found: list[dict[str, float | str]] = []
    for label in np.unique(labels):
        errors = _errors(judged.part(labels == label), quantiles)
        found.append({name: str(label), **{key: errors[key] for key in kept}})
    return found


def _pinball(off_kw: Floats, quantile: float) -> float:
    return float(np.mean(np.maximum(quantile * off_kw, (quantile - 1.0) * off_kw)))


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")

"""The forecaster: a linear stage, XGBoost trees on what it leaves, trees of their own, and a spread.

Two medians are mixed. That of calm times is the mean of the linear stage plus trees on its
out-of-fold error, and of trees that see the change itself. That of ramps is the linear stage plus
the mean of two sets of trees that learn a row the more, the larger its change was. The nearer the
change comes to a ramp, the more the second counts: trees fall short of what they have rarely seen.
The spread is the size of error to expect: bands are the median plus multiples of it, which
:mod:`pipeline.forecasting.bands` calibrates as time goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import xgboost
from numpy.typing import NDArray

from pipeline.arrays import Floats, Micros
from pipeline.errors import TrainingError
from pipeline.forecasting.linear import LinearStage, fit_linear
from pipeline.forecasting.memory import DAY_US
from pipeline.forecasting.rows import RowLayout

FEWEST_ROWS: Final = 200
LARGEST_ROWS: Final = 100_000
RAMP_PERCENT: Final = 99.0
_FOLDS: Final = 4
_LARGEST_ERROR: Final = 6.0
_SMALLEST_SPREAD: Final = 0.02
_SEED: Final = 7
_RAMPING_SEEDS: Final = (101, 102)
_NOT_LINEAR: Final = frozenset({"day_part", "weekday", "level_kw"})
_NOT_LINEAR_PREFIXES: Final = ("day_sin", "day_cos", "year_")
_SAMPLING: Final = {"subsample": 0.7, "colsample_bynode": 0.3, "tree_method": "hist"}
LINEAR_INPUT: Final = "linear stage"
AVERAGE: Final = "average"


@dataclass(frozen=True)
class TreeSettings:
    """How some trees are grown: XGBoost's parameters by its own names."""

    objective: str
    rounds: int
    max_depth: int
    learning_rate: float
    min_child_weight: int
    max_bin: int = 64


RESIDUAL_TREES: Final = TreeSettings("reg:absoluteerror", 150, 6, 0.08, 20)
DIRECT_TREES: Final = TreeSettings("reg:absoluteerror", 100, 6, 0.12, 10, 128)
SPREAD_TREES: Final = TreeSettings("reg:squarederror", 120, 4, 0.06, 100)


@dataclass(frozen=True)
class Forecaster:
    """A fitted forecaster of one horizon.

    Attributes:
        layout: what its rows are.
        scale_kw: standard deviation of the training change; the unit inside.
        ramp_kw: 99th percentile of the training |change|.
        rows: how many it learnt from.
        linear: the linear stage.
        residual, direct: trees of calm times, on what the line leaves and on the change itself.
        ramping: sets of trees on what the line leaves, large changes weighted.
        spread: trees of the error to expect.
    """

    layout: RowLayout
    scale_kw: float
    ramp_kw: float
    rows: int
    linear: LinearStage
    residual: xgboost.Booster
    direct: xgboost.Booster
    ramping: tuple[xgboost.Booster, ...]
    spread: xgboost.Booster

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Median and spread of the change in kW.

        Args:
            rows: as :func:`pipeline.forecasting.rows.forecast_rows` makes them for ``layout``.
        """
        if len(rows) == 0:
            return np.empty(0), np.empty(0)
        parts = self._parts(rows)
        median = parts.ramping * (1.0 - parts.calm_share) + parts.calm * parts.calm_share
        spread = np.maximum(_predict(self.spread, parts.inputs), _SMALLEST_SPREAD)
        return median * self.scale_kw, spread * self.scale_kw

    def explain(self, rows: Floats) -> Mapping[str, Floats]:
        """What each feature family adds to the median, in kW; they sum to it.

        ``average`` is what holds without any input; ``linear stage`` what the trees make of the
        line's own value.
        """
        parts = self._parts(rows)
        scaled = _scaled(rows, self.layout, self.scale_kw)
        of_column = list(self.layout.families.values())
        line = self.linear.contributions(scaled, _day_part(rows, self.layout))
        found: dict[str, Floats] = {family: np.zeros(len(rows)) for family in dict.fromkeys(of_column)}
        found |= {LINEAR_INPUT: np.zeros(len(rows)), AVERAGE: np.zeros(len(rows))}
        half_calm = parts.calm_share / 2
        ramping = (1.0 - parts.calm_share) / len(self.ramping)

        def give(values: Floats, families: list[str], weight: Floats) -> None:
            for family, column in zip(families, values.T, strict=True):
                found[family] = found[family] + column * weight * self.scale_kw

        give(line, [*(of_column[place] for place in self.linear.columns), AVERAGE], 1.0 - half_calm)
        for trees, weight in ((self.residual, half_calm), *((each, ramping) for each in self.ramping)):
            give(_shap(trees, parts.inputs), [*of_column, LINEAR_INPUT, AVERAGE], weight)
        give(_shap(self.direct, parts.inputs[:, :-1]), [*of_column, AVERAGE], half_calm)
        return MappingProxyType(found)

    def tree_inputs(self, rows: Floats) -> NDArray[np.float32]:
        """What the trees see of rows: their scaled columns, and the line's value as the last one."""
        scaled = _scaled(rows, self.layout, self.scale_kw)
        return _inputs(scaled, self.linear.predict(scaled, _day_part(rows, self.layout)))

    def _parts(self, rows: Floats) -> "_Parts":
        scaled = _scaled(rows, self.layout, self.scale_kw)
        line = self.linear.predict(scaled, _day_part(rows, self.layout))
        inputs = _inputs(scaled, line)
        ramping = line + np.mean([_predict(trees, inputs) for trees in self.ramping], axis=0)
        calm = (line + _predict(self.residual, inputs) + _predict(self.direct, inputs[:, :-1])) / 2
        near = np.abs(ramping) * (self.scale_kw / self.ramp_kw)
        return _Parts(inputs, ramping, calm, np.maximum(0.0, 1.0 - near))


@dataclass(frozen=True)
class _Parts:
    inputs: NDArray[np.float32]
    ramping: Floats
    calm: Floats
    calm_share: Floats


def fit_forecaster(rows: Floats, change_kw: Floats, ts_us: Micros, layout: RowLayout) -> Forecaster:
    """Fit a forecaster.

    Args:
        rows: inputs of ``layout``.
        change_kw: NL(t + horizon) − NL(t); rows without one are left out.
        ts_us: event times, ascending.
        layout: what the rows are for.

    Raises:
        TrainingError: if there are too few rows, or the net load never changes.
    """
    known = np.flatnonzero(~np.isnan(change_kw))
    if len(known) < FEWEST_ROWS:
        raise TrainingError(
            f"net_load_kw: {len(known)} rows have a value {layout.horizon_s / 60:g} minutes later, at least "
            f"{FEWEST_ROWS} are needed; give a longer series"
        )
    at = known[:: -(-len(known) // LARGEST_ROWS)]
    scale_kw = float(np.std(change_kw[at]))
    ramp_kw = float(np.percentile(np.abs(change_kw[at]), RAMP_PERCENT))
    if scale_kw <= 0.0 or ramp_kw <= 0.0:
        raise TrainingError("net_load_kw: it never changes over the horizon; give a series that does")
    scaled, target = _scaled(rows[at], layout, scale_kw), change_kw[at] / scale_kw
    day_part, fold = _day_part(rows[at], layout), (ts_us[at] // (7 * DAY_US)) % _FOLDS
    columns = np.array([place for place, name in enumerate(layout.names) if _is_linear(name)], dtype=np.intp)
    linear = fit_linear(scaled, target, day_part, columns)
    line = _out_of_fold(scaled, target, day_part, fold, columns)
    inputs = _inputs(scaled, line)
    error = np.minimum(np.abs(target - line), _LARGEST_ERROR)
    weight = 1.0 + np.abs(target)
    return Forecaster(
        layout=layout,
        scale_kw=scale_kw,
        ramp_kw=ramp_kw,
        rows=len(at),
        linear=linear,
        residual=_grow(inputs, target - line, RESIDUAL_TREES),
        direct=_grow(inputs[:, :-1], target, DIRECT_TREES),
        ramping=tuple(_grow(inputs, target - line, RESIDUAL_TREES, weight, seed) for seed in _RAMPING_SEEDS),
        spread=_grow(inputs, error, SPREAD_TREES),
    )


def _is_linear(name: str) -> bool:
    return name not in _NOT_LINEAR and not name.startswith(_NOT_LINEAR_PREFIXES)


def _out_of_fold(
    scaled: Floats, target: Floats, day_part: Floats, fold: Micros, columns: NDArray[np.intp]
) -> Floats:
    """The line as rows that it was not fitted to see it: every fourth week by the other three."""
    line = np.empty(len(target))
    folds = np.unique(fold)
    if len(folds) == 1:  # a short series: every fourth row by the rest
        fold = np.arange(len(target)) * 16 // len(target) % _FOLDS
        folds = np.unique(fold)
    for held in folds:
        out = fold == held
        stage = fit_linear(scaled[~out], target[~out], day_part[~out], columns, rounds=1)
        line[out] = stage.predict(scaled[out], day_part[out])
    return line


def _scaled(rows: Floats, layout: RowLayout, scale_kw: float) -> Floats:
    powers = np.array([name.endswith("_kw") for name in layout.names])
    return np.asarray(rows / np.where(powers, scale_kw, 1.0))


def _day_part(rows: Floats, layout: RowLayout) -> Floats:
    return rows[:, layout.names.index("day_part")]


def _inputs(scaled: Floats, line: Floats) -> NDArray[np.float32]:
    return np.column_stack([scaled, line]).astype(np.float32)


def _grow(
    inputs: NDArray[np.float32],
    target: Floats,
    settings: TreeSettings,
    weight: Floats | None = None,
    seed: int = _SEED,
) -> xgboost.Booster:
    data = xgboost.QuantileDMatrix(inputs, label=target, weight=weight, max_bin=settings.max_bin, nthread=1)
    parameters: dict[str, Any] = {
        **_SAMPLING,
        "seed": seed,
        "objective": settings.objective,
        "max_depth": settings.max_depth,
        "learning_rate": settings.learning_rate,
        "min_child_weight": settings.min_child_weight,
        "max_bin": settings.max_bin,
        "nthread": 1,
    }
    return xgboost.train(parameters, data, num_boost_round=settings.rounds)


def _predict(booster: xgboost.Booster, inputs: NDArray[np.float32]) -> Floats:
    return np.asarray(booster.inplace_predict(inputs, missing=np.nan), dtype=np.float64)


def _shap(booster: xgboost.Booster, inputs: NDArray[np.float32]) -> Floats:
    """Contributions of each input, the bias last."""
    return np.asarray(
        booster.predict(xgboost.DMatrix(inputs, nthread=1), pred_contribs=True), dtype=np.float64
    )

"""A picture of a forecast backtest: a week of it, its errors by hour, and how well the band holds."""

import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.forecasting.scores import Scores
from pipeline.forecasting.walk_forward import WalkForward
from smartgrid.report.pictures import BLUE, GREY, ORANGE, RED

SHOWN_DAYS: Final = 5
_HEADROOM: Final = 0.05


def forecast_picture(found: WalkForward, scores: Scores) -> bytes:
    """Draw a backtest.

    Returns:
        A PNG: the changes and their band around the largest ramp, then error and coverage by
        local hour.
    """
    figure = Figure(figsize=(11, 7), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 2))
    _course(figure.add_subplot(grid[0, :]), found)
    _bars(figure.add_subplot(grid[1, 0]), scores.by_hour, "mae_kw", "mean absolute error, MW", 1e-3)
    coverage = figure.add_subplot(grid[1, 1])
    _bars(coverage, scores.by_hour, "coverage", "share inside P10–P90", 1.0)
    coverage.axhline(0.8, color=RED, linewidth=0.8, linestyle="--")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _course(axes: Axes, found: WalkForward) -> None:
    prepared = found.prepared
    change_kw, ts_us = prepared.change_kw[found.at], prepared.seen.ts_us[found.at]
    known = np.flatnonzero(~np.isnan(change_kw))
    half_us = SHOWN_DAYS * 43_200_000_000
    middle = ts_us[known[np.argmax(np.abs(change_kw[known]))]] if len(known) else ts_us[0]
    shown = np.flatnonzero(np.abs(ts_us - middle) <= half_us)
    times = ts_us[shown].astype("datetime64[us]")
    outer = found.bands_kw[shown][:, [0, -1]] / 1e3
    axes.fill_between(times, outer[:, 0], outer[:, 1], color=BLUE, alpha=0.2, label="band")
    axes.plot(times, change_kw[shown] / 1e3, color=ORANGE, linewidth=0.9, label="change that came")
    axes.plot(times, found.median_kw[shown] / 1e3, color=BLUE, linewidth=0.9, label="P50")
    axes.axhline(0, color=GREY, linewidth=0.6)
    minutes = prepared.layout.horizon_s / 60
    day = pd.Timestamp(int(middle), unit="us").strftime("%Y-%m-%d")
    axes.set_title(
        f"Net-load change over {minutes:g} minutes, around the largest one ({day}, UTC)", fontsize=10
    )
    axes.set_ylabel("MW")
    axes.legend(loc="upper right", fontsize=8, frameon=False, ncols=3)
    _plain(axes)


def _bars(
    axes: Axes, groups: Sequence[Mapping[str, float | str]], figure: str, label: str, scale: float
) -> None:
    hours = [str(group["hour"]) for group in groups]
    axes.bar(hours, [float(group[figure]) * scale for group in groups], color=BLUE, alpha=0.7)
    axes.set_xlabel("local hour")
    axes.set_ylabel(label)
    axes.tick_params(axis="x", labelsize=7)
    axes.margins(y=_HEADROOM)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)

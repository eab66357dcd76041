"""Pictures of one day as inline SVG, drawn without a display."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, HourLocator
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.instability import InstabilityEvent
from smartgrid.day.result import DayResult, FloatArray

BLUE, ORANGE, GREEN, RED, GREY = "#2563eb", "#ea580c", "#15803d", "#b91c1c", "#6b7280"


def day_pictures(result: DayResult) -> dict[str, str]:
    """Draw the five pictures of a day.

    Returns:
        title → SVG element, in the order of the report.
    """
    return {
        "Net load against the forecast made 30 minutes before": _net_load(result),
        "Dispatch (positive injects into the grid)": _dispatch(result),
        "Battery state of charge": _soc(result),
        "Prices and trades": _prices(result),
        "Instability events and what answered them": _events(result),
    }


def _axes(result: DayResult, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(HourLocator(byhour=range(0, 24, 3), tz=ZoneInfo(result.tz)))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=ZoneInfo(result.tz)))  # type: ignore[no-untyped-call]
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> str:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=8, frameon=False, ncols=4)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _steps(axes: Axes, times: tuple[datetime, ...], values: FloatArray, color: str, label: str) -> None:
    axes.step(_dates(times), values, where="post", color=color, label=label, linewidth=1.2)


def _dates(times: Sequence[datetime]) -> NDArray[np.datetime64]:
    """Aware moments as the UTC instants that matplotlib draws."""
    return np.array([moment.astimezone(UTC).replace(tzinfo=None) for moment in times], dtype="datetime64[us]")


def _net_load(result: DayResult) -> str:
    series = result.series
    figure, axes = _axes(result, "MW")
    times = _dates(series.times)
    axes.fill_between(
        times, series.p10_kw / 1e3, series.p90_kw / 1e3, color=BLUE, alpha=0.2, label="P10 to P90"
    )
    axes.plot(times, series.p50_kw / 1e3, color=BLUE, linewidth=0.8, label="P50")
    axes.plot(times, series.native_kw / 1e3, color=GREY, linewidth=1.2, label="native net load")
    axes.plot(times, series.metered_kw / 1e3, color=ORANGE, linewidth=1.2, label="metered net load")
    return _svg(figure, axes)


def _dispatch(result: DayResult) -> str:
    figure, axes = _axes(result, "MW")
    _steps(axes, result.series.times, result.series.battery_kw / 1e3, GREEN, "battery")
    _steps(axes, result.series.times, result.series.peaker_kw / 1e3, RED, "gas peaker")
    axes.axhline(0, color=GREY, linewidth=0.6)
    return _svg(figure, axes)


def _soc(result: DayResult) -> str:
    figure, axes = _axes(result, "% of capacity")
    soc_pct = 100 * result.series.soc_kwh / result.battery_energy_kwh
    _steps(axes, result.series.times, soc_pct, GREEN, "state of charge")
    axes.set_ylim(-2, 102)
    return _svg(figure, axes)


def _prices(result: DayResult) -> str:
    series = result.series
    figure, axes = _axes(result, f"{result.currency}/MWh")
    _steps(axes, series.times, series.price_usd_per_mwh, BLUE, "real time")
    _steps(axes, series.times, series.da_price_usd_per_mwh, GREY, "day ahead")
    for mask, color, marker, label in (
        (series.battery_kw > 1e-6, GREEN, "^", "discharging"),
        (series.battery_kw < -1e-6, ORANGE, "v", "charging"),
    ):
        where = np.flatnonzero(mask)
        axes.plot(
            _dates(series.times)[where],
            series.price_usd_per_mwh[where],
            marker,
            color=color,
            markersize=3,
            label=label,
        )
    return _svg(figure, axes)


def _events(result: DayResult) -> str:
    figure, axes = _axes(result, "30-min change, MW")
    series = result.series
    lag = round(1800 / result.interval_s)
    change = np.full(len(series.times), np.nan)
    before = change.copy()
    change[lag:] = series.metered_kw[lag:] - series.metered_kw[:-lag]
    before[lag:] = series.native_kw[lag:] - series.native_kw[:-lag]
    _steps(axes, series.times, before / 1e3, GREY, "without us")
    _steps(axes, series.times, change / 1e3, ORANGE, "metered")
    for sign in (-1, 1):
        axes.axhline(sign * result.ramp_limit_kw / 1e3, color=RED, linewidth=0.8, linestyle="--")
    for event in result.events:
        _shade(axes, event, result)
    return _svg(figure, axes)


def _shade(axes: Axes, event: InstabilityEvent, result: DayResult) -> None:
    begin, end = _dates([event.started_at, event.ended_at or result.series.times[-1]])
    answered = any(dispatch.event_id == event.event_id for dispatch in result.dispatches)
    axes.axvspan(begin, end, color=GREEN if answered else RED, alpha=0.12)

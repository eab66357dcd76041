"""The chart of the last hour and the half hour to come: net load against the forecast's band."""

from typing import Any

from operator_console.series_view import ChartSeen, Point

_TEXT = "#7d8a99"
_RULE = "rgba(125, 138, 153, 0.22)"
_METERED, _NATIVE, _BAND = "#1f8fe0", "#e08a2e", "#8b6fd6"
_PAST_MS, _AHEAD_MS = 3_600_000, 1_800_000

Options = dict[str, Any]


def chart_options(seen: ChartSeen, *, live: bool) -> Options:
    """ECharts' options; its time axis shows the browser's zone, and goes on evenly across its changes.

    Args:
        seen: lines in ms since 1970 and kW.
        live: what is not live is drawn grey.
    """
    native, metered, band = (_NATIVE, _METERED, _BAND) if live else (_TEXT, _TEXT, _TEXT)
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": _description(seen)}},
        "grid": {"left": 12, "right": 16, "top": 50, "bottom": 8, "containLabel": True},
        "legend": {
            "top": 2, "left": 0, "icon": "roundRect", "itemWidth": 16, "itemHeight": 5,
            "textStyle": {"color": _TEXT},
            "data": ["metered", "without our assets", "forecast P50", "forecast P10–P90"],
        },
        "tooltip": {
            "trigger": "axis", "axisPointer": {"type": "line"}, "confine": True,
            ":valueFormatter": "(v) => v == null ? '–' : Math.round(v).toLocaleString('en-GB') + ' kW'",
        },
        "xAxis": {
            "type": "time", "min": seen.now_ms - _PAST_MS, "max": seen.now_ms + _AHEAD_MS,
            "axisLabel": {"color": _TEXT, "hideOverlap": True, "formatter": "{HH}:{mm}"},
            "axisLine": {"lineStyle": {"color": _RULE}}, "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value", "scale": True,
            "axisLabel": {"color": _TEXT, ":formatter": "(v) => v.toLocaleString('en-GB')"},
            "splitLine": {"lineStyle": {"color": _RULE}},
        },
        "series": [
            _line("P10", seen.p10, "transparent", stack="band", width=0),
            _line(
                "forecast P10–P90", _widths(seen), "transparent", stack="band", width=0,
                areaStyle={"color": band, "opacity": 0.25}, itemStyle={"color": band},
            ),
            _line("forecast P50", seen.p50, band, width=1.5, dashed=True),
            _line("without our assets", seen.native, native, width=1.5),
            _line(
                "metered", seen.metered, metered, width=2.5,
                markLine={
                    "silent": True, "symbol": "none", "data": [{"xAxis": seen.now_ms}],
                    "lineStyle": {"color": _TEXT, "type": "solid", "opacity": 0.6},
                    "label": {"formatter": "now", "color": _TEXT, "position": "insideEndTop", "rotate": 0},
                },
            ),
        ],
    }  # fmt: skip


def _line(
    name: str,
    points: tuple[Point, ...],
    colour: str,
    *,
    width: float,
    stack: str = "",
    dashed: bool = False,
    **more: object,
) -> Options:
    style = {"color": colour, "width": width, "type": "dashed" if dashed else "solid"}
    rounded = [[at_ms, None if kw is None else round(kw, 1)] for at_ms, kw in points]
    stacked = {"stack": stack, "stackStrategy": "all"} if stack else {}
    return {
        "name": name, "type": "line", "showSymbol": False, "data": rounded,
        "lineStyle": style, "itemStyle": {"color": colour}, "connectNulls": False, **stacked, **more,
    }  # fmt: skip


def _widths(seen: ChartSeen) -> tuple[Point, ...]:
    """The band as what is stacked on P10."""
    return tuple(
        (at_ms, None if low is None or high is None else high - low)
        for (at_ms, low), (_, high) in zip(seen.p10, seen.p90, strict=True)
    )


def _description(seen: ChartSeen) -> str:
    known = [value for _, value in seen.metered if value is not None]
    if not known:
        return "No net load was measured in the last hour."
    low, high, last = min(known), max(known), known[-1]
    return f"Net load of the last hour, between {low:,.0f} and {high:,.0f} kW, now {last:,.0f} kW."

"""Forecast quality: stored forecasts against what came, as the drift monitor judges them.

One forecast a quarter of an hour counts, the first, and its target is the first observation of the
quarter half an hour later. Skill is 1 − mean error / that of a reference: *persistence* expects no
change, the *usual change* is the mean one at the same time of the seven days before.
"""

from typing import Final

from pipeline.influx_points import FORECASTS, TELEMETRY
from smartgrid.dashboards.flux import HORIZON, LEVELS, of_horizon, points, windows
from smartgrid.dashboards.model import Dashboard, Panel, Row, Series

QUARTER: Final = "15m"
_PAST_DAYS: Final = range(1, 8)
_WIDE: Final = """
    |> keep(columns: ["_time", "_field", "_value"])
    |> group()
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")"""
_FIRST: Final = windows(QUARTER, "first")
_FORECASTS: Final = points(
    FORECASTS,
    *LEVELS,
    start=f"date.sub(from: begin, d: {HORIZON})",
    stop=f"date.sub(from: v.timeRangeStop, d: {HORIZON})",
)

_JUDGED: Final = f"""import "date"
import "math"

begin = date.truncate(t: v.timeRangeStart, unit: {QUARTER})

made = {_FORECASTS}
    |> filter(fn: (r) => {of_horizon()}){_FIRST}
    |> timeShift(duration: {HORIZON})

came = {points(TELEMETRY, "net_load_kw", start="begin")}{_FIRST}
    |> set(key: "_field", value: "came_kw")

judged = union(tables: [made, came]){_WIDE}
    |> filter(fn: (r) => exists r.p50_kw and exists r.came_kw)
    |> map(fn: (r) => ({{
        _time: r._time,
        came_kw: r.came_kw,
        p10_kw: r.net_load_kw + r.p10_kw,
        p50_kw: r.net_load_kw + r.p50_kw,
        p90_kw: r.net_load_kw + r.p90_kw,
        change_kw: r.came_kw - r.net_load_kw,
        error_kw: math.abs(x: r.came_kw - r.net_load_kw - r.p50_kw),
    }}))
"""
_SHIFTED: Final = ",\n    ".join(f"changes |> timeShift(duration: {day}d)" for day in _PAST_DAYS)
_USUAL: Final = f"""
later = {points(TELEMETRY, "net_load_kw", start="date.sub(from: begin, d: 8d)")}{_FIRST}
    |> set(key: "_field", value: "later_kw")

earlier = later
    |> set(key: "_field", value: "earlier_kw")
    |> timeShift(duration: {HORIZON})

changes = union(tables: [later, earlier]){_WIDE}
    |> filter(fn: (r) => exists r.later_kw and exists r.earlier_kw)
    |> map(fn: (r) => ({{_time: r._time, _field: "usual_kw", _value: r.later_kw - r.earlier_kw}}))

usual = union(tables: [
    {_SHIFTED},
])
    |> group(columns: ["_time", "_field"])
    |> mean()

errors = judged
    |> map(fn: (r) => ({{_time: r._time, _field: "error_kw", _value: r.error_kw}}))

actual = judged
    |> map(fn: (r) => ({{_time: r._time, _field: "change_kw", _value: r.change_kw}}))

compared = union(tables: [errors, actual, usual]){_WIDE}
    |> filter(fn: (r) => exists r.error_kw and exists r.usual_kw)
    |> map(fn: (r) => ({{
        _time: r._time,
        error_kw: r.error_kw,
        reference_kw: math.abs(x: r.change_kw - r.usual_kw),
    }}))
"""
_STILL: Final = """
compared = judged
    |> map(fn: (r) => ({
        _time: r._time,
        error_kw: r.error_kw,
        reference_kw: math.abs(x: r.change_kw),
    }))
"""
_SUMS: Final = """
    |> reduce(
        identity: {error_kw: 0.0, reference_kw: 0.0},
        fn: (r, accumulator) => ({
            error_kw: accumulator.error_kw + r.error_kw,
            reference_kw: accumulator.reference_kw + r.reference_kw,
        }),
    )
    |> filter(fn: (r) => r.reference_kw > 0.0)"""
_SKILL: Final = f"compared{_SUMS}\n    |> map(fn: (r) => ({{skill: 1.0 - r.error_kw / r.reference_kw}}))\n"
_INSIDE: Final = "if r.came_kw >= r.p10_kw and r.came_kw <= r.p90_kw then 1.0 else 0.0"
_COVERED: Final = f"judged\n    |> map(fn: (r) => ({{_time: r._time, coverage: {_INSIDE}}}))"


def _by_window(every: str) -> str:
    """Skill of each window that has any forecasts, stamped with its end: what was known then."""
    return f"""compared
    |> sort(columns: ["_time"])
    |> window(every: {every}){_SUMS}
    |> map(fn: (r) => ({{_time: r._stop, _field: "skill", _value: 1.0 - r.error_kw / r.reference_kw}}))
    |> group()
"""


_SKILLED = ((None, "red"), (0.0, "yellow"), (0.05, "green"))
"""Below 0 the model is worse than the reference; the drift monitor calls it sound again from 0.05."""
_COVERING = ((None, "red"), (0.65, "yellow"), (0.72, "green"))
"""The drift monitor's thresholds; 0.8 is promised."""
_EVERY = "6h"


def _skill(title: str, reference: str, compared: str) -> tuple[Panel, Panel]:
    """The skill against a reference: of the whole range, and as it went."""
    description = f"1 − mean error of P50 / mean error of {reference}. Below 0 the reference is better."
    whole = Panel(
        f"Skill against {title}",
        description,
        (_JUDGED + compared + "\n" + _SKILL,),
        kind="stat",
        unit="none",
        thresholds=_SKILLED,
    )
    course = Panel(
        f"Skill against {title}, by six hours",
        description,
        (_JUDGED + compared + "\n" + _by_window(_EVERY),),
        unit="none",
    )
    return whole, course


_PERSISTENCE = _skill("persistence", "expecting no change", _STILL)
_USUAL_CHANGE = _skill(
    "the usual change",
    "the mean change at the same time of the seven days before, as the drift monitor",
    _USUAL,
)

FORECAST_QUALITY: Final = Dashboard(
    uid="smartgrid-forecast-quality",
    title="SmartGrid: forecast quality",
    description="Stored forecasts joined with what came: skill, coverage, drift.",
    since="now-2d",
    refresh="5m",
    rows=(
        Row(
            4,
            (
                _PERSISTENCE[0],
                _USUAL_CHANGE[0],
                Panel(
                    "Coverage of the band",
                    "Share of the values that came between P10 and P90 as the model gave them; 0.8 is "
                    "promised. Below 0.65 for long the drift monitor widens the band.",
                    (f'{_JUDGED}\n{_COVERED}\n    |> mean(column: "coverage")\n',),
                    kind="stat",
                    unit="percentunit",
                    thresholds=_COVERING,
                ),
                Panel(
                    "Forecasts judged",
                    "One a quarter of an hour. A verdict needs about a hundred; fewer are anecdotes.",
                    (f'{_JUDGED}\njudged\n    |> count(column: "error_kw")\n',),
                    kind="stat",
                    unit="none",
                    thresholds=((None, "yellow"), (96.0, "green")),
                ),
            ),
        ),
        Row(
            10,
            (
                Panel(
                    "What came, and what was expected half an hour before",
                    "One value a quarter of an hour, as it is judged.",
                    (f'{_JUDGED}\njudged\n    |> drop(columns: ["change_kw", "error_kw"])\n',),
                    unit="kwatt",
                    series={
                        "came_kw": Series("came"),
                        "p10_kw": Series("P10"),
                        "p50_kw": Series("P50", dashed=True),
                        "p90_kw": Series("P90", fill_to="P10"),
                    },
                ),
            ),
        ),
        Row(8, (_PERSISTENCE[1], _USUAL_CHANGE[1])),
        Row(
            8,
            (
                Panel(
                    "Error of P50 and of persistence",
                    "Size of the error of each judged forecast.",
                    (
                        f"{_JUDGED}\njudged\n    |> map(fn: (r) => ({{_time: r._time, error_kw: r.error_kw, "
                        "still_kw: math.abs(x: r.change_kw)}))\n",
                    ),
                    unit="kwatt",
                    series={"error_kw": Series("P50"), "still_kw": Series("persistence", dashed=True)},
                ),
                Panel(
                    "Coverage, by six hours",
                    "Share of the values inside P10 to P90; 0.8 is promised.",
                    (
                        f'{_JUDGED}\n{_COVERED}\n    |> sort(columns: ["_time"])\n    |> aggregateWindow('
                        f'every: {_EVERY}, fn: mean, column: "coverage", createEmpty: false)\n',
                    ),
                    unit="percentunit",
                ),
            ),
        ),
    ),
)

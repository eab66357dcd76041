"""Operations: what the area does now, what is expected, and what the assets do about it."""

from typing import Final

from pipeline.influx_points import EVENTS, FORECASTS, QUOTES, TELEMETRY
from smartgrid.dashboards.flux import (
    AS_ROWS,
    HORIZON,
    LEVELS,
    net_load,
    of_asset,
    of_horizon,
    points,
    prices,
    shown,
    traded,
)
from smartgrid.dashboards.model import Dashboard, Panel, Row, Series

_EVENTS_SINCE: Final = "date.sub(from: v.timeRangeStart, d: 7d)"

# A forecast is of the change; with the net load at its issue it is a level, at its target.
_BAND: Final = f"""import "date"

{points(FORECASTS, *LEVELS, start=f"date.sub(from: v.timeRangeStart, d: {HORIZON})")}
    |> filter(fn: (r) => {of_horizon()}){shown("last")}
    |> timeShift(duration: {HORIZON}){AS_ROWS}
    |> map(fn: (r) => ({{
        _time: r._time,
        p10_kw: r.net_load_kw + r.p10_kw,
        p50_kw: r.net_load_kw + r.p50_kw,
        p90_kw: r.net_load_kw + r.p90_kw,
    }}))
"""
_AGE: Final = f"""{points(TELEMETRY, "present")}
    |> last()
    |> map(fn: (r) => ({{age_s: float(v: int(v: v.timeRangeStop) - int(v: r._time)) / 1000000000.0}}))
"""
_EVENTS: Final = f"""import "date"

{points(EVENTS, "kind", "severity", "ended_at_us", "cause_kw", start=_EVENTS_SINCE)}{AS_ROWS}
    |> map(fn: (r) => ({{
        started: r._time,
        ended: if exists r.ended_at_us then string(v: time(v: r.ended_at_us * 1000)) else "lasts",
        kind: r.kind,
        severity: r.severity,
        cause_kw: r.cause_kw,
    }}))
    |> sort(columns: ["started"], desc: true)
"""
_TAKEN: Final = f"""{traded("energy_kwh", "v.windowPeriod")}
    |> filter(fn: (r) => r.asset == "battery")
    |> cumulativeSum()
"""

OPERATIONS: Final = Dashboard(
    uid="smartgrid-operations",
    title="SmartGrid: operations",
    description="Net load and its forecast, prices, what the assets do, instability events.",
    rows=(
        Row(
            4,
            (
                Panel(
                    "Net load",
                    "The newest value in the range; see its age beside it.",
                    (points(TELEMETRY, "net_load_kw") + "\n    |> last()",),
                    kind="stat",
                    unit="kwatt",
                    series={"net_load_kw": Series("net load")},
                ),
                Panel(
                    "Age of the newest pulse",
                    "At the right edge of the range. Old data are no view of now.",
                    (_AGE,),
                    kind="stat",
                    unit="s",
                    thresholds=((None, "green"), (60.0, "yellow"), (300.0, "red")),
                ),
                Panel(
                    "Real-time price",
                    "Of the newest quoted interval in the range, in the site's currency per MWh.",
                    (points(QUOTES, "price_usd_per_mwh") + "\n    |> last()",),
                    kind="stat",
                    series={"price_usd_per_mwh": Series("per MWh")},
                ),
            ),
        ),
        Row(
            10,
            (
                Panel(
                    "Net load against the forecast made 30 minutes before",
                    "The band is P10 to P90 as the model gave it: eight of ten values should lie inside. It "
                    "goes on for half an hour beyond the present where the range does.",
                    (net_load(), _BAND),
                    unit="kwatt",
                    series={
                        "net_load_kw": Series("net load"),
                        "p10_kw": Series("P10"),
                        "p50_kw": Series("P50", dashed=True),
                        "p90_kw": Series("P90", fill_to="P10"),
                    },
                ),
            ),
        ),
        Row(
            8,
            (
                Panel(
                    "Price",
                    "Per MWh in the site's currency: of each market interval in real time, and as the "
                    "day-ahead market cleared.",
                    (prices(),),
                    series={
                        "price_usd_per_mwh": Series("real time"),
                        "da_price_usd_per_mwh": Series("day ahead", dashed=True),
                    },
                    steps=True,
                ),
                Panel(
                    "Energy from the battery since the left edge",
                    "Counted at its meter; positive was given to the grid. The state of charge itself is on "
                    "the console and in get_grid_status: the series hold none.",
                    (_TAKEN,),
                    unit="kwatth",
                    series={"energy_kwh": Series("energy")},
                ),
            ),
        ),
        Row(
            8,
            (
                Panel(
                    "Battery",
                    "Mean power of each span and what was asked; positive injects into the grid. Ramps and "
                    "limits make the difference.",
                    (of_asset("battery", "power_kw", "setpoint_kw"),),
                    unit="kwatt",
                    series={"power_kw": Series("power"), "setpoint_kw": Series("setpoint", dashed=True)},
                    steps=True,
                ),
                Panel(
                    "Peaker",
                    "Mean power of each span and what was asked.",
                    (of_asset("peaker", "power_kw", "setpoint_kw"),),
                    unit="kwatt",
                    series={"power_kw": Series("power"), "setpoint_kw": Series("setpoint", dashed=True)},
                    steps=True,
                ),
            ),
        ),
        Row(
            8,
            (
                Panel(
                    "Instability events",
                    "That began in the range or in the week before it. The cause is the largest change so "
                    "far; none where only the frequency speaks.",
                    (_EVENTS,),
                    kind="table",
                    series={"cause_kw": Series("cause", unit="kwatt")},
                ),
            ),
        ),
    ),
)

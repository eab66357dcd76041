"""Stream health, as far as the series tell it: ages, rates, gaps and what is missing, of all sites.

The stream's own counters (lag, dead letters) are at its ``/metrics``.
"""

from typing import Final

from pipeline.influx_points import EVENTS, FORECASTS, TELEMETRY
from smartgrid.dashboards.flux import AS_ROWS, points, windows
from smartgrid.dashboards.model import Dashboard, Panel, Row, Series

MOST_SITES: Final = 50
"""That a table lists, the oldest first."""
_NANOSECONDS: Final = "1000000000.0"
_TOTAL: Final = '\n    |> group(columns: ["_time"])\n    |> sum()\n    |> group()'


def _rate(measurement: str, field: str, name: str) -> str:
    """Points a second of all sites, by minute."""
    return f"""{points(measurement, field, site=None)}{windows("1m", "count")}{_TOTAL}
    |> map(fn: (r) => ({{_time: r._time, {name}: float(v: r._value) / 60.0}}))
"""


def _ages(measurement: str, field: str) -> str:
    """Seconds since each site's newest point, at the right edge of the range."""
    return f"""{points(measurement, field, site=None)}
    |> last()
    |> group()
    |> map(fn: (r) => ({{
        site: r.site,
        newest: r._time,
        age_s: float(v: int(v: v.timeRangeStop) - int(v: r._time)) / {_NANOSECONDS},
    }}))
    |> sort(columns: ["age_s"], desc: true)
    |> limit(n: {MOST_SITES})
"""


_SITES: Final = f"""{points(TELEMETRY, "present", site=None)}
    |> last()
    |> group()
    |> count()
    |> rename(columns: {{_value: "sites"}})
"""
_OPEN: Final = f"""{points(EVENTS, "kind", "ended_at_us", site=None)}{AS_ROWS}
    |> map(fn: (r) => ({{lasting: if exists r.ended_at_us then 0 else 1}}))
    |> sum(column: "lasting")
"""
_COUNTS: Final = points(TELEMETRY, "present", "net_load_kw", site=None) + windows("5m", "count")
_MISSING: Final = f"""pulses = {_COUNTS}
    |> group(columns: ["_time", "_field"])
    |> sum()
    |> group()
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")

pulses
    |> map(fn: (r) => ({{
        _time: r._time,
        missing: 1.0 - (if exists r.net_load_kw then float(v: r.net_load_kw) else 0.0) / float(v: r.present),
    }}))
"""
_GAPS: Final = f"""{points(TELEMETRY, "present")}
    |> elapsed(unit: 1ms)
    |> map(fn: (r) => ({{r with gap_s: float(v: r.elapsed) / 1000.0}}))
    |> aggregateWindow(every: v.windowPeriod, fn: max, column: "gap_s", createEmpty: false)
    |> keep(columns: ["_time", "gap_s"])
"""
_OLD = ((None, "green"), (60.0, "yellow"), (300.0, "red"))

STREAM_HEALTH: Final = Dashboard(
    uid="smartgrid-stream-health",
    title="SmartGrid: stream health",
    description="Ages, rates, gaps and missing values of the stored series. Lag and dead letters: /metrics.",
    since="now-1h",
    refresh="10s",
    rows=(
        Row(
            4,
            (
                Panel("Sites heard", "With a pulse in the range.", (_SITES,), kind="stat", unit="none"),
                Panel(
                    "Events that last",
                    "Instability events of all sites that began in the range and have not ended.",
                    (_OPEN,),
                    kind="stat",
                    unit="none",
                    thresholds=((None, "green"), (1.0, "yellow")),
                ),
            ),
        ),
        Row(
            8,
            (
                Panel(
                    "Pulses stored",
                    "Of all sites, by event time. Late ones raise minutes that are past.",
                    (_rate(TELEMETRY, "present", "pulses"),),
                    unit="cps",
                ),
                Panel(
                    "Forecasts stored",
                    "Of all sites. A healthy stream makes one for each pulse.",
                    (_rate(FORECASTS, "p50_kw", "forecasts"),),
                    unit="cps",
                ),
            ),
        ),
        Row(
            8,
            (
                Panel(
                    "Share of pulses without net load",
                    "Of all sites, by five minutes. What is missing stays missing: nothing is made up.",
                    (_MISSING,),
                    unit="percentunit",
                ),
                Panel(
                    "Longest gap between pulses",
                    "Of the chosen site; it should be about its cadence.",
                    (_GAPS,),
                    unit="s",
                    series={"gap_s": Series("gap")},
                ),
            ),
        ),
        Row(
            9,
            (
                Panel(
                    "Age of each site's newest pulse",
                    f"At the right edge of the range; the {MOST_SITES} oldest.",
                    (_ages(TELEMETRY, "present"),),
                    kind="table",
                    unit="s",
                    thresholds=_OLD,
                ),
                Panel(
                    "Age of each site's newest forecast",
                    f"At the right edge of the range; the {MOST_SITES} oldest. Much older than the pulse: "
                    "the stream makes none.",
                    (_ages(FORECASTS, "p50_kw"),),
                    kind="table",
                    unit="s",
                    thresholds=_OLD,
                ),
            ),
        ),
    ),
)

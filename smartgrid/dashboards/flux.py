"""What the panels' queries have in common.

Each gives ``stop`` and ``createEmpty: false``: an open end is filled with empty windows to the present.
"""

from typing import Final

from pipeline.influx_points import DISPATCHES, QUOTES, TELEMETRY, TRADES
from smartgrid.dashboards.model import SITE

HORIZON: Final = "30m"
HORIZON_US: Final = 1_800_000_000
"""The same, as the forecasts' tag has it."""
LEVELS: Final = ("net_load_kw", "p10_kw", "p50_kw", "p90_kw")
"""Of a forecast: the net load at its issue, and quantiles of the change from there."""
PLAIN: Final = '\n    |> keep(columns: ["_time", "_field", "_value"])'
"""Nothing but the value under its field's name."""
BY_ASSET: Final = '\n    |> keep(columns: ["_time", "_field", "_value", "asset"])'
AS_ROWS: Final = """
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> group()"""
"""Fields side by side; texts and numbers can share a table only so."""


def of_horizon() -> str:
    """The condition that a forecast looks as far ahead as the panels do."""
    return f'r.horizon_us == "{HORIZON_US}"'


def any_of(column: str, *names: str) -> str:
    """The condition that a column has one of these values."""
    return " or ".join(f'r.{column} == "{name}"' for name in names)


def points(
    measurement: str,
    *fields: str,
    start: str = "v.timeRangeStart",
    stop: str = "v.timeRangeStop",
    site: str | None = SITE,
) -> str:
    """The points of some fields, of the chosen site or of all."""
    of_site = "" if site is None else f" and r.site == {site}"
    return f"""from(bucket: v.defaultBucket)
    |> range(start: {start}, stop: {stop})
    |> filter(fn: (r) => r._measurement == "{measurement}"{of_site})
    |> filter(fn: (r) => {any_of("_field", *fields)})"""


def windows(every: str, fn: str) -> str:
    """One value for each window that has any, stamped with its start as telemetry is."""
    return f'\n    |> aggregateWindow(every: {every}, fn: {fn}, createEmpty: false, timeSrc: "_start")'


def shown(fn: str) -> str:
    """As many windows as the screen has room for."""
    return windows("v.windowPeriod", fn)


def net_load() -> str:
    """What the meter measured."""
    return points(TELEMETRY, "net_load_kw") + shown("mean") + PLAIN


def prices() -> str:
    """Real-time and day-ahead, as they were quoted."""
    return points(QUOTES, "price_usd_per_mwh", "da_price_usd_per_mwh") + shown("last") + PLAIN


def of_asset(asset: str, *fields: str) -> str:
    """What one asset did."""
    only = f'\n    |> filter(fn: (r) => r.asset == "{asset}")'
    return points(DISPATCHES, *fields) + only + shown("mean") + PLAIN


def traded(field: str, every: str) -> str:
    """Sums of energy or value of each asset."""
    return points(TRADES, field) + windows(every, "sum") + BY_ASSET

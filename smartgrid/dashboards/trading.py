"""Trading: what was sold and bought, on whose behalf, and what it was worth."""

from typing import Final

from pipeline.influx_points import DISPATCHES, TRADES
from smartgrid.dashboards.flux import AS_ROWS, of_asset, points, prices, traded
from smartgrid.dashboards.model import Dashboard, Panel, Row, Series

_NOTE: Final = "In the site's currency, settled at real-time prices; wear, fuel and starts are not in it."
_LONGEST_TABLE: Final = 200
_TOTAL: Final = f"""{points(TRADES, "value_usd")}
    |> group()
    |> sum()
    |> rename(columns: {{_value: "value"}})
"""
_THROUGHPUT: Final = f"""{points(TRADES, "energy_kwh")}
    |> group()
    |> map(fn: (r) => ({{r with direction: if r._value >= 0.0 then "sold" else "bought"}}))
    |> group(columns: ["direction"])
    |> sum()
"""
_TRADES: Final = f"""{points(TRADES, "energy_kwh", "price_usd_per_mwh", "value_usd")}{AS_ROWS}
    |> filter(fn: (r) => r.energy_kwh != 0.0)
    |> keep(columns: ["_time", "asset", "energy_kwh", "price_usd_per_mwh", "value_usd"])
    |> sort(columns: ["_time"], desc: true)
    |> limit(n: {_LONGEST_TABLE})
"""
_BEHALF: Final = ("setpoint_kw", "power_kw", "requester", "proposal_id", "event_id")
_DISPATCHES: Final = f"""{points(DISPATCHES, *_BEHALF)}{AS_ROWS}
    |> filter(fn: (r) => exists r.proposal_id)
    |> drop(columns: ["_start", "_stop", "_measurement", "site"])
    |> sort(columns: ["_time"], desc: true)
    |> limit(n: {_LONGEST_TABLE})
"""

TRADING: Final = Dashboard(
    uid="smartgrid-trading",
    title="SmartGrid: trading",
    description="Trades and dispatches, and what they brought in.",
    since="now-24h",
    refresh="1m",
    rows=(
        Row(
            4,
            (
                Panel("Value in the range", _NOTE, (_TOTAL,), kind="stat", unit="none"),
                Panel(
                    "Energy sold and bought",
                    "At the assets' meters; bought is negative.",
                    (_THROUGHPUT,),
                    kind="stat",
                    unit="kwatth",
                    label="direction",
                ),
            ),
        ),
        Row(
            9,
            (
                Panel(
                    "Value since the left edge",
                    _NOTE,
                    (traded("value_usd", "v.windowPeriod") + "\n    |> cumulativeSum()",),
                    unit="none",
                    label="asset",
                ),
                Panel(
                    "Value by hour",
                    _NOTE,
                    (traded("value_usd", "1h"),),
                    unit="none",
                    label="asset",
                    steps=True,
                ),
            ),
        ),
        Row(
            8,
            (
                Panel(
                    "Price",
                    "Per MWh in the site's currency.",
                    (prices(),),
                    series={
                        "price_usd_per_mwh": Series("real time"),
                        "da_price_usd_per_mwh": Series("day ahead", dashed=True),
                    },
                    steps=True,
                ),
                Panel(
                    "Battery power",
                    "Positive is sold, negative bought.",
                    (of_asset("battery", "power_kw"),),
                    unit="kwatt",
                    series={"power_kw": Series("battery")},
                    steps=True,
                ),
            ),
        ),
        Row(
            10,
            (
                Panel(
                    "Trades",
                    f"The newest {_LONGEST_TABLE} that moved energy. {_NOTE}",
                    (_TRADES,),
                    kind="table",
                    series={
                        "energy_kwh": Series("energy", unit="kwatth"),
                        "price_usd_per_mwh": Series("price per MWh"),
                        "value_usd": Series("value"),
                    },
                ),
                Panel(
                    "Dispatches",
                    f"The newest {_LONGEST_TABLE} spans that a proposal set, and whose it was.",
                    (_DISPATCHES,),
                    kind="table",
                    series={
                        "power_kw": Series("power", unit="kwatt"),
                        "setpoint_kw": Series("setpoint", unit="kwatt"),
                    },
                ),
            ),
        ),
    ),
)

"""The trading table: one configuration over all recorded markets, judged after its training ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from grid.assets import BatterySpec
from pipeline.trading.market_table import MarketTable
from smartgrid.backtests.arbitrage import ArbitrageBacktest, backtest_arbitrage
from smartgrid.backtests.arbitrage_files import PriceFiles, read_market
from smartgrid.backtests.settlement import Settlement

POWER_KW: Final = 1000.0
SIZES_KWH: Final = (4000.0, 1000.0)
WEAR_PER_MWH: Final = 10.0
_NYISO: Final = ("nyc", "longil", "north", "west")


@dataclass(frozen=True)
class Market:
    """A recorded market.

    Attributes:
        group: over which the mean is taken.
        name: of the market.
        file, price: real-time prices, and their column.
        da_file, da_price: day-ahead prices; None where there are none.
        site_tz: of the local day.
        train_until: learning ends there.
    """

    group: str
    name: str
    file: str
    price: str
    da_file: str | None
    da_price: str | None
    site_tz: str
    train_until: datetime


@dataclass(frozen=True)
class ArbitrageRow:
    """One market, battery and settlement."""

    market: Market
    energy_kwh: float
    settlement: Settlement
    result: ArbitrageBacktest


MARKETS: Final = (
    *(
        Market(
            "NYISO",
            zone,
            "nyiso_rt_price_5min_2012_2017.csv.gz",
            f"{zone}_rt_usd_per_mwh",
            "nyiso_da_price_hourly_2010_2017.csv.gz",
            f"{zone}_da_usd_per_mwh",
            "America/New_York",
            datetime(2017, 1, 1, tzinfo=UTC),
        )
        for zone in _NYISO
    ),
    Market(
        "AEMO",
        "Victoria",
        "aemo_vic_demand_price_5min_2024_2025H1.csv.gz",
        "rrp_aud_per_mwh",
        None,
        None,
        "Australia/Melbourne",
        datetime(2025, 4, 1, tzinfo=UTC),
    ),
)


def bench_arbitrage(
    data: Path, markets: tuple[Market, ...] = MARKETS, settlements: tuple[Settlement, ...] = tuple(Settlement)
) -> Iterator[ArbitrageRow]:
    """Every market, battery and settlement in turn, each as soon as it is there.

    Args:
        data: folder of the recorded files.
        markets: which.
        settlements: which.
    """
    for market in markets:
        table = _table(data, market)
        for settlement in settlements:
            for energy_kwh in SIZES_KWH:
                battery = BatterySpec(POWER_KW, energy_kwh, wear_usd_per_mwh=WEAR_PER_MWH)
                result = backtest_arbitrage(
                    table, battery, train_until=market.train_until, settlement=settlement
                )
                yield ArbitrageRow(market, energy_kwh, settlement, result)


def _table(data: Path, market: Market) -> MarketTable:
    da_file = None if market.da_file is None else data / market.da_file
    files = PriceFiles(data / market.file, market.price, market.da_price, da_file)
    return read_market(files, ZoneInfo(market.site_tz))[0]

"""The trading table: one configuration over all recorded markets, judged after its training ends."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from grid.assets import BatterySpec
from grid.storage_value import StorageSteps
from pipeline.trading.market_table import MarketTable
from smartgrid.backtests.arbitrage import ArbitrageBacktest, backtest_arbitrage
from smartgrid.backtests.arbitrage_files import PriceFiles, read_market
from smartgrid.backtests.settlement import Settlement
from smartgrid.backtests.storage_check import broken_rows

POWER_KW: Final = 1000.0
CASES: Final = ((Settlement.BID, 4000.0), (Settlement.BID, 1000.0), (Settlement.LAGGED, 4000.0))
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
    """One market, battery and settlement; ``broken``: rows of the schedule that break a limit."""

    market: Market
    energy_kwh: float
    settlement: Settlement
    result: ArbitrageBacktest
    broken: int


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


def bench_arbitrage(data: Path, markets: tuple[Market, ...] = MARKETS) -> Iterator[ArbitrageRow]:
    """Every market, settlement and battery; as many markets at once as there are processors.

    Args:
        data: folder of the recorded files.
        markets: which.
    """
    if len(markets) == 1:
        yield from _rows(data, markets[0])
        return
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        for rows in pool.map(_all_rows, repeat(data), markets):
            yield from rows


def _all_rows(data: Path, market: Market) -> list[ArbitrageRow]:
    return list(_rows(data, market))


def _rows(data: Path, market: Market) -> Iterator[ArbitrageRow]:
    table = _table(data, market)
    for settlement, energy_kwh in CASES:
        battery = BatterySpec(POWER_KW, energy_kwh, wear_usd_per_mwh=WEAR_PER_MWH)
        result = backtest_arbitrage(table, battery, train_until=market.train_until, settlement=settlement)
        steps = StorageSteps.of(battery, table.interval_s)
        broken = broken_rows(result.schedule, steps, table.interval_s)
        yield ArbitrageRow(market, energy_kwh, settlement, result, broken)


def _table(data: Path, market: Market) -> MarketTable:
    da_file = None if market.da_file is None else data / market.da_file
    files = PriceFiles(data / market.file, market.price, market.da_price, da_file)
    return read_market(files, ZoneInfo(market.site_tz))[0]

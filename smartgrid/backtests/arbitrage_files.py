"""From price files to a market's table, and from a backtest to its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from grid.csv_report import IngestReport
from grid.csv_series import read_csv_series
from pipeline.errors import BacktestError
from pipeline.trading.market_table import MarketTable
from smartgrid.backtests.arbitrage import OURS, ArbitrageBacktest
from smartgrid.report.summary import JsonDict

PRICE, DA_PRICE, NET_LOAD = "price_usd_per_mwh", "da_price_usd_per_mwh", "net_load_kw"


@dataclass(frozen=True)
class PriceFiles:
    """Where prices come from.

    Attributes:
        file: with real-time prices.
        price: their column; None where its name says it.
        da_price: column of day-ahead prices; None where its name says it, or there is none.
        da_file: with day-ahead prices; None where they are in ``file`` or there are none.
        mapping: of other channels.
        tz: of naive time stamps.
    """

    file: Path
    price: str | None
    da_price: str | None = None
    da_file: Path | None = None
    mapping: Mapping[str, str] | None = None
    tz: str | None = None


def read_market(files: PriceFiles, zone: ZoneInfo) -> tuple[MarketTable, tuple[IngestReport, ...]]:
    """Read the files; the table and how their rows became it.

    Raises:
        CsvError: if a file cannot be read.
        BacktestError: if there are no prices, the currencies differ, or times are off the file's cadence.
    """
    mapping = dict(files.mapping or {})
    if files.price is not None:
        mapping["price"] = files.price
    if files.da_price is not None and files.da_file is None:
        mapping["da_price"] = files.da_price
    found = read_csv_series(files.file, mapping=mapping, tz=files.tz)
    frame = found.series.frame
    reports: tuple[IngestReport, ...] = (found.report,)
    if PRICE not in frame:
        raise BacktestError(f"{files.file}: no column of real-time prices; choose it with --price COLUMN")
    day_ahead = frame.get(DA_PRICE)
    if files.da_file is not None:
        other = read_csv_series(
            files.da_file, mapping={"da_price": files.da_price} if files.da_price else {}, tz=files.tz
        )
        if DA_PRICE not in other.series.frame:
            raise BacktestError(
                f"{files.da_file}: no column of day-ahead prices; choose it with --da-price COLUMN"
            )
        if other.series.currency != found.series.currency:
            raise BacktestError(
                f"{files.da_file}: prices in {other.series.currency}, those of {files.file} in"
                f" {found.series.currency}; convert one file"
            )
        day_ahead, reports = other.series.frame[DA_PRICE], (found.report, other.report)
    net_load = frame[NET_LOAD] if NET_LOAD in frame and frame[NET_LOAD].notna().any() else None
    return MarketTable.of(frame[PRICE], day_ahead, found.series.cadence_s, zone, net_load), reports


def file_rows(schedule: pd.DataFrame, table: MarketTable) -> pd.DataFrame:
    """The rows of a schedule that the file had too."""
    kept = table.stated[-len(schedule) :]
    return schedule[kept]


def figures(result: ArbitrageBacktest) -> JsonDict:
    """The result in names and numbers."""
    ours = result.runs[OURS]
    return {
        "profit": ours.profit,
        "perfect_foresight": result.foresight,
        "capture": result.capture(OURS),
        "cycles": ours.cycles,
        "cycles_per_day": ours.cycles / result.days,
        "days": result.days,
        "missing_prices": result.missing,
        "prices_where_the_bound_is_loose": result.below_burning,
        "strategies": {
            name: {"profit": run.profit, "capture": result.capture(name), "cycles": run.cycles}
            for name, run in result.runs.items()
        },
    }

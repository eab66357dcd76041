"""Recorded answers: real measurements in the layouts that the operators publish them in.

The measurements are those of ``SMARTGRID_DATA_DIR``; the layouts are those that gridstatus 0.37 reads and
the operators document. NYISO's load and wind are not among the measurements: those are made up here.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from tests.smartgrid.live.operators import NOT_FOUND, Answer

PACIFIC, CENTRAL, EASTERN = map(ZoneInfo, ("America/Los_Angeles", "America/Chicago", "America/New_York"))
CAISO_FILE = "caiso_sample_days_5min_2019.csv.gz"
ERCOT_FILE = "ercot_generation_15min_2019_2021H1.csv.gz"
CAISO_FUELS = (
    "Solar", "Wind", "Geothermal", "Biomass", "Biogas", "Small hydro", "Coal", "Nuclear", "Natural Gas",
    "Large Hydro", "Batteries", "Imports", "Other",
)  # fmt: skip
CAISO_COLUMNS = {
    "Solar": "solar_mw", "Wind": "wind_mw", "Nuclear": "nuclear_mw", "Natural Gas": "gas_mw",
    "Large Hydro": "large_hydro_mw", "Batteries": "batteries_mw", "Imports": "imports_mw",
}  # fmt: skip
NYISO_ZONES = (
    "CAPITL", "CENTRL", "DUNWOD", "GENESE", "HUD VL", "LONGIL", "MHK VL", "MILLWD", "N.Y.C.", "NORTH", "WEST",
)  # fmt: skip
FIVE = timedelta(minutes=5)


def read_day(path: Path, day: date, zone: ZoneInfo) -> pd.DataFrame:
    """A file's rows of one local day, by their starts in UTC."""
    frame = pd.read_csv(path, parse_dates=["ts_utc"]).set_index("ts_utc")
    local = pd.DatetimeIndex(frame.index).tz_convert(zone)
    found: pd.DataFrame = frame.loc[local.date == day]
    return found


def text(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV; None is left blank."""
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    return ("\n".join([",".join(header), *lines]) + "\n").encode()


def zipped(name: str, content: bytes) -> bytes:
    """An archive of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@dataclass
class Caiso:
    """CAISO's Today's Outlook on one recorded day, as far as it is known at ``now``."""

    rows: pd.DataFrame
    now: datetime | None = None
    prices: bytes | None = None
    """Of OASIS in real time, as an archive; not there where None."""

    def __call__(self, address: str) -> Answer:
        if "demand.csv" in address:
            return Answer(self.demand())
        if "fuelsource.csv" in address:
            return Answer(self.fuels())
        if "PRC_INTVL_LMP" in address and self.prices is not None:
            headers = {"Content-Disposition": "attachment; filename=prices_csv.zip;"}
            return Answer(self.prices, "application/x-zip-compressed", headers=headers)
        return NOT_FOUND

    def known(self, name: str) -> list[tuple[str, float | None]]:
        """Local time of the day and value of each row, blank where the interval is not over yet."""
        starts = pd.DatetimeIndex(self.rows.index)
        return [
            (f"{start.astimezone(PACIFIC):%H:%M}", None if self.now and start + FIVE > self.now else value)
            for start, value in zip(starts, self.rows[name].tolist(), strict=True)
        ]

    def demand(self) -> bytes:
        """Forecasts for the whole day, demand so far, and the next day's midnight as the last row."""
        forecasts = self.rows["hour_ahead_forecast_mw"].tolist()
        rows = [
            (time, forecast, forecast, value)
            for (time, value), forecast in zip(self.known("demand_mw"), forecasts, strict=True)
        ]
        header = ("Time", "Day ahead forecast", "Hour ahead forecast", "Current demand")
        return text(header, [*rows, ("00:00", None, None, None)])

    def fuels(self) -> bytes:
        """Generation so far; blank where the recording has no such fuel."""
        known = {fuel: self.known(column) for fuel, column in CAISO_COLUMNS.items()}
        times = [time for time, _ in known["Solar"]]
        rows = [
            (time, *(known[fuel][i][1] if fuel in known else None for fuel in CAISO_FUELS))
            for i, time in enumerate(times)
            if known["Solar"][i][1] is not None
        ]
        return text(("Time", *CAISO_FUELS), rows)


def oasis(starts: Iterable[datetime], prices: Iterable[float], node: str, step: timedelta = FIVE) -> bytes:
    """Prices of one node as OASIS packs them, with the parts that a price is made of."""
    column = "VALUE" if step == FIVE else "MW"
    rows = [
        (f"{start:%Y-%m-%dT%H:%M:%S-00:00}", f"{start + step:%Y-%m-%dT%H:%M:%S-00:00}", node, kind, value)
        for start, price in zip(starts, prices, strict=True)
        for kind, value in (("LMP", price), ("MCE", price - 1.0), ("MCC", 0.5), ("MCL", 0.5))
    ]
    header = ("INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "NODE", "LMP_TYPE", column)
    return zipped("prices.csv", text(header, rows))


@dataclass
class Ercot:
    """ERCOT's dashboards on one recorded day, as far as it is known at ``now``."""

    rows: pd.DataFrame
    now: datetime | None = None

    def __call__(self, address: str) -> Answer:
        starts = [
            start for start in pd.DatetimeIndex(self.rows.index) if not self.now or start + FIVE <= self.now
        ]
        rows = self.rows.loc[starts]
        if "supply-demand" in address:
            return Answer(self.demand(rows), "application/json")
        if "fuel-mix" in address:
            return Answer(self.fuels(rows), "application/json")
        return NOT_FOUND

    def demand(self, rows: pd.DataFrame) -> bytes:
        """Demand at the end of each interval so far, and a forecast row."""
        ends = [start + FIVE for start in pd.DatetimeIndex(rows.index)]
        known = [
            {"epoch": int(end.timestamp() * 1000), "forecast": 0, "demand": demand, "capacity": 90000.0}
            for end, demand in zip(ends, rows["total_gen_mw"].tolist(), strict=True)
        ]
        ahead = [{**row, "epoch": row["epoch"] + 3_600_000, "forecast": 1} for row in known[-1:]]
        return json.dumps({"lastUpdated": "2021-02-14 12:00:00-0600", "data": known + ahead}).encode()

    def fuels(self, rows: pd.DataFrame) -> bytes:
        """Generation a few seconds before the end of each interval, by its local day."""
        names = {
            "Coal and Lignite": "coal_mw", "Hydro": "hydro_mw", "Nuclear": "nuclear_mw", "Solar": "solar_mw",
            "Wind": "wind_mw", "Natural Gas": "gas_mw", "Other": "other_mw",
        }  # fmt: skip
        days: dict[str, dict[str, object]] = {}
        for start, row in rows.iterrows():
            at = (pd.Timestamp(str(start)) + FIVE - timedelta(seconds=3)).astimezone(CENTRAL)
            made = {fuel: {"gen": row[column]} for fuel, column in names.items()}
            days.setdefault(f"{at:%Y-%m-%d}", {})[f"{at:%Y-%m-%d %H:%M:%S%z}"] = {
                **made, "Power Storage": {"gen": 0.0},
            }  # fmt: skip
        return json.dumps({"monthlyCapacity": {}, "data": days}).encode()


@dataclass
class Nyiso:
    """NYISO's public files of one day: real prices, where they are given, and a made-up load and wind."""

    day: date
    prices: pd.Series | None = None
    zones: Sequence[str] = NYISO_ZONES
    da_prices: pd.Series | None = None

    def __call__(self, address: str) -> Answer:
        if "/RT_ACTUAL_LOAD/" in address:
            return Answer(self.load())
        if "/DAM_LBMP_ZONE/" in address:
            return Answer(self.da_lbmp())
        if "/RT_LBMP_ZONE/CSV/current.csv" in address:
            return Answer(self.lbmp([self.ends()[-1]]))
        if found := re.search(r"mis\.nyiso\.com/public/csv/(rtfuelmix|realtime)/", address):
            kind, name = (
                (self.mix(), "rtfuelmix") if found[1] == "rtfuelmix" else (self.lbmp(), "realtime_zone")
            )
            return Answer(zipped(f"{self.day:%Y%m%d}{name}.csv", kind), "application/zip")
        return NOT_FOUND

    def ends(self) -> list[datetime]:
        """The end of each interval of the local day, in UTC."""
        start = datetime.combine(self.day, datetime.min.time(), EASTERN).timestamp()
        end = datetime.combine(self.day + timedelta(days=1), datetime.min.time(), EASTERN).timestamp()
        return [datetime.fromtimestamp(at, EASTERN) for at in range(int(start) + 300, int(end) + 1, 300)]

    def load(self) -> bytes:
        """Each zone's load; the number of the zone is in it."""
        rows = [
            (f"{end:%m/%d/%Y %H:%M:%S}", end.tzname(), zone, 61750 + number, 1000 + 10 * number + i)
            for i, end in enumerate(self.ends())
            for number, zone in enumerate(self.zones)
        ]
        return text(("Time Stamp", "Time Zone", "Name", "PTID", "Load"), rows)

    def mix(self) -> bytes:
        """Two of the fuels."""
        rows = [
            (f"{end:%m/%d/%Y %H:%M:%S}", end.tzname(), fuel, value)
            for i, end in enumerate(self.ends())
            for fuel, value in (("Hydro", 3000), ("Wind", 500 + i))
        ]
        return text(("Time Stamp", "Time Zone", "Fuel Category", "Gen MW"), rows)

    def da_lbmp(self) -> bytes:
        """Prices of the city by the start of each hour."""
        if self.da_prices is None:
            return self._lbmp_text([])
        starts = pd.DatetimeIndex(self.da_prices.index).tz_convert(EASTERN).strftime("%m/%d/%Y %H:%M")
        return self._lbmp_text(zip(starts, self.da_prices.tolist(), strict=True))

    def lbmp(self, ends: Sequence[datetime] | None = None) -> bytes:
        """Prices of the city."""
        prices = {} if self.prices is None else self.prices.to_dict()
        return self._lbmp_text(
            (f"{end:%m/%d/%Y %H:%M:%S}", prices.get(pd.Timestamp(end - FIVE))) for end in ends or self.ends()
        )

    @staticmethod
    def _lbmp_text(rows: Iterable[tuple[str, float | None]]) -> bytes:
        header = (
            "Time Stamp", "Name", "PTID", "LBMP ($/MWHr)", "Marginal Cost Losses ($/MWHr)",
            "Marginal Cost Congestion ($/MWHr)",
        )  # fmt: skip
        return text(header, [(stamp, "N.Y.C.", 61761, price, 1.0, -2.0) for stamp, price in rows])

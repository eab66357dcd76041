"""A recorded day of an operator, asked for as it went by, through the real reader, engine and store."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Protocol
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from grid.csv_series import read_csv_series
from grid.series import BaseSeries
from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.memory_stream import MemoryStream
from pipeline.messages import DEAD_LETTER_TOPIC, FORECASTS_TOPIC, TELEMETRY_TOPIC, decode_telemetry
from pipeline.model import ForecastModel
from pipeline.producer import publish
from pipeline.sqlite_store import SqliteStore
from pipeline.training import train
from smartgrid.live.areas import AREAS
from smartgrid.live.reader import Reader
from smartgrid.live.readings import Remark
from smartgrid.live.source import LiveSource
from tests.smartgrid.live.conftest import CAISO_DAY, ERCOT_DAY
from tests.smartgrid.live.operators import Answer, Operators
from tests.smartgrid.live.recorded import CAISO_FILE, CENTRAL, ERCOT_FILE, FIVE, PACIFIC, Caiso, Ercot, oasis

TREES = 5
TRAINING_DAYS = 8


class Clocked(Protocol):
    """Servers that publish up to a moment."""

    now: datetime | None

    def __call__(self, address: str) -> Answer: ...


def days_before(path: Path, day: date, zone: ZoneInfo, mapping: dict[str, str]) -> list[BaseSeries]:
    """The last local days of a file before a day, one series each."""
    series = read_csv_series(path, mapping=mapping).series
    local = pd.Series(pd.DatetimeIndex(series.frame.index).tz_convert(zone).date, index=series.frame.index)
    earlier = sorted({found for found in local if found < day})[-TRAINING_DAYS:]
    return [BaseSeries(series.frame[local == found], series.cadence_s) for found in earlier]


@pytest.fixture(scope="module")
def caiso_model(data_dir: Path) -> ForecastModel:
    before = days_before(data_dir / CAISO_FILE, CAISO_DAY, PACIFIC, {"load": "demand_mw"})
    return train(before, cadence_s=300.0, site_tz=PACIFIC.key, trees=TREES)


@pytest.fixture(scope="module")
def ercot_model(data_dir: Path) -> ForecastModel:
    before = days_before(data_dir / ERCOT_FILE, ERCOT_DAY, CENTRAL, {"load": "total_gen_mw"})
    return train(before, cadence_s=900.0, site_tz=CENTRAL.key, trees=TREES)


class Chain:
    """From an operator's servers to forecasts, on a simulated clock."""

    def __init__(self, area: str, reader: Reader, model: ForecastModel, folder: Path) -> None:
        self.now = datetime(1970, 1, 1, tzinfo=UTC)
        self.stream = MemoryStream(written_ms=lambda: round(self.now.timestamp() * 1000))
        self.store = SqliteStore(folder / "telemetry.db")
        self.engine = StreamEngine(self.stream, self.store, model)
        self.source = LiveSource(AREAS[area], area.lower(), reader.ask, Random(1))
        self.remarks: list[Remark] = []
        self.problems: list[str] = []

    def poll(self, now: datetime) -> None:
        self.now = now
        poll = self.source.poll(now)
        publish(self.stream, poll.pulses)
        self.engine.drain()
        self.remarks += poll.remarks
        self.problems += poll.problems

    def run(self, servers: Clocked, start: datetime, end: datetime, step: timedelta) -> None:
        """Ask again and again, each time just after publication, and once more at the end."""
        moments = [start + i * step for i in range((end - start) // step)]
        for servers.now in [*moments, end]:
            self.poll(servers.now + timedelta(minutes=1))

    @property
    def sent(self) -> list[Telemetry]:
        return [decode_telemetry(record.value) for record in self.stream.records(TELEMETRY_TOPIC)]

    @property
    def forecasts(self) -> list[bytes]:
        return [record.value for record in self.stream.records(FORECASTS_TOPIC)]


def straight(pulses: Iterable[Telemetry], model: ForecastModel, folder: Path) -> list[bytes]:
    """The forecasts of the same pulses, without an operator between."""
    stream = MemoryStream()
    publish(stream, pulses)
    with SqliteStore(folder / "straight.db") as store:
        StreamEngine(stream, store, model).drain()
    return [record.value for record in stream.records(FORECASTS_TOPIC)]


def measured(
    site: str, rows: pd.DataFrame, load: str, prices: Callable[[datetime], float | None]
) -> list[Telemetry]:
    found = []
    for start, row in zip(pd.DatetimeIndex(rows.index).to_pydatetime(), rows.to_dict("records"), strict=True):
        load_kw, solar_kw, wind_kw = (float(row[name]) * 1000.0 for name in (load, "solar_mw", "wind_mw"))
        net_load_kw = load_kw - (solar_kw + wind_kw)
        found.append(Telemetry(site, start, load_kw, solar_kw, wind_kw, net_load_kw, prices(start)))
    return found


def test_a_recorded_day_of_caiso_ends_in_forecasts_those_of_its_own_measurements(
    reader: Reader, operators: Operators, caiso_rows: pd.DataFrame, caiso_model: ForecastModel, tmp_path: Path
) -> None:
    area = AREAS["CAISO"]
    assert area.price_at is not None
    starts = pd.DatetimeIndex(caiso_rows.index).to_pydatetime().tolist()
    prices = {start: 25.0 + i / 8 for i, start in enumerate(starts)}
    caiso = Caiso(caiso_rows, prices=oasis(prices, prices.values(), area.price_at))
    operators.answers = caiso
    chain = Chain("CAISO", reader, caiso_model, tmp_path)
    chain.run(caiso, starts[0] + FIVE, starts[-1] + FIVE, timedelta(hours=2))
    expected = measured("caiso", caiso_rows, "demand_mw", prices.get)
    assert chain.sent == expected
    assert chain.forecasts == straight(expected, caiso_model, tmp_path)
    assert len(chain.forecasts) == 288
    assert chain.remarks == []
    newest = chain.store.latest_forecast("caiso")
    assert newest is not None and newest.issued_at == starts[-1]
    chain.store.close()


def test_a_recorded_day_of_ercot_ends_in_forecasts_those_of_its_own_measurements(
    reader: Reader, operators: Operators, ercot_rows: pd.DataFrame, ercot_model: ForecastModel, tmp_path: Path
) -> None:
    ercot = Ercot(ercot_rows)
    operators.answers = ercot
    starts = pd.DatetimeIndex(ercot_rows.index).to_pydatetime().tolist()
    chain = Chain("ERCOT", reader, ercot_model, tmp_path)
    chain.run(ercot, starts[0] + FIVE, starts[-1] + FIVE, timedelta(hours=2))
    expected = measured("ercot", ercot_rows, "total_gen_mw", lambda _: None)
    assert chain.sent == expected
    assert chain.forecasts == straight(expected, ercot_model, tmp_path)
    assert len(chain.forecasts) == 96
    chain.store.close()


def test_outages_and_revisions_of_a_recorded_day_lose_nothing_and_make_nothing_up(
    reader: Reader, operators: Operators, caiso_rows: pd.DataFrame, caiso_model: ForecastModel, tmp_path: Path
) -> None:
    rows = caiso_rows.iloc[:48].copy()
    starts = pd.DatetimeIndex(rows.index).to_pydatetime().tolist()
    caiso = Caiso(rows)

    def troubled(address: str) -> Answer:
        assert caiso.now is not None
        since = caiso.now - starts[0]
        if timedelta(hours=1) <= since < timedelta(hours=2):
            return Answer(b"<html>maintenance</html>", "text/html", 503)
        return caiso(address)

    operators.answers = troubled
    chain = Chain("CAISO", reader, caiso_model, tmp_path)
    chain.run(caiso, starts[0] + FIVE, starts[0] + timedelta(hours=2, minutes=40), timedelta(minutes=20))
    sent_before = rows.loc[rows.index[3], "demand_mw"]
    rows.loc[rows.index[3], "demand_mw"] = 21_345
    rows.loc[rows.index[40], "demand_mw"] = -1
    chain.run(caiso, starts[0] + timedelta(hours=3), starts[-1] + FIVE + timedelta(minutes=20), FIVE * 4)
    assert any("503" in problem for problem in chain.problems)
    expected = measured("caiso", caiso_rows.iloc[:48], "demand_mw", lambda _: None)
    del expected[40]
    assert chain.sent == expected
    assert chain.forecasts == straight(expected, caiso_model, tmp_path)
    assert [(remark.kind, remark.ts_utc, remark.old, remark.new) for remark in chain.remarks] == [
        ("revised", starts[3], sent_before, 21_345.0), ("refused", starts[40], None, -1.0),
    ]  # fmt: skip
    assert chain.stream.records(DEAD_LETTER_TOPIC) == []
    chain.store.close()

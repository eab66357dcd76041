"""What the reader makes of each operator's answers: gridstatus itself parses them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

from smartgrid.live.areas import AREAS, Area, Feed
from smartgrid.live.reader import Reader
from smartgrid.live.readings import readings
from tests.smartgrid.live.conftest import CAISO_DAY, ERCOT_DAY
from tests.smartgrid.live.operators import Answer, Operators
from tests.smartgrid.live.recorded import EASTERN, Caiso, Ercot, Nyiso, oasis, read_day

CAISO, ERCOT, NYISO = AREAS["CAISO"], AREAS["ERCOT"], AREAS["NYISO"]


def feed_of(area: Area, name: str) -> Feed:
    return next(feed for feed in area.feeds if feed.name == name)


def read(reader: Reader, area: Area, name: str, day: date) -> dict[str, dict[datetime, float | None]]:
    """Channel → start → value."""
    feed = feed_of(area, name)
    found = readings(area, feed, reader.ask(area, feed, day))
    assert found.remarks == []
    return {
        channel: {start: row[channel] for start, row in found.values.items()} for channel in feed.channels
    }


def measured(column: pd.Series) -> dict[datetime, float]:
    return dict(zip(pd.DatetimeIndex(column.index).to_pydatetime(), column.tolist(), strict=True))


def test_caiso_load_solar_and_wind_are_those_that_were_measured(
    reader: Reader, operators: Operators, caiso_rows: pd.DataFrame
) -> None:
    operators.answers = Caiso(caiso_rows)
    assert read(reader, CAISO, "load", CAISO_DAY)["load_mw"] == measured(caiso_rows["demand_mw"])
    mix = read(reader, CAISO, "mix", CAISO_DAY)
    assert mix["solar_mw"] == measured(caiso_rows["solar_mw"])
    assert mix["wind_mw"] == measured(caiso_rows["wind_mw"])


def test_ercot_load_solar_and_wind_are_those_that_were_measured(
    reader: Reader, operators: Operators, ercot_rows: pd.DataFrame
) -> None:
    operators.answers = Ercot(ercot_rows)
    assert read(reader, ERCOT, "load", ERCOT_DAY)["load_mw"] == measured(ercot_rows["total_gen_mw"])
    mix = read(reader, ERCOT, "mix", ERCOT_DAY)
    assert mix["wind_mw"] == measured(ercot_rows["wind_mw"])


def test_nyiso_prices_are_those_that_were_published_and_the_zones_add_up(
    reader: Reader, operators: Operators, data_dir: Path
) -> None:
    day = date(2017, 7, 12)
    prices = read_day(data_dir / "nyiso_rt_price_5min_2012_2017.csv.gz", day, EASTERN)["nyc_rt_usd_per_mwh"]
    operators.answers = Nyiso(day, prices)
    got = read(reader, NYISO, "price", day)["price_usd_per_mwh"]
    assert {start: value for start, value in got.items() if value is not None} == measured(prices.dropna())
    start = datetime(2017, 7, 12, 4, tzinfo=UTC)
    assert read(reader, NYISO, "load", day)["load_mw"][start] == 11 * 1000 + 10 * sum(range(11))
    assert read(reader, NYISO, "mix", day)["wind_mw"][start + timedelta(minutes=5)] == 501


def test_caiso_prices_are_the_hubs_and_no_part_of_them(reader: Reader, operators: Operators) -> None:
    starts = [datetime(2019, 9, 26, 7, tzinfo=UTC) + timedelta(minutes=5 * i) for i in range(288)]
    prices = [30.0 + i / 4 for i in range(288)]
    assert CAISO.price_at is not None
    operators.answers = Caiso(pd.DataFrame(), prices=oasis(starts, prices, CAISO.price_at))
    assert read(reader, CAISO, "price", CAISO_DAY)["price_usd_per_mwh"] == dict(
        zip(starts, prices, strict=True)
    )
    (asked,) = operators.asked
    assert f"node={CAISO.price_at}" in asked.address
    assert "startdatetime=20190926T07:00-0000&enddatetime=20190927T07:00-0000" in asked.address


def test_the_prices_that_nyiso_expects_are_not_taken_for_those_that_came(
    reader: Reader, operators: Operators
) -> None:
    day = date(2026, 7, 15)
    nyiso = Nyiso(day)
    ends = nyiso.ends()
    nyiso.prices = pd.Series(
        {end.astimezone(UTC) - timedelta(minutes=5): 30.0 + i for i, end in enumerate(ends)}
    )
    came, expected = ends[:144], ends[146:156:3]

    def answers(address: str) -> Answer:
        return Answer(nyiso.lbmp(came[-1:] if "current.csv" in address else [*came, *expected]))

    operators.answers = answers
    got = read(reader, NYISO, "price", day)["price_usd_per_mwh"]
    assert sorted(got) == [end.astimezone(UTC) - timedelta(minutes=5) for end in came]
    assert "/RT_LBMP_ZONE/CSV/2026/07/15/realtime_zone-20260715.csv" in operators.asked[0].address


def test_day_ahead_prices_are_those_of_their_hours(
    reader: Reader, operators: Operators, data_dir: Path
) -> None:
    day = date(2017, 7, 12)
    file = data_dir / "nyiso_da_price_hourly_2010_2017.csv.gz"
    prices = read_day(file, day, EASTERN)["nyc_da_usd_per_mwh"]
    operators.answers = Nyiso(day, da_prices=prices)
    assert read(reader, NYISO, "da_price", day)["da_price_usd_per_mwh"] == measured(prices)
    starts = [datetime(2019, 9, 26, 7, tzinfo=UTC) + timedelta(hours=i) for i in range(24)]
    assert CAISO.price_at is not None
    packed = oasis(starts, prices.tolist(), CAISO.price_at, timedelta(hours=1))
    headers = {"Content-Disposition": "attachment; filename=prices_csv.zip;"}
    operators.answers = lambda _: Answer(packed, "application/zip", headers=headers)
    got = read(reader, CAISO, "da_price", CAISO_DAY)["da_price_usd_per_mwh"]
    assert got == dict(zip(starts, prices.tolist(), strict=True))


def test_every_operator_is_told_who_asks(reader: Reader, operators: Operators) -> None:
    operators.answers = Nyiso(date(2017, 7, 12))
    reader.ask(NYISO, feed_of(NYISO, "load"), date(2017, 7, 12))  # through requests
    reader.ask(NYISO, feed_of(NYISO, "mix"), date(2017, 7, 12))
    assert {asked.headers["User-Agent"].split("/")[0] for asked in operators.asked} == {"smartgrid-ai"}

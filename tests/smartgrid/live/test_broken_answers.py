"""A broken or changed answer is an error that says what to do, and never a value."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from smartgrid.live.areas import AREAS
from smartgrid.live.errors import AnswerError, AwayError, ChangedAnswerError, NotThereError
from smartgrid.live.reader import Reader, Rows
from smartgrid.live.readings import Remark, readings
from tests.smartgrid.live.operators import NOT_FOUND, Answer, Operators
from tests.smartgrid.live.recorded import PACIFIC, Caiso, Nyiso, oasis, text, zipped
from tests.smartgrid.live.test_layouts import feed_of

DAY = date(2019, 6, 17)
HTML = b"<!DOCTYPE html><html><body>We will be back soon</body></html>"
START = datetime(2019, 6, 17, 7, tzinfo=UTC)


def made_up(day: date, zone: ZoneInfo = PACIFIC) -> pd.DataFrame:
    """A local day in CAISO's columns, each value another one."""
    start, end = (datetime(at.year, at.month, at.day, tzinfo=zone) for at in (day, day + timedelta(days=1)))
    index = pd.date_range(start.astimezone(UTC), end.astimezone(UTC), freq="5min", inclusive="left")
    count = range(len(index))
    names = ("solar_mw", "wind_mw", "nuclear_mw", "gas_mw", "large_hydro_mw", "batteries_mw", "imports_mw")
    columns = {name: [100.0 * k + i for i in count] for k, name in enumerate(names, 1)}
    demand = [20_000.0 + i for i in count]
    return pd.DataFrame({"demand_mw": demand, "hour_ahead_forecast_mw": demand, **columns}, index=index)


def demand(*rows: tuple[object, ...]) -> bytes:
    return text(("Time", "Day ahead forecast", "Hour ahead forecast", "Current demand"), rows)


def ask(reader: Reader, area: str, name: str, day: date = DAY) -> Rows:
    return reader.ask(AREAS[area], feed_of(AREAS[area], name), day)


BROKEN: dict[str, tuple[str, str, Answer, type[AnswerError], str]] = {
    "a page instead of a file": (
        "CAISO", "load", Answer(HTML, "text/html"), ChangedAnswerError, "demand.csv",
    ),
    "nothing": ("CAISO", "load", Answer(b""), ChangedAnswerError, "EmptyDataError"),
    "no rows": ("CAISO", "load", Answer(demand()), ChangedAnswerError, "demand.csv"),
    "a column of another name": (
        "CAISO", "load", Answer(text(("Time", "A", "Demand (MW)"), [("00:00", 1, 20000)])),
        ChangedAnswerError, "Current demand",
    ),
    "no column of solar": (
        "CAISO", "mix", Answer(text(("Time", "Wind"), [("00:00", 1000), ("00:05", 1000), ("01:00", 1000)])),
        ChangedAnswerError, "Solar",
    ),
    "a word for a number": (
        "CAISO", "load", Answer(demand(("01:00", 1, 1, "n.v."), ("01:05", 1, 1, 20000))), ChangedAnswerError,
        "n.v.",
    ),
    "another way to write times": (
        "CAISO", "load", Answer(demand(("1 AM", 1, 1, 20000), ("2 AM", 1, 1, 20000))),
        ChangedAnswerError, "1 AM",
    ),
    "not there": ("CAISO", "load", NOT_FOUND, NotThereError, "or not yet"),
    "cut off": ("CAISO", "load", Answer(b"Time,Current" * 99, cut_to=50), AwayError, "demand.csv"),
    "over the limit": (
        "CAISO", "load", Answer(b"slow down", status=429, headers={"Retry-After": "77"}), AwayError, "429",
    ),
    "over the limit, where gridstatus takes it for no data": (
        "CAISO", "price", Answer(b"slow down", status=429), AwayError, "429",
    ),
    "out of order, where gridstatus takes it for an archive": (
        "NYISO", "mix", Answer(HTML, "text/html", 503), AwayError, "503",
    ),
    "refused": ("CAISO", "load", Answer(HTML, "text/html", 403), AwayError, "403"),
    "an archive cut off": (
        "CAISO", "price",
        Answer(
            oasis([START], [30.0], "N")[:-40], "application/zip",
            headers={"Content-Disposition": "attachment; filename=prices_csv.zip;"},
        ),
        ChangedAnswerError, "BadZipFile",
    ),
    "an archive of errors": (
        "CAISO", "price",
        Answer(
            zipped("INVALID_REQUEST.xml", b"<error/>"), "application/zip",
            headers={"Content-Disposition": "attachment; filename=x.xml.zip;"},
        ),
        NotThereError, "OASIS has no",
    ),
    "a page instead of JSON": (
        "ERCOT", "load", Answer(HTML, "text/html"), ChangedAnswerError, "supply-demand",
    ),
    "JSON of another shape": ("ERCOT", "mix", Answer(b'{"error": "x"}'), ChangedAnswerError, "'data'"),
    "no fuel of that name": (
        "ERCOT", "mix",
        Answer(json.dumps({"data": {"d": {"2021-02-14 00:05:00-0600": {"Wind": {"gen": 1.0}}}}}).encode()),
        ChangedAnswerError, "Solar",
    ),
    "a zone left out": (
        "NYISO", "load", Answer(Nyiso(DAY, zones=("N.Y.C.", "WEST")).load()), ChangedAnswerError, "CAPITL",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_answer_is_an_error_that_says_what_and_where(
    case: str, reader: Reader, operators: Operators
) -> None:
    area, name, answer, error, said = BROKEN[case]
    operators.answers = lambda _: answer
    with pytest.raises(error, match=said) as raised:
        ask(reader, area, name)
    assert type(raised.value) is error
    assert f"{area} {name} of {DAY}" in str(raised.value)
    assert "://" in str(raised.value)


def test_the_reader_reads_on_after_an_answer_that_was_broken(reader: Reader, operators: Operators) -> None:
    operators.answers = lambda _: Answer(HTML)
    with pytest.raises(ChangedAnswerError):
        ask(reader, "CAISO", "load")
    operators.answers = Caiso(made_up(DAY))
    assert len(ask(reader, "CAISO", "load")) == 288


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("77", (77.0, 77.0)), ("Fri, 01 Jan 2100 00:00:00 GMT", (1e9, 1e10)), ("soon", None)],
)
def test_the_wait_that_the_operator_asks_for_is_told(
    header: str, wait_s: tuple[float, float] | None, reader: Reader, operators: Operators
) -> None:
    operators.answers = lambda _: Answer(b"", status=503, headers={"Retry-After": header})
    with pytest.raises(AwayError) as raised:
        ask(reader, "NYISO", "load")
    got = raised.value.retry_after_s
    assert got is None if wait_s is None else got is not None and wait_s[0] <= got <= wait_s[1]


def test_blanks_stay_missing_and_a_zone_that_is_blank_leaves_no_sum(
    reader: Reader, operators: Operators
) -> None:
    rows = made_up(DAY)
    rows.loc[rows.index[1], "solar_mw"] = None
    caiso = Caiso(rows)
    operators.answers = caiso
    assert [row[1:] for row in ask(reader, "CAISO", "mix")[:2]] == [[100.0, 200.0], [None, 201.0]]
    nyiso = Nyiso(DAY)
    whole = nyiso.load()
    first_west = next(line for line in whole.splitlines() if b",WEST," in line)
    cut = first_west.rsplit(b",", 1)[0] + b","
    operators.answers = lambda _: Answer(whole.replace(first_west, cut))
    load = ask(reader, "NYISO", "load")
    assert load[0][1] is None
    assert load[1][1] is not None


IMPOSSIBLE = [
    (-5.0, "negative"),
    (2_050_000.0, "kW for MW"),
    (0.0, "a zero for a blank"),
    (float("inf"), "infinite"),
]


@pytest.mark.parametrize("value", [value for value, _ in IMPOSSIBLE], ids=[why for _, why in IMPOSSIBLE])
def test_a_load_that_cannot_be_is_left_out_and_told(
    value: float, reader: Reader, operators: Operators
) -> None:
    rows = made_up(DAY)
    rows.loc[rows.index[7], "demand_mw"] = value
    operators.answers = Caiso(rows)
    found = readings(AREAS["CAISO"], feed_of(AREAS["CAISO"], "load"), ask(reader, "CAISO", "load"))
    at = START + timedelta(minutes=35)
    assert found.values[at] == {"load_mw": None}
    assert found.remarks == [Remark("refused", at, "load_mw", new=value)]
    assert sum(row["load_mw"] is not None for row in found.values.values()) == 287


def remade(change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    return b"\n".join(change(Caiso(made_up(DAY)).demand().splitlines())) + b"\n"


def test_a_stamp_that_is_there_twice_counts_once_if_equal_and_not_at_all_otherwise(
    reader: Reader, operators: Operators
) -> None:
    equal = remade(lambda lines: [*lines[:4], lines[3], *lines[4:]])
    other = remade(lambda lines: [*lines[:4], lines[3].replace(b"20002", b"20555"), *lines[4:]])
    feed, at = feed_of(AREAS["CAISO"], "load"), START + timedelta(minutes=10)
    operators.answers = lambda _: Answer(equal)
    found = readings(AREAS["CAISO"], feed, ask(reader, "CAISO", "load"))
    assert (found.values[at], found.remarks) == ({"load_mw": 20002.0}, [])
    operators.answers = lambda _: Answer(other)
    found = readings(AREAS["CAISO"], feed, ask(reader, "CAISO", "load"))
    assert found.values[at] == {"load_mw": None}
    assert [remark.kind for remark in found.remarks] == ["conflict"]


def test_an_interval_whose_fuels_ercot_gives_under_two_stamps_is_put_together(
    reader: Reader, operators: Operators
) -> None:
    fuels = ("Coal and Lignite", "Hydro", "Nuclear", "Power Storage", "Natural Gas", "Other")
    stamps = {
        "2021-02-14 00:04:57-0600": {**{fuel: {"gen": 1.0} for fuel in fuels}, "Solar": {"gen": 3.0}},
        "2021-02-14 00:05:02-0600": {"Wind": {"gen": 900.0}},
    }
    operators.answers = lambda _: Answer(json.dumps({"data": {"2021-02-14": stamps}}).encode())
    found = readings(AREAS["ERCOT"], feed_of(AREAS["ERCOT"], "mix"), ask(reader, "ERCOT", "mix"))
    assert found.values == {datetime(2021, 2, 14, 6, tzinfo=UTC): {"solar_mw": 3.0, "wind_mw": 900.0}}
    assert found.remarks == []


def test_the_hour_that_spring_skips_is_not_there(reader: Reader, operators: Operators) -> None:
    day = date(2019, 3, 10)
    lines = Caiso(made_up(day)).demand().splitlines()
    blanks = [f"02:{minute:02d},,,".encode() for minute in range(0, 60, 5)]
    operators.answers = lambda _: Answer(b"\n".join([*lines[:25], *blanks, *lines[25:]]) + b"\n")
    starts = [datetime.fromisoformat(row[0]) for row in ask(reader, "CAISO", "load", day)]
    first = datetime(2019, 3, 10, 8, tzinfo=UTC)
    assert starts == [first + timedelta(minutes=5 * i) for i in range(276)]


def test_the_hour_that_autumn_repeats_is_left_out_where_its_stamps_do_not_tell_which(
    reader: Reader, operators: Operators
) -> None:
    day = date(2019, 11, 3)
    operators.answers = Caiso(made_up(day))
    feed = feed_of(AREAS["CAISO"], "load")
    found = readings(AREAS["CAISO"], feed, ask(reader, "CAISO", "load", day))
    missing = sorted(start for start, row in found.values.items() if row["load_mw"] is None)
    one_o_clock = datetime(2019, 11, 3, 8, tzinfo=UTC)
    assert missing == [one_o_clock + timedelta(minutes=5 * i) for i in range(12)]
    assert one_o_clock + timedelta(hours=1) not in found.values
    afterwards = found.values[datetime(2019, 11, 3, 10, tzinfo=UTC)]
    assert afterwards == {"load_mw": 20_000.0 + 36}


@pytest.mark.parametrize(("day", "hours"), [(date(2017, 3, 12), 23), (date(2017, 11, 5), 25)])
def test_nyiso_says_which_of_the_two_hours_it_means(
    day: date, hours: int, reader: Reader, operators: Operators
) -> None:
    nyiso = Nyiso(day)
    operators.answers = nyiso
    starts = [datetime.fromisoformat(row[0]) for row in ask(reader, "NYISO", "load", day)]
    first = datetime(day.year, day.month, day.day, 5 if hours == 23 else 4, tzinfo=UTC)
    assert starts == [first + timedelta(minutes=5 * i) for i in range(12 * hours)]

"""The series store: idempotent, honest about age, readable while another process writes."""

import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grid.market import PriceQuote
from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.sqlite_store import SqliteStore

START = datetime(2024, 5, 1, tzinfo=UTC)
FIVE_S = timedelta(seconds=5)


def pulse(i: int, site: str = "area", net_load_kw: float | None = 100.0) -> Telemetry:
    return Telemetry(site, START + i * FIVE_S, load_kw=120.5, solar_kw=20.5, net_load_kw=net_load_kw)


def forecast(i: int, site: str = "area") -> Forecast:
    issued = START + i * FIVE_S
    return Forecast(site, issued, issued + timedelta(minutes=30), 100.0, -5.0, 1.0, 7.0, "model")


def event(ended_at: datetime | None = None) -> InstabilityEvent:
    return InstabilityEvent("evt-1", "area", "measured_ramp", START, ended_at, "warning", 12.5)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "telemetry.db")


def test_what_was_written_reads_back_equal(store: SqliteStore) -> None:
    pulses, made = [pulse(i) for i in range(3)], [forecast(i) for i in range(3)]
    quote = PriceQuote("area", START, 300.0, None, 31.5)
    store.write(pulses, made, [event()])
    store.write_quotes([quote])
    assert store.telemetry("area", START, START + FIVE_S * 3) == pulses
    assert store.forecasts("area", START, START + FIVE_S * 3) == made
    assert store.events("area", START) == [event()]
    assert store.quotes("area", START, START + FIVE_S) == [quote]


def test_ranges_include_their_start_and_not_their_end(store: SqliteStore) -> None:
    store.write([pulse(i) for i in range(4)])
    assert store.telemetry("area", START + FIVE_S, START + 3 * FIVE_S) == [pulse(1), pulse(2)]


def test_writing_twice_changes_nothing(store: SqliteStore) -> None:
    batch = ([pulse(0), pulse(1)], [forecast(0)], [event()])
    store.write(*batch)
    store.write(*batch)
    assert len(store.latest("area")) == 2
    assert len(store.forecasts("area", START, START + FIVE_S)) == 1
    assert len(store.events("area", START)) == 1


def test_the_first_observation_of_a_stamp_counts(store: SqliteStore) -> None:
    store.write([pulse(0, net_load_kw=1.0)])
    store.write([pulse(0, net_load_kw=2.0)])
    assert [seen.net_load_kw for seen in store.latest("area")] == [1.0]


def test_the_feature_store_shows_the_last_50_observations_oldest_first(store: SqliteStore) -> None:
    store.write([pulse(i) for i in range(80)] + [pulse(200, site="other")])
    shown = store.latest("area", 50)
    assert [seen.ts_utc for seen in shown] == [START + i * FIVE_S for i in range(30, 80)]


def test_a_missing_net_load_stays_missing_in_the_store(store: SqliteStore) -> None:
    store.write([pulse(0, net_load_kw=None)])
    assert store.latest("area")[0].net_load_kw is None
    assert store.latest("area")[0].wind_kw is None


def test_an_old_forecast_keeps_its_stamp_so_that_its_age_shows(store: SqliteStore) -> None:
    assert store.latest_forecast("area") is None
    store.write([pulse(i) for i in range(100)], [forecast(3), forecast(1)])
    found = store.latest_forecast("area")
    assert found is not None
    assert found.issued_at == START + 3 * FIVE_S


def test_an_event_is_replaced_by_its_newer_version_and_leaves_the_list_after_its_end(
    store: SqliteStore,
) -> None:
    ended = event(ended_at=START + timedelta(minutes=20))
    store.write([], [], [event()])
    store.write([], [], [ended])
    assert store.events("area", START + timedelta(minutes=20)) == [ended]
    assert store.events("area", START + timedelta(minutes=21)) == []


def test_a_quote_gains_its_real_time_price_later(store: SqliteStore) -> None:
    early = PriceQuote("area", START, 300.0, None, 31.5)
    store.write_quotes([early])
    store.write_quotes([replace(early, price_usd_per_mwh=-4.0)])
    assert store.quotes("area", START, START + FIVE_S)[0].price_usd_per_mwh == -4.0


def test_a_batch_that_cannot_be_written_whole_is_not_written_at_all(store: SqliteStore) -> None:
    broken = replace(forecast(0), p50_kw=None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.write([pulse(0)], [broken])
    assert store.latest("area") == []


def test_sites_are_those_with_telemetry(store: SqliteStore) -> None:
    assert store.sites() == []
    store.write([pulse(0, site=name) for name in ("b", "a")] + [pulse(1, site="a")])
    assert store.sites() == ["a", "b"]


def test_views_show_the_missions_own_names(store: SqliteStore, tmp_path: Path) -> None:
    store.write([pulse(0)], [forecast(0)])
    db = sqlite3.connect(tmp_path / "telemetry.db")
    db.row_factory = sqlite3.Row
    level = dict(db.execute("SELECT * FROM net_load").fetchone())
    change = dict(db.execute("SELECT * FROM predictions").fetchone())
    db.close()
    assert level == {"site": "area", "ts_utc": "2024-05-01T00:00:00.000Z", "Net_Load_kW": 100.0}
    assert change["Predicted_30min_Change"] == 1.0
    assert change["target_at_utc"] == "2024-05-01T00:30:00.000Z"


def test_a_reader_cannot_write(store: SqliteStore, tmp_path: Path) -> None:
    with (
        SqliteStore(tmp_path / "telemetry.db", read_only=True) as reader,
        pytest.raises(StoreError, match="reading"),
    ):
        reader.write([pulse(0)])


def test_a_reader_of_a_store_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="start the stream"):
        SqliteStore(tmp_path / "none.db", read_only=True)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "telemetry.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"telemetry\.db"):
        SqliteStore(tmp_path / "telemetry.db")


def test_a_store_of_another_version_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    store.close()
    db = sqlite3.connect(tmp_path / "telemetry.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="version 99"):
        SqliteStore(tmp_path / "telemetry.db")


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from grid.telemetry import Telemetry
from pipeline.sqlite_store import SqliteStore
store = SqliteStore(sys.argv[1])
for i in range(300):
    at = datetime(2024, 5, 1, tzinfo=UTC) + timedelta(seconds=10 * i)
    store.write([Telemetry("area", at, net_load_kw=float(i)),
                 Telemetry("area", at + timedelta(seconds=5), net_load_kw=float(i))])
    if i == 5:
        print("started", flush=True)
"""


def test_reading_goes_on_while_another_process_writes(tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "telemetry.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=repository, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "started\n"
        counts = []
        with SqliteStore(path, read_only=True) as reader:
            while writer.poll() is None:
                counts.append(len(reader.latest("area", 1000)))
            counts.append(len(reader.latest("area", 1000)))
    assert writer.returncode == 0
    assert counts == sorted(counts)
    assert all(count % 2 == 0 for count in counts), "a reader saw half of a transaction"
    assert counts[-1] == 600

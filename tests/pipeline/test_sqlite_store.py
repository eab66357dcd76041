"""What is SQLite's own: first come, first kept; one file; readable while another process writes."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grid.settled import EnergyTrade
from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore

START = datetime(2024, 5, 1, tzinfo=UTC)
FIVE_S = timedelta(seconds=5)


def pulse(i: int, site: str = "area", net_load_kw: float | None = 100.0) -> Telemetry:
    return Telemetry(site, START + i * FIVE_S, load_kw=120.5, solar_kw=20.5, net_load_kw=net_load_kw)


def forecast(i: int, site: str = "area") -> Forecast:
    issued = START + i * FIVE_S
    return Forecast(site, issued, issued + timedelta(minutes=30), 100.0, -5.0, 1.0, 7.0, "model")


def test_the_first_observation_of_a_stamp_counts(store: SqliteStore) -> None:
    store.write([pulse(0, net_load_kw=1.0)])
    store.write([pulse(0, net_load_kw=2.0)])
    assert [seen.net_load_kw for seen in store.latest("area")] == [1.0]


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


def test_a_store_of_an_older_version_is_brought_up_to_date_by_its_writer_alone(
    store: SqliteStore, tmp_path: Path
) -> None:
    store.write([pulse(0)], [forecast(0)])
    store.close()
    with closing(sqlite3.connect(tmp_path / "telemetry.db")) as db:
        db.executescript(
            "DROP TABLE dispatches; DROP TABLE trades; DROP TABLE slots; DROP TABLE verdicts; "
            "PRAGMA user_version = 1"
        )
    with pytest.raises(StoreError, match="version 1, not 4; start the stream"):
        SqliteStore(tmp_path / "telemetry.db", read_only=True)
    sold = EnergyTrade("area", "peaker", START, 300.0, 25.0, 40.0, 1.0)
    with SqliteStore(tmp_path / "telemetry.db") as writer:
        writer.write_settled([], [sold])
        assert writer.latest("area") == [pulse(0)]
        assert writer.trades("area", START, START + FIVE_S) == [sold]
    SqliteStore(tmp_path / "telemetry.db", read_only=True).close()


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

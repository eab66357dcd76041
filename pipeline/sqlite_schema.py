"""The tables of the SQLite series store, version by version."""

from typing import Final

_SERIES: Final = """
CREATE TABLE telemetry (
    site TEXT NOT NULL, ts INTEGER NOT NULL,
    load_kw REAL, solar_kw REAL, wind_kw REAL, net_load_kw REAL,
    price_usd_per_mwh REAL, da_price_usd_per_mwh REAL, frequency_hz REAL,
    PRIMARY KEY (site, ts)
) WITHOUT ROWID;
CREATE TABLE forecasts (
    site TEXT NOT NULL, issued_at INTEGER NOT NULL, target_at INTEGER NOT NULL,
    net_load_kw REAL NOT NULL, p10_kw REAL NOT NULL, p50_kw REAL NOT NULL, p90_kw REAL NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (site, issued_at, target_at)
) WITHOUT ROWID;
CREATE TABLE events (
    site TEXT NOT NULL, started_at INTEGER NOT NULL, event_id TEXT NOT NULL,
    kind TEXT NOT NULL, ended_at INTEGER, severity TEXT NOT NULL, cause_kw REAL,
    PRIMARY KEY (site, started_at, event_id)
) WITHOUT ROWID;
CREATE TABLE quotes (
    site TEXT NOT NULL, ts INTEGER NOT NULL, interval_s REAL NOT NULL,
    price_usd_per_mwh REAL, da_price_usd_per_mwh REAL,
    PRIMARY KEY (site, ts)
) WITHOUT ROWID;
CREATE VIEW net_load AS
    SELECT site, strftime('%Y-%m-%dT%H:%M:%fZ', ts / 1e6, 'unixepoch') AS ts_utc,
           net_load_kw AS Net_Load_kW
    FROM telemetry;
CREATE VIEW predictions AS
    SELECT site, strftime('%Y-%m-%dT%H:%M:%fZ', issued_at / 1e6, 'unixepoch') AS issued_at_utc,
           strftime('%Y-%m-%dT%H:%M:%fZ', target_at / 1e6, 'unixepoch') AS target_at_utc,
           p50_kw AS Predicted_30min_Change, p10_kw, p90_kw, net_load_kw AS Net_Load_kW, model
    FROM forecasts;
"""
_SETTLED: Final = """
CREATE TABLE dispatches (
    site TEXT NOT NULL, start INTEGER NOT NULL, asset TEXT NOT NULL,
    duration_s REAL NOT NULL, power_kw REAL NOT NULL, setpoint_kw REAL NOT NULL,
    dispatch_id TEXT, proposal_id TEXT, requester TEXT, event_id TEXT,
    PRIMARY KEY (site, start, asset)
) WITHOUT ROWID;
CREATE TABLE trades (
    site TEXT NOT NULL, start INTEGER NOT NULL, asset TEXT NOT NULL,
    duration_s REAL NOT NULL, energy_kwh REAL NOT NULL,
    price_usd_per_mwh REAL, value_usd REAL,
    PRIMARY KEY (site, start, asset)
) WITHOUT ROWID;
"""
_SLOTS: Final = """
CREATE TABLE slots (
    site TEXT NOT NULL, start INTEGER NOT NULL, quanta INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (site, start)
) WITHOUT ROWID;
"""
_VERDICTS: Final = """
CREATE TABLE verdicts (
    site TEXT NOT NULL, ts INTEGER NOT NULL,
    alarm INTEGER NOT NULL, score REAL, trust REAL,
    channel TEXT, kind TEXT, since INTEGER, substitute_kw REAL,
    PRIMARY KEY (site, ts)
) WITHOUT ROWID;
"""
_VERSIONS: Final = (_SERIES, _SETTLED, _SLOTS, _VERDICTS)
"""What each version adds to the one before."""

SCHEMA_VERSION: Final = len(_VERSIONS)


def statements_since(version: int) -> list[str]:
    """What brings a store of a version (0: an empty file) up to :data:`SCHEMA_VERSION`."""
    added = "".join(_VERSIONS[version:])
    steps = [statement.strip() for statement in added.split(";")]
    return [*filter(None, steps), f"PRAGMA user_version = {SCHEMA_VERSION}"]

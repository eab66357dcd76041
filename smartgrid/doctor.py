"""What is configured, what is reachable, what is missing, and how to fix it."""

import os
import platform
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from dispatch.errors import DispatchError, NoLedgerError
from grid.clock import RealClock
from grid.drivers import DriverError
from grid.drivers.modbus import ModbusDriver
from knowledge.index import open_index
from pipeline.errors import PipelineError
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.influx_store import InfluxStore
from pipeline.messages import TELEMETRY_TOPIC
from policies.errors import PolicyError
from policies.limits import load_limits
from smartgrid.errors import SmartGridError
from smartgrid.influx_access import influx_target
from smartgrid.kafka_access import kafka_connection
from smartgrid.ledger_access import open_ledger, owner_of
from smartgrid.model_home import has_model
from smartgrid.series_store import series_reader
from smartgrid.settings import Settings, config_file
from tools.registry import discover_tools

REACH_S = 3.0
"""How long a broker is waited for."""

Level = Literal["ok", "missing", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: ``missing`` is no error: what it names comes into being, or is optional.
        fix: what to do; empty where nothing is.
    """

    what: str
    level: Level
    detail: str
    fix: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is changed."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _program,
        _state,
        _limits,
        _model,
        _ledger,
        _store,
        _kafka,
        _influx,
        _modbus,
        _tools,
        _knowledge,
        _port,
    )
    return [finding for check in checks for finding in check(settings)]


def _program(_settings: Settings) -> Iterator[Finding]:
    yield Finding(
        "program", "ok", f"smartgrid-ai {version('smartgrid-ai')}, Python {platform.python_version()}"
    )


def _state(settings: Settings) -> Iterator[Finding]:
    state = settings.state
    existing = next(folder for folder in (state, *state.absolute().parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        fix = "choose another with --state or SMARTGRID_STATE"
        yield Finding("state", "wrong", f"{state} cannot be written", fix)
    elif state.exists():
        yield Finding("state", "ok", str(state))
    else:
        yield Finding("state", "missing", f"{state} does not exist yet", "'smartgrid up' makes it")
    config = config_file(state)
    if config.exists():
        yield Finding("settings", "ok", str(config))
    else:
        yield Finding(
            "settings",
            "ok",
            "defaults and SMARTGRID_* variables",
            "'smartgrid config init' writes a file to change",
        )


def _limits(settings: Settings) -> Iterator[Finding]:
    try:
        load_limits(settings.limits)
    except PolicyError as error:
        yield Finding(
            "limits", "wrong", str(error), "correct the file, or leave limits unset for the default"
        )
    else:
        yield Finding("limits", "ok", str(settings.limits or "the default, safe on any area"))


def _model(settings: Settings) -> Iterator[Finding]:
    if not has_model(settings.model_dir):
        yield Finding("model", "missing", "none yet", "'smartgrid up' trains one; or 'smartgrid train FILE'")
        return
    try:
        metadata = load_stream_model(settings.model_dir).metadata
    except PipelineError as error:
        yield Finding("model", "wrong", str(error), "train again with 'smartgrid train'")
        return
    span = f"{metadata.data_start} to {metadata.data_end}, every {metadata.cadence_s:g} s"
    yield Finding("model", "ok", f"{metadata.rows:,} rows, {span}")


def _ledger(settings: Settings) -> Iterator[Finding]:
    try:
        ledger = open_ledger(settings)
    except NoLedgerError:
        yield Finding("ledger", "missing", "no plant has run here yet", "start one: smartgrid up")
        return
    except DispatchError as error:
        fix = "restore a back-up" if settings.ledger_url is None else "see docs/ledger.md"
        yield Finding("ledger", "wrong", str(error), fix)
        return
    owner, audit = owner_of(ledger), ledger.verify_audit()
    ledger.close()
    if owner is None:
        yield Finding("plant", "missing", "no process owns the plant now", "start one: smartgrid up")
    else:
        yield Finding("plant", "ok", f"owned by process {owner}; 'smartgrid mcp' joins it")
    if audit.ok:
        seen = audit.note or "chain, signatures and head file agree"
        yield Finding("audit", "ok", f"{audit.count:,} entries; {seen}")
    else:
        yield Finding("audit", "wrong", audit.problem, "keep all three files as they are, and investigate")


def _store(settings: Settings) -> Iterator[Finding]:
    if settings.influx_url is None and not settings.telemetry_db.is_file():
        yield Finding("telemetry", "missing", "nothing measured yet", "start a plant: smartgrid up")
        return
    try:
        with series_reader(settings) as store:
            newest = {site: store.latest(site, 1)[-1].ts_utc for site in store.sites()}
    except (PipelineError, SmartGridError) as error:
        fix = "move the file away; the stream makes a new one"
        yield Finding("telemetry", "wrong", str(error), fix if settings.influx_url is None else "see influx")
        return
    for site, ts_utc in newest.items():
        yield Finding("telemetry", "ok", f"{site}: newest pulse {ts_utc.isoformat()}")


def _kafka(settings: Settings) -> Iterator[Finding]:
    if settings.kafka is None:
        yield Finding("kafka", "missing", "not set: the stream is embedded", "set SMARTGRID_KAFKA to use it")
        return
    try:
        quiet = {**kafka_connection(settings).config(), "log_level": 0}  # its failures are told below
        known = AdminClient(quiet).list_topics(timeout=REACH_S).topics
    except (PipelineError, KafkaException) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        fix = "start the broker, or correct the setting"
        yield Finding("kafka", "wrong", f"{settings.kafka}: {reason}", fix)
        return
    if TELEMETRY_TOPIC in known:
        yield Finding("kafka", "ok", f"{settings.kafka}: {TELEMETRY_TOPIC} is there")
    else:
        yield Finding(
            "kafka", "missing", f"{settings.kafka}: no {TELEMETRY_TOPIC}", "smartgrid topics create"
        )


def _influx(settings: Settings) -> Iterator[Finding]:
    if settings.influx_url is None:
        detail, fix = "not set: series go to SQLite", "set SMARTGRID_INFLUX_URL to use it"
        yield Finding("influxdb", "missing", detail, fix)
        return
    try:
        with InfluxStore(influx_target(settings)) as store:
            sites = len(store.sites())
    except (PipelineError, SmartGridError) as error:
        yield Finding(
            "influxdb", "wrong", str(error), "start it, correct the settings, or 'smartgrid store init'"
        )
        return
    yield Finding("influxdb", "ok", f"{settings.influx_url}, bucket {settings.influx_bucket}: {sites} sites")


def _modbus(settings: Settings) -> Iterator[Finding]:
    if settings.modbus is None:
        yield Finding("modbus", "missing", "not set: the plant is simulated", "--modbus HOST:PORT names one")
        return
    name, driver = settings.modbus.name, ModbusDriver(settings.modbus, RealClock())
    try:
        readings, metered = driver.look()
    except DriverError as error:
        yield Finding("modbus", "wrong", str(error), "start it (smartgrid plant), or see docs/modbus.md")
        return
    finally:
        driver.close()
    if metered is None:
        yield Finding("modbus", "wrong", f"{name}: no meter is named", "give modbus.meter its registers")
    else:
        yield Finding("modbus", "ok", f"{name}: answers, its clock shows {readings.ts_utc.isoformat()}")


def _tools(_settings: Settings) -> Iterator[Finding]:
    found = discover_tools()
    yield Finding("tools", "ok", f"{len(found.tools)}: {', '.join(tool.name for tool in found.tools)}")
    for plugin in found.broken:
        yield Finding(
            "tools",
            "wrong",
            f"plugin {plugin.name} of {plugin.package or 'an unknown package'}: {plugin.reason}",
            "mend or uninstall that package; the others work",
        )


def _knowledge(settings: Settings) -> Iterator[Finding]:
    if open_index(settings.state / "knowledge") is None:
        yield Finding(
            "regulation index",
            "missing",
            "none yet: the first look-up indexes the digest",
            "nothing to do; 'smartgrid knowledge ingest DIR' adds the official PDFs",
        )
    else:
        yield Finding("regulation index", "ok", str(settings.state / "knowledge"))


def _port(settings: Settings) -> Iterator[Finding]:
    address = f"http://{settings.http_host}:{settings.http_port}"
    try:
        with socket.create_connection((settings.http_host, settings.http_port), timeout=1.0):
            yield Finding("http", "ok", f"something answers at {address}")
    except OSError:
        yield Finding("http", "missing", f"nothing answers at {address}", "'smartgrid up' serves there")

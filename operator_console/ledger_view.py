"""What the ledger tells the page: assets, approvals, a halt, dispatches without a receipt."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from dispatch import receipts
from dispatch.approvals import Approval, Approvals
from dispatch.flags import Halt, halt_of
from dispatch.readings import latest_report, local_day
from dispatch.receipts import Dispatch
from dispatch.schema import audit
from dispatch.supervision import Alarm, Heartbeat, alarm_of, heartbeat_of
from operator_console.source import ConsoleSource
from operator_console.viewpoint import Age, Viewpoint, finite

SETTLED_SHOWN = 12


@dataclass(frozen=True, slots=True)
class BatterySeen:
    """The battery as last reported; positive power discharges."""

    power_kw: float | None
    setpoint_kw: float | None
    soc_kwh: float | None
    soc_pct: float | None
    cycles_today: float | None


@dataclass(frozen=True, slots=True)
class PeakerSeen:
    """The gas peaker as last reported."""

    on: bool
    power_kw: float | None
    setpoint_kw: float | None
    starts_today: int


@dataclass(frozen=True, slots=True)
class AssetsSeen:
    """Both, with the age of the report; None before the first."""

    battery: BatterySeen | None
    peaker: PeakerSeen | None
    spent_today: float | None
    age: Age


@dataclass(frozen=True, slots=True)
class LedgerSeen:
    """Everything that is read from the ledger in one view of it."""

    assets: AssetsSeen
    halt: Halt | None
    heartbeat: Heartbeat | None
    watchdog: Alarm | None
    standing: Dispatch | None
    audit_entries: int


def ledger_seen(source: ConsoleSource, view: Viewpoint) -> LedgerSeen:
    """The ledger now; the audit's chain is not verified, that is too dear for every look."""
    with source.ledger.reading() as connection:
        entries = connection.execute(select(func.max(audit.c.seq))).scalar_one()
        return LedgerSeen(
            assets=_assets(connection, source, view),
            halt=halt_of(connection),
            heartbeat=heartbeat_of(connection),
            watchdog=alarm_of(connection),
            standing=receipts.standing(connection),
            audit_entries=entries or 0,
        )


def approvals_seen(source: ConsoleSource) -> tuple[list[Approval], list[Approval]]:
    """The requests that wait, the oldest first; and the last that no longer wait, the newest first."""
    desk = _listing(source)
    waiting = desk.list("PENDING")
    newest = desk.newest(SETTLED_SHOWN + len(waiting))
    return waiting, [asked for asked in newest if asked.state != "PENDING"][:SETTLED_SHOWN]


def one_approval(source: ConsoleSource, approval_id: str) -> Approval:
    """A request by its number, whatever became of it.

    Raises:
        ApprovalError: when there is none.
    """
    return _listing(source).get(approval_id)


def _listing(source: ConsoleSource) -> Approvals:
    # Only for looking; whether two people are required matters where somebody decides.
    return Approvals(source.ledger, source.clock, require_two_people=True)


def _assets(connection: Connection, source: ConsoleSource, view: Viewpoint) -> AssetsSeen:
    report = latest_report(connection)
    if report is None:
        return AssetsSeen(None, None, None, view.age(None))
    readings = report.readings
    today = report.on_day(local_day(view.now, ZoneInfo(source.tz)))
    battery, peaker = readings.battery, readings.peaker
    return AssetsSeen(
        BatterySeen(
            power_kw=finite(battery.power_kw),
            setpoint_kw=finite(readings.battery_setpoint_kw),
            soc_kwh=finite(battery.soc_kwh),
            soc_pct=finite(100.0 * battery.soc_kwh / source.battery_energy_kwh),
            cycles_today=finite(today.cell_discharged_today_kwh / source.battery_energy_kwh),
        ),
        PeakerSeen(
            peaker.on, finite(peaker.power_kw), finite(readings.peaker_setpoint_kw), today.starts_today
        ),
        finite(today.spent_today_usd),
        view.age(readings.ts_utc),
    )

"""What the ledger tells the page: assets, approvals, dispatches, a halt, the length of the audit."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from dispatch import receipts
from dispatch.approvals import Approval, Approvals
from dispatch.findings import to_json
from dispatch.flags import halt_of
from dispatch.ledger import Ledger
from dispatch.readings import latest_report, local_day
from dispatch.receipts import Dispatch
from dispatch.schema import audit, dispatches
from grid.clock import Clock
from operator_console.viewpoint import Viewpoint, finite

DISPATCHES_SHOWN = 20
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def assets_view(connection: Connection, view: Viewpoint, battery_energy_kwh: float) -> dict[str, object]:
    """Battery and peaker as the plant's owner last reported them; powers in kW, positive injects."""
    report = latest_report(connection)
    if report is None:
        return {"reported_at": None, "battery": None, "peaker": None, **view.freshness(None)}
    readings = report.readings
    battery, peaker = readings.battery, readings.peaker
    return {
        "reported_at": view.local(readings.ts_utc),
        "battery": {
            "power_kw": finite(battery.power_kw),
            "setpoint_kw": finite(readings.battery_setpoint_kw),
            "soc_kwh": finite(battery.soc_kwh),
            "soc_pct": finite(100.0 * battery.soc_kwh / battery_energy_kwh),
        },
        "peaker": {
            "on": peaker.on,
            "power_kw": finite(peaker.power_kw),
            "setpoint_kw": finite(readings.peaker_setpoint_kw),
            "starts_today": report.on_day(local_day(view.now, view.zone)).starts_today,
        },
        **view.freshness(readings.ts_utc),
    }


def halt_view(connection: Connection, view: Viewpoint) -> dict[str, object] | None:
    """Who halted the autonomy, when and why; None while it is not halted."""
    halt = halt_of(connection)
    return None if halt is None else {"by": halt.by, "at": view.local(halt.at), "reason": halt.reason}


def audit_entries(connection: Connection) -> int:
    """How many entries the audit holds by its numbering; whether they hold is for the audit command."""
    return connection.execute(select(func.max(audit.c.seq))).scalar_one() or 0


def dispatches_view(connection: Connection, view: Viewpoint) -> list[dict[str, object]]:
    """The last dispatches, newest first; powers in kW, positive injects."""
    newest = select(dispatches.c.at).order_by(dispatches.c.id.desc()).limit(DISPATCHES_SHOWN)
    times = connection.execute(newest).scalars().all()
    if not times:
        return []
    found = receipts.history(connection, min(times), END_OF_TIME)
    return [_dispatch(item, view) for item in reversed(found[-DISPATCHES_SHOWN:])]


def _dispatch(item: Dispatch, view: Viewpoint) -> dict[str, object]:
    setpoints = item.setpoints
    return {
        "dispatch_id": item.dispatch_id,
        "at": view.local(item.at),
        "battery_kw": finite(setpoints.battery_kw),
        "peaker_kw": finite(setpoints.peaker_kw),
        "battery_proposals": list(setpoints.battery_proposals),
        "peaker_proposals": list(setpoints.peaker_proposals),
        "event_ids": list(setpoints.event_ids),
        "rules": to_json(setpoints.rules),
        "state": item.state,
        "receipt_at": view.local(item.receipt_at),
    }


def approvals_view(ledger: Ledger, clock: Clock, view: Viewpoint) -> list[dict[str, object]]:
    """The requests that wait for a person, oldest first, with the commands that decide them."""
    # The console only lists; whether two people are required matters where somebody decides.
    desk = Approvals(ledger, clock, require_two_people=True)
    return _approvals(desk.list("PENDING"), view)


def _approvals(waiting: Iterable[Approval], view: Viewpoint) -> list[dict[str, object]]:
    return [
        {
            "approval_id": asked.approval_id,
            "requester": asked.requester,
            "asset": asked.asset,
            "power_kw": finite(asked.power_kw),
            "duration_min": finite(asked.duration_s / 60.0),
            "reason": asked.reason,
            "expected_effect": asked.expected_effect,
            "expected_cost": finite(asked.expected_cost_usd),
            "event_id": asked.event_id,
            "rules": to_json(asked.findings),
            "asked_at": view.local(asked.created_at),
            "expires_at": view.local(asked.expires_at),
            "commands": _commands(asked.approval_id),
        }
        for asked in waiting
    ]


def _commands(approval_id: str) -> Sequence[str]:
    return [f"smartgrid approvals {verb} {approval_id} --reason …" for verb in ("approve", "deny")]

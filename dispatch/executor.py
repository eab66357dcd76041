"""The executor: takes what the arbiter merged to the driver. Only the plant's owner runs one.

Each tick the devices are read; then, in one transaction: renew the lease, record what they reported,
close what expired, merge the live proposals, run the physical guardrails once more on the merged
setpoints, and write the intent if something changed. Then the driver acts, then the receipt is written.
The driver is asked at every tick, changed or not, so that a device whose setpoint times out keeps
hearing from us; never inside a transaction, so that nobody waits in the ledger for a slow device.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy import Connection

from dispatch import approvals, proposals, receipts
from dispatch.findings import to_json
from dispatch.lease import Lease
from dispatch.ledger import Ledger, Transaction
from dispatch.plant_clock import ClockReading, write_plant_clock
from dispatch.readings import PlantReport, latest_report, local_day, next_report, store
from dispatch.receipts import Setpoints
from grid.clock import Clock
from grid.drivers import AssetReadings, Driver
from policies.arbiter import Target, merge
from policies.guardrails import evaluate_setpoint
from policies.limits import PlantLimits
from policies.proposal import AssetName
from policies.verdict import GuardrailState, Verdict

ACTOR = "executor"
SAME_KW = 1e-6
"""Setpoints that differ by less are the same to a device."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a tick asked of the devices; ``changed`` says whether it differs from before."""

    at: datetime
    dispatch_id: str
    setpoints: Setpoints
    changed: bool


class Executor:
    """Merges, checks and applies setpoints for one plant."""

    def __init__(
        self,
        ledger: Ledger,
        driver: Driver,
        lease: Lease,
        limits: PlantLimits,
        clock: Clock,
        *,
        price: Callable[[], float | None],
        zone: tzinfo,
        interval_s: float | None = None,
        pace: float = 1.0,
    ) -> None:
        """Bind the executor to its plant; the lease must have been acquired.

        Args:
            ledger: where proposals come from and dispatches go.
            driver: of the devices.
            lease: this process's hold on them.
            limits: of this plant.
            clock: the plant's time.
            price: the real-time price now, in USD per MWh; None when missing. Books what charging costs.
            zone: of the site, for limits per local day.
            interval_s: how long a setpoint is held until the next tick; the limits' interval when None.
            pace: seconds of the plant per second of wall time, for processes that read its clock.
        """
        self._ledger = ledger
        self._driver = driver
        self._lease = lease
        self._limits = limits
        self._clock = clock
        self._price = price
        self._zone = zone
        self._interval_s = interval_s or limits.interval_s
        self._pace = pace
        # Reports go into the ledger in the order in which they were read: counters that go back would
        # be taken for those of a device that counts anew.
        self._turn = threading.Lock()

    def report(self) -> PlantReport:
        """Record what the devices report, so that every process decides on it.

        Raises:
            LeaseLostError: when another process owns the plant.
        """
        with self._turn:
            seen = self._look()
            with self._ledger.transaction() as transaction:
                return self._report(transaction, *seen)

    def reconcile(self) -> list[str]:
        """At start: record the devices' state and close the intents that a crash left open.

        Returns:
            the numbers of the dispatches that were closed.

        Raises:
            LeaseLostError: when another process owns the plant.
        """
        with self._turn:
            seen = self._look()
            with self._ledger.transaction() as transaction:
                report = self._report(transaction, *seen)
                return self._close_open_intents(transaction, report.readings)

    def tick(self) -> Applied:
        """Set the setpoints for the coming interval.

        Raises:
            LeaseLostError: when another process owns the plant; nothing was asked of the devices.
        """
        with self._turn:
            return self._tick()

    def _tick(self) -> Applied:
        seen, now = self._look(), self._clock.now()
        with self._ledger.transaction() as transaction:
            report = self._report(transaction, *seen)
            self._close_open_intents(transaction, report.readings)
            self._expire(transaction, now)
            wanted = self._merge(transaction.connection, report, now)
            dispatch_id, changed = _intend(transaction, wanted, now)
            reading = ClockReading(now, self._lease.wall_s(), self._pace)
            write_plant_clock(transaction.connection, reading)
        self._driver.apply(wanted.battery_kw, wanted.peaker_kw)
        if changed:
            with self._ledger.transaction() as transaction:
                receipts.close_intent(transaction.connection, dispatch_id, "APPLIED", self._clock.now())
        return Applied(now, dispatch_id, wanted, changed)

    def _look(self) -> tuple[AssetReadings, float | None]:
        """What the devices report, and the price: asked before the transaction, stored by its rules."""
        return self._driver.read(), self._price()

    def _report(
        self, transaction: Transaction, readings: AssetReadings, price_usd_per_mwh: float | None
    ) -> PlantReport:
        connection = transaction.connection
        self._lease.renew(connection)
        last = latest_report(connection)
        report = next_report(last, readings, price_usd_per_mwh, self._zone, self._limits)
        store(connection, report)
        return report

    def _close_open_intents(self, transaction: Transaction, readings: AssetReadings) -> list[str]:
        closed = []
        for intent in receipts.open_intents(transaction.connection):
            asked = self._driver.taken_kw(intent.setpoints.battery_kw, intent.setpoints.peaker_kw)
            state = "RECONCILED" if _has(readings, *asked) else "NOT_APPLIED"
            now = self._clock.now()
            receipts.close_intent(transaction.connection, intent.dispatch_id, state, now)
            payload = {
                "dispatch_id": intent.dispatch_id,
                "state": state,
                "reported_battery_setpoint_kw": readings.battery_setpoint_kw,
                "reported_peaker_setpoint_kw": readings.peaker_setpoint_kw,
            }
            transaction.audit(now, "dispatch_reconciled", ACTOR, payload)
            closed.append(intent.dispatch_id)
        return closed

    def _expire(self, transaction: Transaction, now: datetime) -> None:
        over = {
            "proposals": list(proposals.expire(transaction.connection, now)),
            "approvals": approvals.expire(transaction.connection, now),
        }
        if any(over.values()):
            transaction.audit(now, "expired", ACTOR, over)

    def _merge(self, connection: Connection, report: PlantReport, now: datetime) -> Setpoints:
        today = report.on_day(local_day(now, self._zone))
        state = GuardrailState(
            interval_s=self._interval_s,
            battery=today.readings.battery,
            peaker=today.readings.peaker,
            battery_discharged_today_kwh=today.cell_discharged_today_kwh,
            peaker_starts_today=today.starts_today,
        )
        battery, battery_verdict = self._asset(connection, "battery", state, now)
        peaker, peaker_verdict = self._asset(connection, "peaker", state, now)
        claims = [claim for target in (battery, peaker) if target is not None for claim in target.sources]
        return Setpoints(
            battery_kw=battery_verdict.power_kw,
            peaker_kw=peaker_verdict.power_kw,
            battery_proposals=_ids(battery),
            peaker_proposals=_ids(peaker),
            event_ids=tuple(dict.fromkeys(claim.event_id for claim in claims if claim.event_id)),
            rules=battery_verdict.findings + peaker_verdict.findings,
        )

    def _asset(
        self, connection: Connection, asset: AssetName, state: GuardrailState, now: datetime
    ) -> tuple[Target | None, Verdict]:
        """The merged target of one asset, and its setpoint after the last check."""
        claims = proposals.live_claims(connection, asset)
        spec = self._limits.battery if asset == "battery" else self._limits.peaker
        bounds = (-spec.power_kw if asset == "battery" else 0.0, spec.power_kw)
        target = merge(claims, bounds, now)
        wish_kw = None if target is None else target.power_kw
        return target, evaluate_setpoint(asset, wish_kw, state, self._limits)


def _ids(target: Target | None) -> tuple[str, ...]:
    return () if target is None else tuple(str(claim.proposal_id) for claim in target.sources)


def _has(readings: AssetReadings, battery_kw: float, peaker_kw: float) -> bool:
    return (
        abs(readings.battery_setpoint_kw - battery_kw) <= SAME_KW
        and abs(readings.peaker_setpoint_kw - peaker_kw) <= SAME_KW
    )


def _intend(transaction: Transaction, wanted: Setpoints, now: datetime) -> tuple[str, bool]:
    """Write the intent if something changed; the number of the dispatch in force."""
    before = receipts.standing(transaction.connection)
    in_force = before is not None and before.state in ("APPLIED", "RECONCILED")
    if before is not None and in_force and before.setpoints.same_as(wanted):
        return before.dispatch_id, False
    dispatch_id = receipts.write_intent(transaction.connection, wanted, now)
    payload = {
        "dispatch_id": dispatch_id,
        "battery_kw": wanted.battery_kw,
        "peaker_kw": wanted.peaker_kw,
        "battery_proposals": list(wanted.battery_proposals),
        "peaker_proposals": list(wanted.peaker_proposals),
        "event_ids": list(wanted.event_ids),
        "rules": to_json(wanted.rules),
    }
    transaction.audit(now, "dispatch_intended", ACTOR, payload)
    return dispatch_id, True

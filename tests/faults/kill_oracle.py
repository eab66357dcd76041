"""What must hold after a day with killed processes, by the ledger and by the device's own log."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import select

from dispatch.ledger import Ledger
from dispatch.readings import latest_report
from dispatch.schema import approvals, dispatches, proposals
from grid.drivers import AssetReadings
from tests.faults.kill_actors import IN_FORCE, Acknowledged, Person

SETPOINTS = re.compile(r"setpoints at (\S+ \S+): battery (\S+) kW, peaker (\S+) kW")

AT_ONCE = timedelta(minutes=5)
"""Three seconds at the pace of this test: a proposal may be written while the owner decides without it."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class Findings:
    """What the ledger and the device say.

    Attributes:
        written: the setpoints that the device was given, each change once, in their order.
        dispatched: those that the ledger calls applied or reconciled; repeated ones once.
        states: how many dispatches ended how.
        proposals: how many were accepted, of whom.
        twice: keys or approvals that acted more than once, and dispatches of proposals that were over.
        lost: acknowledged proposals that are not in the ledger, or in no dispatch that was carried out.
        soc_kwh: in the ledger, and in the device.
        counted: energies that ledger and device have counted.
        audit: what the audit says.
    """

    written: list[Pair]
    dispatched: list[Pair]
    states: Counter[str]
    proposals: Counter[str]
    twice: list[str]
    lost: list[Acknowledged]
    soc_kwh: Pair
    counted: tuple[tuple[float, ...], tuple[float, ...]]
    audit: str


def judge(ledger: Ledger, device: AssetReadings, log: Path, person: Person) -> Findings:
    """Compare the ledger with the device.

    Args:
        ledger: while nobody writes it any more.
        device: its readings, at rest.
        log: the device's.
        person: who was told what.
    """
    with ledger.reading() as connection:
        rows = connection.execute(select(dispatches).order_by(dispatches.c.id)).all()
        made = connection.execute(select(proposals).order_by(proposals.c.id)).all()
        consumed = connection.execute(select(approvals.c.id).where(approvals.c.state == "CONSUMED")).scalars()
        report, spent = latest_report(connection), sorted(consumed)
    assert report is not None
    approved = sorted(row.approval_id for row in made if row.approval_id is not None)
    keys = Counter((row.requester, row.idempotency_key) for row in made if row.idempotency_key is not None)
    twice = [str(key) for key, count in keys.items() if count > 1]
    twice += [] if approved == spent else [f"approvals used by proposals {approved}, consumed {spent}"]
    twice += [text for row in rows for text in _over(row, made)]
    ids = {str(row.id) for row in made}
    done = [(row.battery_kw, row.peaker_kw) for row in rows if row.state in IN_FORCE]
    lost = [
        told
        for told in person.acknowledged
        if told.proposal_id not in ids or not person.executed(told.proposal_id)
    ]
    verified = ledger.verify_audit()
    return Findings(
        written=_changes(_logged(log)),
        dispatched=_changes(done),
        states=Counter(row.state for row in rows),
        proposals=Counter(row.requester for row in made),
        twice=twice,
        lost=lost,
        soc_kwh=(report.readings.battery.soc_kwh, device.battery.soc_kwh),
        counted=(_energies(report.readings), _energies(device)),
        audit=f"{verified.count} entries" if verified.ok else verified.problem,
    )


def _over(dispatch: Any, made: Sequence[Any]) -> Iterator[str]:
    """The proposals that a dispatch came of although they had ended, or a newer one had replaced them."""
    for proposal in made:
        if str(proposal.id) not in (*dispatch.battery_proposals, *dispatch.peaker_proposals):
            continue
        newer = [
            other
            for other in made
            if (other.requester, other.asset) == (proposal.requester, proposal.asset)
            and other.id > proposal.id
        ]
        replaced = any(other.starts_at + AT_ONCE < dispatch.at for other in newer)
        if replaced or not proposal.starts_at <= dispatch.at < proposal.ends_at:
            yield f"dispatch {dispatch.id} at {dispatch.at} came of proposal {proposal.id}, which was over"


def _logged(log: Path) -> list[Pair]:
    found = SETPOINTS.findall(log.read_text("utf-8"))
    return [(float(battery_kw), float(peaker_kw)) for _, battery_kw, peaker_kw in found]


def _changes(pairs: Sequence[Pair]) -> list[Pair]:
    """Each setpoint that differs from the one before; a device starts at zero."""
    return [pair for pair, _ in groupby([(0.0, 0.0), *pairs])][1:]


def _energies(readings: AssetReadings) -> tuple[float, ...]:
    battery, peaker = readings.battery, readings.peaker
    return battery.charged_kwh, battery.discharged_kwh, peaker.generated_kwh, float(peaker.starts)


def table(done: Counter[str], person: Person, approved: int, found: Findings, lasted: str) -> str:
    """The day in a few lines."""
    lines = [
        ("lasted", lasted),
        ("faults", ", ".join(f"{count} {what}" for what, count in sorted(done.items()))),
        (
            "calls",
            f"{len(person.acknowledged)} acknowledged, {person.denied} denied, {person.waited} waited for "
            f"the operator, {approved} approved; {person.errors} times nobody answered",
        ),
        ("proposals", ", ".join(f"{count} {who}" for who, count in sorted(found.proposals.items()))),
        ("dispatches", ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))),
        ("setpoints", f"{len(found.dispatched)} changes by the ledger, {len(found.written)} at the device"),
        ("twice", f"{len(found.twice)}"),
        ("lost", f"{len(found.lost)}"),
        ("SoC", f"{found.soc_kwh[0]!r} kWh in the ledger, {found.soc_kwh[1]!r} kWh in the device"),
        ("audit", found.audit),
    ]
    return "\n" + "".join(f"{name:<12}{text}\n" for name, text in lines)

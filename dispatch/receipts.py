"""Dispatches in the ledger: the intent before the driver acts, the receipt after.

A dispatch is written when a setpoint, or what it comes from, changes; it holds until the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from dispatch.findings import from_json, to_json
from dispatch.schema import dispatches
from policies.verdict import Finding


@dataclass(frozen=True, slots=True)
class Setpoints:
    """What the assets are to do, and why.

    Attributes:
        battery_kw, peaker_kw: positive injects.
        battery_proposals, peaker_proposals: numbers of the proposals that made them, the one that set
            it first; empty means the safe setpoint.
        event_ids: the instability events that those proposals answer.
        rules: the guardrails that clipped a merged setpoint.
    """

    battery_kw: float
    peaker_kw: float
    battery_proposals: tuple[str, ...] = ()
    peaker_proposals: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    rules: tuple[Finding, ...] = ()

    def same_as(self, other: "Setpoints") -> bool:
        """Whether nothing changed but the wording of the rules."""
        return _essence(self) == _essence(other)


def _essence(setpoints: Setpoints) -> tuple[object, ...]:
    names = tuple(finding.rule for finding in setpoints.rules)
    return (
        setpoints.battery_kw,
        setpoints.peaker_kw,
        setpoints.battery_proposals,
        setpoints.peaker_proposals,
        setpoints.event_ids,
        names,
    )


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One dispatch in the ledger.

    Attributes:
        state: ``INTENT``; ``APPLIED`` with its receipt; after a crash ``RECONCILED`` where the device
            had it, ``NOT_APPLIED`` where it had not.
    """

    dispatch_id: str
    at: datetime
    setpoints: Setpoints
    state: str
    receipt_at: datetime | None


def write_intent(connection: Connection, setpoints: Setpoints, now: datetime) -> str:
    """Write down what is about to be asked of the devices; its number."""
    number = connection.execute(
        insert(dispatches)
        .values(
            at=now,
            battery_kw=setpoints.battery_kw,
            peaker_kw=setpoints.peaker_kw,
            battery_proposals=list(setpoints.battery_proposals),
            peaker_proposals=list(setpoints.peaker_proposals),
            event_ids=list(setpoints.event_ids),
            rules=to_json(setpoints.rules),
            state="INTENT",
        )
        .returning(dispatches.c.id)
    ).scalar_one()
    return str(number)


def close_intent(connection: Connection, dispatch_id: str, state: str, now: datetime) -> None:
    """Write the receipt of an intent, or how a restart found it."""
    connection.execute(
        update(dispatches)
        .where(dispatches.c.id == int(dispatch_id), dispatches.c.state == "INTENT")
        .values(state=state, receipt_at=now)
    )


def open_intents(connection: Connection) -> list[Dispatch]:
    """Intents without a receipt, oldest first."""
    rows = connection.execute(
        select(dispatches).where(dispatches.c.state == "INTENT").order_by(dispatches.c.id)
    )
    return [_dispatch(row) for row in rows]


def standing(connection: Connection) -> Dispatch | None:
    """The dispatch in force; None before the first."""
    row = connection.execute(select(dispatches).order_by(dispatches.c.id.desc()).limit(1)).first()
    return None if row is None else _dispatch(row)


def history(connection: Connection, start: datetime, end: datetime) -> Sequence[Dispatch]:
    """The dispatches with ``start <= at < end``, oldest first."""
    rows = connection.execute(
        select(dispatches).where(dispatches.c.at >= start, dispatches.c.at < end).order_by(dispatches.c.id)
    )
    return [_dispatch(row) for row in rows]


def _dispatch(row: Row[tuple[object, ...]]) -> Dispatch:
    setpoints = Setpoints(
        row.battery_kw,
        row.peaker_kw,
        tuple(row.battery_proposals),
        tuple(row.peaker_proposals),
        tuple(row.event_ids),
        from_json(row.rules),
    )
    return Dispatch(str(row.id), row.at, setpoints, row.state, row.receipt_at)

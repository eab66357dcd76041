"""Plant-wide flags in the ledger; one says whether the autonomy is halted."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from dispatch.errors import ForbiddenError
from dispatch.ledger import Ledger
from dispatch.schema import flags, proposals, utc_text
from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, Principal

HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Halt:
    """Who halted the autonomy, when, and why."""

    by: str
    at: datetime
    reason: str


def halt_of(connection: Connection) -> Halt | None:
    """The halt in force, or None."""
    value = get_flag(connection, HALTED)
    if not isinstance(value, dict):
        return None
    return Halt(value["by"], datetime.fromisoformat(value["at"]), value["reason"])


def halt(ledger: Ledger, principal: Principal, reason: str, now: datetime) -> Halt:
    """Halt the autonomy: every live proposal is withdrawn, so the assets go to their safe setpoints.

    Whoever may dispatch or approve may halt.

    Raises:
        ForbiddenError: without either scope.
    """
    if not principal.scopes & {SCOPE_DISPATCH, SCOPE_APPROVE}:
        raise ForbiddenError(f"{principal.subject} may not halt: needs scope {SCOPE_DISPATCH}")
    with ledger.transaction() as transaction:
        connection = transaction.connection
        value = {"by": principal.subject, "at": utc_text(now), "reason": reason}
        set_flag(connection, HALTED, value)
        withdrawn = connection.execute(
            update(proposals)
            .where(proposals.c.state == "LIVE")
            .values(state="WITHDRAWN")
            .returning(proposals.c.id)
        )
        ids = sorted(withdrawn.scalars())
        transaction.audit(now, "halted", principal.subject, {"reason": reason, "withdrawn": ids})
    return Halt(principal.subject, now, reason)


def resume(ledger: Ledger, principal: Principal, reason: str, now: datetime) -> None:
    """Let the autonomy act again.

    Raises:
        ForbiddenError: without the approve scope.
    """
    if SCOPE_APPROVE not in principal.scopes:
        raise ForbiddenError(f"{principal.subject} may not resume: needs scope {SCOPE_APPROVE}")
    with ledger.transaction() as transaction:
        transaction.connection.execute(delete(flags).where(flags.c.name == HALTED))
        transaction.audit(now, "resumed", principal.subject, {"reason": reason})


def set_flag(connection: Connection, name: str, value: object) -> None:
    """Write a flag inside the caller's transaction."""
    connection.execute(delete(flags).where(flags.c.name == name))
    connection.execute(insert(flags).values(name=name, value=value))


def get_flag(connection: Connection, name: str) -> object:
    """The value of a flag; None where it is not set."""
    return connection.execute(select(flags.c.value).where(flags.c.name == name)).scalar_one_or_none()

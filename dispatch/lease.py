"""One owner of a role, first of all of the plant's drivers: a lease in the ledger that has to be renewed.

Leases count wall time, not the plant's: a simulated day must not outrun its owner.
"""

from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select, update

from dispatch.errors import LeaseLostError
from dispatch.ledger import Ledger
from dispatch.schema import leases

PLANT = "plant"
SUPERVISOR = "supervisor"


class Lease:
    """This process's hold on a role."""

    def __init__(
        self,
        ledger: Ledger,
        owner: str,
        wall_s: Callable[[], float],
        ttl_s: float = 30.0,
        role: str = PLANT,
    ) -> None:
        """Prepare a lease; nothing is held before :meth:`acquire`.

        Args:
            ledger: where it is kept.
            owner: unique name of this process.
            wall_s: wall time in seconds, e.g. ``time.time``.
            ttl_s: how long it holds without renewal.
            role: :data:`PLANT` (its drivers) or :data:`SUPERVISOR` (the loops).
        """
        self._ledger = ledger
        self.owner = owner
        self.wall_s = wall_s
        self._ttl_s = ttl_s
        self._role = role

    def acquire(self) -> bool:
        """Take the lease if it is free, expired or ours; False when another process holds it."""
        with self._ledger.transaction() as transaction:
            holder = self._holder(transaction.connection)
            if holder not in (None, self.owner):
                return False
            connection = transaction.connection
            connection.execute(delete(leases).where(leases.c.name == self._role))
            expires_s = self.wall_s() + self._ttl_s
            connection.execute(
                insert(leases).values(name=self._role, owner=self.owner, expires_wall_s=expires_s)
            )
            return True

    def renew(self, connection: Connection) -> None:
        """Prolong it inside the caller's transaction, also when it ran out and nobody took it over.

        Raises:
            LeaseLostError: when another process took it, or it was never acquired.
        """
        renewed = connection.execute(
            update(leases)
            .where(leases.c.name == self._role, leases.c.owner == self.owner)
            .values(expires_wall_s=self.wall_s() + self._ttl_s)
        )
        if renewed.rowcount != 1:
            holder = self._holder(connection)
            raise LeaseLostError(
                f"{self.owner} does not own the {self._role} (owner: {holder or 'nobody'}); join it"
            )

    def release(self) -> None:
        """Give it up, if it is ours."""
        with self._ledger.transaction() as transaction:
            transaction.connection.execute(
                delete(leases).where(leases.c.name == self._role, leases.c.owner == self.owner)
            )

    def holder(self) -> str | None:
        """Who owns the role now; None when nobody does."""
        with self._ledger.reading() as connection:
            return self._holder(connection)

    def _holder(self, connection: Connection) -> str | None:
        return connection.execute(
            select(leases.c.owner).where(leases.c.name == self._role, leases.c.expires_wall_s > self.wall_s())
        ).scalar_one_or_none()

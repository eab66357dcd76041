"""What the server shows of the ledger's dispatches."""

from collections.abc import Hashable
from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from dispatch.decision_record import dispatch_record, proposal_record, proposals_of
from dispatch.ledger import Ledger
from dispatch.schema import asset_readings, dispatches

NEWEST = 20


class DispatchLog:
    """Dispatches by their number, newest first.

    Args:
        ledger: is only read.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def find(self, dispatch_id: str) -> dict[str, Any]:
        """A dispatch and the proposals that made it. Powers in kW, positive injects.

        Raises:
            DecisionNotFoundError: when there is none of that number, naming the newest.
            LedgerError: when the ledger cannot be read.
        """
        with self._ledger.reading() as connection:
            found = dispatch_record(connection, dispatch_id)
            made_by = [proposal_record(connection, number) for number in proposals_of(found)]
        return {**asdict(found), "proposals": [asdict(proposal) for proposal in made_by]}

    def newest(self) -> dict[str, str]:
        """The state of the newest dispatches by their number, newest first.

        Raises:
            LedgerError: when the ledger cannot be read.
        """
        asked = select(dispatches.c.id, dispatches.c.state).order_by(dispatches.c.id.desc()).limit(NEWEST)
        with self._ledger.reading() as connection:
            return {str(row.id): row.state for row in connection.execute(asked)}

    def reported(self) -> Hashable:
        """When the assets last reported; None before that.

        Raises:
            LedgerError: when the ledger cannot be read.
        """
        with self._ledger.reading() as connection:
            return connection.execute(select(asset_readings.c.at)).scalar_one_or_none()

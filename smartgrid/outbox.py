"""What a plant's owner writes into the series store, kept until the store takes it."""

import logging
from collections.abc import Sequence
from datetime import datetime

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from pipeline.errors import StoreError
from pipeline.store import OwnerWriter

logger = logging.getLogger(__name__)

_Span = tuple[str, str, datetime]


class Outbox:
    """A :class:`pipeline.store.OwnerWriter` that a store which is away does not stop.

    The plant goes on while its store is away: what is not taken now goes with the next write, the
    newest version of each. What the process takes with it when it ends is in the ledger.

    Args:
        store: should not wait long itself.
    """

    def __init__(self, store: OwnerWriter) -> None:
        self._store = store
        self._quotes: dict[tuple[str, datetime], PriceQuote] = {}
        self._dispatches: dict[_Span, AssetDispatch] = {}
        self._trades: dict[_Span, EnergyTrade] = {}

    @property
    def waiting(self) -> int:
        """How many rows the store has not taken yet."""
        return len(self._quotes) + len(self._dispatches) + len(self._trades)

    def write_quotes(self, quotes: Sequence[PriceQuote]) -> None:
        """Write price quotes now, or as soon as the store takes them."""
        self._quotes |= {(quote.site, quote.ts_utc): quote for quote in quotes}
        self._send()

    def write_settled(self, dispatches: Sequence[AssetDispatch], trades: Sequence[EnergyTrade]) -> None:
        """Write what the assets did and what it was worth, now or as soon as the store takes it."""
        self._dispatches |= {(done.site, done.asset, done.start): done for done in dispatches}
        self._trades |= {(trade.site, trade.asset, trade.start): trade for trade in trades}
        self._send()

    def _send(self) -> None:
        try:
            if self._quotes:
                self._store.write_quotes(list(self._quotes.values()))
                self._quotes.clear()
            if self._dispatches or self._trades:
                self._store.write_settled(list(self._dispatches.values()), list(self._trades.values()))
                self._dispatches.clear()
                self._trades.clear()
        except StoreError as error:
            logger.warning("%d rows wait for the store: %s", self.waiting, error)

"""How an interval of the market is settled."""

from enum import StrEnum


class Settlement(StrEnum):
    """``bid``: a bid fixed before the interval clears at its price; ``lagged``: its power is fixed before."""

    BID = "bid"
    LAGGED = "lagged"

"""The operators' areas that can be read: their feeds, their time zones, what is physically possible there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from smartgrid.live.errors import UnknownAreaError

LOAD: Final = "load_mw"
SOLAR: Final = "solar_mw"
WIND: Final = "wind_mw"
PRICE: Final = "price_usd_per_mwh"
DA_PRICE: Final = "da_price_usd_per_mwh"
CHANNELS: Final = (LOAD, SOLAR, WIND, PRICE, DA_PRICE)
CADENCE_S: Final = 300
PRICE_BOUNDS: Final = (-2_000.0, 20_000.0)
"""USD/MWh, beyond the caps of all these markets and their past."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of answer of an operator.

    Attributes:
        name: as the reader knows it.
        channels: of its rows, in their order.
        every_s: seconds between two publications; it is never asked more often.
        interval_s: seconds that one row stands for.
        required: whether there is no net load without it.
        by_day: whether it is asked for one local day; else its answer is about the present.
    """

    name: str
    channels: tuple[str, ...]
    every_s: int = CADENCE_S
    interval_s: int = CADENCE_S
    required: bool = True
    by_day: bool = True


@dataclass(frozen=True, slots=True)
class Area:
    """An operator's area.

    Attributes:
        name: as given to ``--iso``.
        zone: of its days.
        feeds: asked in this order.
        bounds: lowest and highest value of each channel that can be true, in the channel's unit.
        price_at: the hub or zone whose price is taken.
        no_history: why the past cannot be fetched, and what to do instead; None where it can.
    """

    name: str
    zone: ZoneInfo
    feeds: tuple[Feed, ...]
    bounds: Mapping[str, tuple[float, float]]
    price_at: str | None = None
    no_history: str | None = None
    parts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        found = tuple(channel for feed in self.feeds if feed.required for channel in feed.channels)
        object.__setattr__(self, "parts", found)

    @property
    def site(self) -> str:
        """What its site is called where nobody says otherwise."""
        return self.name.lower()

    @property
    def channels(self) -> tuple[str, ...]:
        """What can be known of it, in the order of a file's columns."""
        there = {channel for feed in self.feeds for channel in feed.channels}
        return tuple(channel for channel in CHANNELS if channel in there)


_PRICES = (
    Feed("da_price", (DA_PRICE,), every_s=3600, interval_s=3600, required=False),
    Feed("price", (PRICE,), required=False),
)
_PRICE_BOUNDS = {PRICE: PRICE_BOUNDS, DA_PRICE: PRICE_BOUNDS}

AREAS: Final[Mapping[str, Area]] = {
    area.name: area
    for area in (
        Area(
            "CAISO",
            ZoneInfo("America/Los_Angeles"),
            (*_PRICES, Feed("mix", (SOLAR, WIND)), Feed("load", (LOAD,))),
            {LOAD: (5_000, 90_000), SOLAR: (-1_000, 60_000), WIND: (-1_000, 30_000), **_PRICE_BOUNDS},
            price_at="TH_SP15_GEN-APND",
        ),
        Area(
            "ERCOT",
            ZoneInfo("America/Chicago"),
            (Feed("mix", (SOLAR, WIND), by_day=False), Feed("load", (LOAD,), by_day=False)),
            {LOAD: (10_000, 150_000), SOLAR: (-1_000, 80_000), WIND: (-1_000, 80_000)},
            no_history="ERCOT's dashboards hold the present day alone; download its Fuel Mix Report and read "
            "that with --map",
        ),
        Area(
            "NYISO",
            ZoneInfo("America/New_York"),
            (*_PRICES, Feed("mix", (WIND,)), Feed("load", (LOAD,))),
            {LOAD: (5_000, 60_000), WIND: (-500, 30_000), **_PRICE_BOUNDS},
            price_at="N.Y.C.",
        ),
    )
}


def area_named(name: str) -> Area:
    """The area of that name, in any case.

    Raises:
        UnknownAreaError: for any other name.
    """
    found = AREAS.get(name.upper())
    if found is None:
        raise UnknownAreaError(f"--iso {name!r} cannot be read; take one of {', '.join(AREAS)}")
    return found

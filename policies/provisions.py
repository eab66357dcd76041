"""Which provisions of NERC and FERC bear on a dispatch: a table, and how a row is chosen.

The table names provisions and says why in our own words; it decides nothing. What may act is for the
guardrails, and what binds a company is for its compliance people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from policies.proposal import AssetName

Direction = Literal["inject", "absorb", "idle"]
Emergency = Literal["none", "operating", "energy"]
"""``operating``: the area is in an emergency; ``energy``: an Energy Emergency Alert is declared."""

IN_EMERGENCY: frozenset[Emergency] = frozenset({"operating", "energy"})
MOVING: frozenset[Direction] = frozenset({"inject", "absorb"})
SMALLEST_MARKET_SIZE_KW = 100.0
"""Orders No. 841 and 2222: no market may ask for more to take part."""
LARGE_SHARE = 0.5
"""A dispatch is large when it could cover this share of the area's ramp limit."""
RECOVERY_S = 900.0
"""Contingency Event Recovery Period of BAL-002: a dispatch that outlasts it spends reserve."""


@dataclass(frozen=True, slots=True)
class Action:
    """A proposed dispatch, as far as provisions look at it.

    Attributes:
        power_kw: positive injects.
        duration_s: how long it is held.
        emergency: state of the area.
        ramp_limit_kw: change in 30 minutes that the area calls a ramp.
    """

    asset: AssetName
    power_kw: float
    duration_s: float
    emergency: Emergency
    ramp_limit_kw: float

    @property
    def direction(self) -> Direction:
        """Which way the power flows."""
        return "idle" if self.power_kw == 0 else "inject" if self.power_kw > 0 else "absorb"

    @property
    def large(self) -> bool:
        """Whether the area would feel it."""
        return abs(self.power_kw) >= LARGE_SHARE * self.ramp_limit_kw


@dataclass(frozen=True, slots=True)
class Provision:
    """A provision and when it bears on a dispatch; None in a condition means always.

    Attributes:
        standard: such as BAL-003-2, or FERC Order No. 841.
        place: requirement within it; empty for the whole.
        why: what it means for the dispatch, in our own words.
        large: only large dispatches.
        market_size: True for at least 100 kW, False for less.
        longer_than_s: only dispatches that last longer.
    """

    standard: str
    place: str
    why: str
    assets: frozenset[AssetName] | None = None
    directions: frozenset[Direction] | None = None
    emergencies: frozenset[Emergency] | None = None
    large: bool = False
    market_size: bool | None = None
    longer_than_s: float = 0.0

    @property
    def citation(self) -> str:
        """How it is cited."""
        return f"{self.standard} {self.place}".strip()

    def bears_on(self, action: Action) -> bool:
        """Whether it has to be looked at for this dispatch."""
        of_market_size = abs(action.power_kw) >= SMALLEST_MARKET_SIZE_KW
        return (
            (self.assets is None or action.asset in self.assets)
            and (self.directions is None or action.direction in self.directions)
            and (self.emergencies is None or action.emergency in self.emergencies)
            and (action.large or not self.large)
            and (self.market_size is None or self.market_size == of_market_size)
            and action.duration_s > self.longer_than_s
        )


_BATTERY: frozenset[AssetName] = frozenset({"battery"})
_PEAKER: frozenset[AssetName] = frozenset({"peaker"})
_INJECT: frozenset[Direction] = frozenset({"inject"})
_ABSORB: frozenset[Direction] = frozenset({"absorb"})

EMERGENCY_PLANS = Provision(
    "EOP-011-4",
    "R2",
    "In an emergency the asset is a resource of the Balancing Authority's plan; what it promised to the plan"
    " comes before trading.",
    emergencies=IN_EMERGENCY,
)

PROVISIONS: tuple[Provision, ...] = (
    EMERGENCY_PLANS,
    Provision(
        "EOP-011-4",
        "Attachment 1",
        "During an Energy Emergency Alert charging adds load while others reduce theirs, up to interruption"
        " of firm load at level 3.",
        directions=_ABSORB,
        emergencies=frozenset({"energy"}),
    ),
    Provision(
        "IRO-001-4",
        "R2",
        "An Operating Instruction of the Reliability Coordinator is to be followed, unless it cannot be"
        " carried out or would violate safety, equipment, regulatory or statutory requirements.",
        emergencies=IN_EMERGENCY,
    ),
    Provision(
        "COM-002-4",
        "R6",
        "Whoever gets an oral instruction in an emergency repeats it and has it confirmed before acting.",
        emergencies=IN_EMERGENCY,
    ),
    Provision(
        "TOP-001-6",
        "R3",
        "An Operating Instruction of the Transmission Operator outranks this dispatch.",
    ),
    Provision(
        "TOP-001-6",
        "R5",
        "An Operating Instruction of the Balancing Authority outranks this dispatch; who cannot follow it"
        " says so at once (R6).",
    ),
    Provision(
        "BAL-002-3",
        "R1",
        "After a Reportable Balancing Contingency Event ACE has to recover within 15 minutes: injecting"
        " helps.",
        directions=_INJECT,
        emergencies=IN_EMERGENCY,
    ),
    Provision(
        "BAL-002-3",
        "R1",
        "After a Reportable Balancing Contingency Event ACE has to recover within 15 minutes: charging works"
        " against it.",
        directions=_ABSORB,
        emergencies=IN_EMERGENCY,
    ),
    Provision(
        "BAL-002-3",
        "R2",
        "Energy that is promised as Contingency Reserve must stay in the battery: a longer discharge may"
        " spend it.",
        assets=_BATTERY,
        directions=_INJECT,
        longer_than_s=RECOVERY_S,
    ),
    Provision(
        "BAL-001-2",
        "R2",
        "A dispatch of this size moves the area's control error, which must not stay beyond its limit for"
        " more than 30 consecutive clock-minutes.",
        directions=MOVING,
        large=True,
    ),
    Provision(
        "BAL-003-2",
        "R1",
        "A fixed setpoint takes the asset out of the area's frequency response, unless its droop stays"
        " active.",
        directions=MOVING,
    ),
    Provision(
        "FERC Order No. 842",
        "",
        "Newly interconnected resources keep a droop of at most 5 % and a deadband of at most 0.036 Hz at"
        " every setpoint.",
        directions=MOVING,
    ),
    Provision(
        "VAR-002-4.1",
        "R1",
        "While it runs, the generator's voltage regulator is in service and controls voltage.",
        assets=_PEAKER,
        directions=_INJECT,
    ),
    Provision(
        "FERC Order No. 841",
        "",
        "Storage of at least 100 kW may sell every service that it is able to provide, and set the price.",
        assets=_BATTERY,
        directions=_INJECT,
        market_size=True,
    ),
    Provision(
        "FERC Order No. 841",
        "",
        "Energy that is charged to be sold back to the market is bought at the wholesale LMP.",
        assets=_BATTERY,
        directions=_ABSORB,
    ),
    Provision(
        "FERC Order No. 2222",
        "",
        "Below 100 kW an asset takes part in markets through an aggregation, and the distribution utility may"
        " override it for safety.",
        directions=MOVING,
        market_size=False,
    ),
    Provision(
        "FERC Order No. 881",
        "",
        "Line ratings follow the weather hour by hour: an injection of this size may meet a limit that was"
        " not there before.",
        directions=_INJECT,
        large=True,
    ),
)
"""In the order in which they are told: emergencies, instructions, balancing, equipment, markets."""


def provisions_for(action: Action) -> Iterator[Provision]:
    """The provisions that bear on a dispatch, most pressing first."""
    return (provision for provision in PROVISIONS if provision.bears_on(action))

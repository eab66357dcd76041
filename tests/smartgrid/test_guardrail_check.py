"""The check that reads ledger and meters again must find what was broken."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatch import proposals
from dispatch.ledger import Ledger
from dispatch.receipts import Setpoints, write_intent
from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from pipeline.sqlite_store import SqliteStore
from policies.limits import Limits, PlantLimits, Scale
from policies.proposal import Proposal
from policies.verdict import Verdict
from smartgrid.day.guardrail_check import violations_of

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
LIMITS = Limits().resolve(Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0))
RATED_KW = LIMITS.battery.power_kw


class Day:
    """A ledger and a store to write a day into, as it would have been."""

    def __init__(self, folder: Path) -> None:
        self.ledger, self.store = Ledger(folder), SqliteStore(folder / "telemetry.db")

    def metered(self, injected_kw: Sequence[float | None], since: int = 0) -> None:
        pulses = []
        for place, power_kw in enumerate(injected_kw, since):
            at = START + place * STEP
            reads = None if power_kw is None else 9_000.0 - power_kw
            pulses += [
                Telemetry(AREA_SITE, at, net_load_kw=reads),
                Telemetry(NATIVE_SITE, at, net_load_kw=9_000.0),
            ]
        self.store.write(pulses)

    def asked(self, place: int, battery_kw: float, peaker_kw: float = 0.0) -> None:
        with self.ledger.transaction() as transaction:
            write_intent(transaction.connection, Setpoints(battery_kw, peaker_kw), START + place * STEP)

    def violations(self, limits: PlantLimits = LIMITS, steps: int = 288) -> tuple[str, ...]:
        return violations_of(self.ledger, self.store, limits, start=START, end=START + steps * STEP, tz=UTC)


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    made = Day(tmp_path)
    yield made
    made.ledger.close()
    made.store.close()


def test_a_day_within_its_limits_has_no_violation(day: Day) -> None:
    day.asked(0, RATED_KW)
    day.asked(6, 0.0)
    day.metered([RATED_KW] * 6 + [0.0] * 282)
    assert day.violations() == ()


def test_more_power_than_rated_is_found_in_the_meters(day: Day) -> None:
    day.metered([0.0, RATED_KW * 1.01, 0.0])
    assert [text for text in day.violations() if "rated" in text]


def test_more_power_than_rated_is_found_in_the_ledger(day: Day) -> None:
    day.asked(0, RATED_KW * 1.01)
    assert [text for text in day.violations() if text.startswith("dispatch 1: battery")]


def test_energy_that_is_not_there_is_found(day: Day) -> None:
    day.metered([RATED_KW] * 14)
    assert [text for text in day.violations() if "kWh stored" in text]


def test_energy_used_while_the_meters_were_silent_counts(day: Day) -> None:
    day.asked(0, RATED_KW)
    day.metered([RATED_KW] * 3)
    day.metered([RATED_KW] * 3, since=20)
    assert [text for text in day.violations(steps=30) if "kWh stored" in text]


def test_a_third_cycle_is_found(day: Day) -> None:
    hour = 12
    eta = LIMITS.battery.one_way_efficiency
    swing = [RATED_KW * eta] * hour + [-RATED_KW / eta] * hour
    rested = replace(LIMITS, battery=replace(LIMITS.battery, max_cycles_per_day=2.0))
    day.metered(swing * 5)
    found = day.violations(replace(rested, battery=replace(rested.battery, power_kw=RATED_KW * 2)))
    assert [text for text in found if "battery cycles today" in text]


def test_a_peaker_below_its_minimum_load_is_found(day: Day) -> None:
    day.asked(0, 0.0, LIMITS.peaker.min_power_kw / 2)
    assert [text for text in day.violations() if "peaker at" in text]


def test_a_peaker_start_without_an_approval_is_found(day: Day) -> None:
    day.asked(0, 0.0, LIMITS.peaker.power_kw)
    day.metered([LIMITS.peaker.power_kw] * 12)
    assert [text for text in day.violations(steps=12) if "without an approval" in text]


def test_too_many_proposals_within_an_hour_are_found(day: Day) -> None:
    strict = replace(LIMITS, max_actions_per_hour=3)
    with day.ledger.transaction() as transaction:
        for place in range(4):
            wish = Proposal("battery", 0.0, 300.0, "a test", "supervisor:trading", 10, f"key-{place}")
            accepted = proposals.Accepted(wish, Verdict("allow", 0.0), "discharge_battery", "0" * 64, None)
            proposals.add(transaction.connection, accepted, START + place * STEP)
    assert day.violations() == ()
    assert [text for text in day.violations(strict) if "within an hour" in text]

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.arbiter import Claim, merge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class ArbiterTester:
    """Collects claims; ``tgt_power`` adds one and checks the merged target."""

    def __init__(self, device_bounds: tuple[float, float] = (-100.0, 100.0)) -> None:
        self.claims: list[Claim] = []
        self.device_bounds = device_bounds
        self.now = NOW

    def tgt_power(
        self,
        *,
        priority: int,
        power: float,
        expected: float,
        bounds: tuple[float, float] | None = None,
        requester: str | None = None,
        duration_s: float = 600.0,
    ) -> None:
        low, high = bounds or (power, power)
        self.claims.append(
            Claim(
                proposal_id=len(self.claims) + 1,
                requester=requester or f"requester-{priority}",
                priority=priority,
                power_kw=power,
                lower_kw=low,
                upper_kw=high,
                starts_at=self.now,
                ends_at=self.now + timedelta(seconds=duration_s),
            )
        )
        self.expect(expected)

    def expect(self, expected: float | None) -> None:
        target = merge(self.claims, self.device_bounds, self.now)
        assert (None if target is None else target.power_kw) == expected


def test_a_lone_claim_sets_the_target() -> None:
    ArbiterTester().tgt_power(priority=1, power=25.0, expected=25.0)


def test_a_lower_claim_moves_the_target_only_within_the_bounds_above_it() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=2, power=25.0, bounds=(25.0, 50.0), expected=25.0)
    tester.tgt_power(priority=1, power=20.0, expected=25.0)
    tester.tgt_power(priority=1, power=30.0, expected=30.0)
    tester.tgt_power(priority=1, power=60.0, expected=50.0)


def test_bounds_nest_over_three_priorities() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=3, power=0.0, bounds=(-40.0, 40.0), expected=0.0)
    tester.tgt_power(priority=2, power=30.0, bounds=(20.0, 60.0), expected=30.0)
    tester.tgt_power(priority=1, power=-10.0, expected=20.0)
    tester.tgt_power(priority=1, power=90.0, expected=40.0)


def test_a_claim_without_bounds_leaves_nothing_to_lower_ones() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=2, power=25.0, expected=25.0)
    tester.tgt_power(priority=1, power=50.0, bounds=(-100.0, 100.0), expected=25.0)


def test_the_order_of_arrival_does_not_matter_between_priorities() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=1, power=60.0, expected=60.0)
    tester.tgt_power(priority=2, power=25.0, bounds=(25.0, 50.0), expected=50.0)


def test_the_newest_claim_of_a_requester_replaces_its_older_one() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=2, power=25.0, requester="a", expected=25.0)
    tester.tgt_power(priority=2, power=-5.0, requester="a", expected=-5.0)


def test_a_newer_claim_that_has_expired_does_not_revive_the_one_it_replaced() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=2, power=25.0, requester="a", expected=25.0)
    tester.tgt_power(priority=2, power=10.0, requester="a", duration_s=60.0, expected=10.0)
    tester.now += timedelta(seconds=60)
    tester.expect(None)


def test_among_equal_priorities_the_newer_claim_wins() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=3, power=25.0, requester="ana", expected=25.0)
    tester.tgt_power(priority=3, power=40.0, requester="ben", expected=40.0)


def test_device_bounds_win_over_every_claim() -> None:
    tester = ArbiterTester(device_bounds=(-10.0, 10.0))
    tester.tgt_power(priority=2, power=25.0, bounds=(25.0, 50.0), expected=10.0)
    tester.tgt_power(priority=1, power=-50.0, expected=10.0)


def test_expired_claims_leave_no_target() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=2, power=25.0, expected=25.0)
    tester.now += timedelta(seconds=599)
    tester.expect(25.0)
    tester.now += timedelta(seconds=1)
    tester.expect(None)


def test_the_target_names_who_set_it_and_who_held_it_back() -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=2, power=0.0, bounds=(-20.0, 20.0), expected=0.0)
    tester.tgt_power(priority=1, power=15.0, expected=15.0)
    target = merge(tester.claims, tester.device_bounds, NOW)
    assert target is not None
    assert [claim.priority for claim in target.sources] == [1]
    tester.tgt_power(priority=1, power=50.0, expected=20.0)
    target = merge(tester.claims, tester.device_bounds, NOW)
    assert target is not None
    assert [claim.priority for claim in target.sources] == [1, 2]


POWERS = st.floats(-200, 200)


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    made = []
    for number in range(draw(st.integers(1, 6))):
        low, power, high = sorted(draw(st.tuples(POWERS, POWERS, POWERS)))
        made.append(
            Claim(
                proposal_id=number,
                requester=draw(st.sampled_from("abcd")),
                priority=draw(st.sampled_from((10, 20, 30))),
                power_kw=power,
                lower_kw=low,
                upper_kw=high,
                starts_at=NOW - timedelta(seconds=draw(st.integers(0, 900))),
                ends_at=NOW + timedelta(seconds=draw(st.integers(-300, 900))),
            )
        )
    return made


@settings(deadline=None, max_examples=100, derandomize=True)
@given(claims(), st.tuples(POWERS, POWERS).map(sorted))
def test_the_target_lies_within_device_bounds_and_the_highest_claims_bounds(
    made: list[Claim], device: list[float]
) -> None:
    target = merge(made, (device[0], device[1]), NOW)
    newest = {claim.requester: claim for claim in made}.values()
    alive = [claim for claim in newest if claim.alive(NOW)]
    if not alive:
        assert target is None
        return
    assert target is not None
    assert device[0] <= target.power_kw <= device[1]
    highest = max(alive, key=lambda claim: (claim.priority, claim.proposal_id))
    reachable = [min(max(bound, device[0]), device[1]) for bound in (highest.lower_kw, highest.upper_kw)]
    assert reachable[0] <= target.power_kw <= reachable[1]
    assert target.sources[0] in alive


@settings(deadline=None, max_examples=50, derandomize=True)
@given(claims())
def test_the_target_does_not_depend_on_the_order_of_the_claims(made: list[Claim]) -> None:
    assert merge(made, (-100.0, 100.0), NOW) == merge(made[::-1], (-100.0, 100.0), NOW)


@pytest.mark.parametrize("power", [30.0, -30.0])
def test_a_lower_claim_may_use_the_whole_range_when_the_higher_one_only_reserves(power: float) -> None:
    tester = ArbiterTester()
    tester.tgt_power(priority=20, power=0.0, bounds=(-50.0, 50.0), expected=0.0)
    tester.tgt_power(priority=10, power=power, expected=power)

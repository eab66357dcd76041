from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.market import PriceQuote
from grid.telemetry import AREA_SITE
from tests.tools.small_grid import CADENCE_S, INTERVAL, SmallGrid
from tools.errors import ToolInputError
from tools.expected_prices import _known
from tools.intervals import local_day
from tools.quote_prices import _steps

NOON = datetime(2024, 5, 4, 12, tzinfo=UTC)
Price = float | None


def quote(at: datetime, price: Price = None, day_ahead: Price = None) -> PriceQuote:
    return PriceQuote(AREA_SITE, at, CADENCE_S, price, day_ahead)


def prices_from(start: datetime, day_ahead: Sequence[Price]) -> list[PriceQuote]:
    return [quote(start + k * INTERVAL, day_ahead=price) for k, price in enumerate(day_ahead)]


def test_equal_neighbours_are_one_step_and_a_price_that_is_missing_stays_missing(grid: SmallGrid) -> None:
    now = grid.clock.now()
    grid.store.write_quotes(prices_from(now, [40.0, 40.0, None, 50.0, 50.0, -3.0]))
    answer = grid.ask("quote_prices", resolution="interval")
    assert [(step.from_utc, step.price_per_mwh) for step in answer.day_ahead] == [
        (now, 40.0),
        (now + 2 * INTERVAL, None),
        (now + 3 * INTERVAL, 50.0),
        (now + 5 * INTERVAL, -3.0),
    ]
    assert answer.day_ahead_until == now + 6 * INTERVAL
    assert (answer.currency, answer.interval_s) == ("EUR", CADENCE_S)


def test_a_gap_in_the_quotes_is_a_step_without_a_price(grid: SmallGrid) -> None:
    now = grid.clock.now()
    grid.store.write_quotes([quote(now, day_ahead=40.0), quote(now + 3 * INTERVAL, day_ahead=40.0)])
    answer = grid.ask("quote_prices", resolution="interval")
    assert [(step.from_utc, step.price_per_mwh) for step in answer.day_ahead] == [
        (now, 40.0),
        (now + INTERVAL, None),
        (now + 3 * INTERVAL, 40.0),
    ]


def test_a_quote_counts_for_the_interval_that_begins_with_it_alone() -> None:
    between = NOON + INTERVAL + INTERVAL / 2
    quotes = [quote(NOON - INTERVAL, 1.0, 2.0), quote(NOON, 3.0, 4.0), quote(between, 5.0, 6.0)]
    now, day_ahead = _known([*quotes, quote(NOON + 2 * INTERVAL, None, 7.0)], NOON, INTERVAL, 3)
    assert now == 3.0
    assert [None if np.isnan(price) else price for price in day_ahead] == [4.0, None, 7.0]


def test_the_list_begins_with_the_running_interval_and_ends_after_the_hours_asked(plant: SmallGrid) -> None:
    border = plant.clock.now()
    plant.clock.advance(100.0)
    answer = plant.ask("quote_prices", hours_ahead=2.0)
    assert (answer.interval_start, answer.day_ahead[0].from_utc) == (border, border)
    assert answer.day_ahead_until == border + timedelta(hours=2)
    assert len(answer.day_ahead) == 2


def test_unless_asked_otherwise_day_ahead_prices_are_means_of_hours(grid: SmallGrid) -> None:
    now = grid.clock.now()
    grid.store.write_quotes(prices_from(now, [10.0 + k for k in range(12)] + [None] * 12 + [50.0] * 6))
    hours = grid.ask("quote_prices").day_ahead
    assert [(step.from_utc, step.price_per_mwh) for step in hours] == [
        (now, 15.5),
        (now + 12 * INTERVAL, None),
        (now + 24 * INTERVAL, 50.0),
    ]


def test_a_site_within_the_area_has_the_areas_prices(grid: SmallGrid) -> None:
    grid.store.write_quotes([quote(grid.clock.now(), price=20.0)])
    assert grid.ask("quote_prices", site="area-native").real_time_price_per_mwh == 20.0


def test_the_real_time_price_is_that_of_the_running_interval_alone(grid: SmallGrid) -> None:
    now = grid.clock.now()
    grid.store.write_quotes([quote(now - INTERVAL, price=10.0), quote(now, price=20.0, day_ahead=99.0)])
    assert grid.ask("quote_prices").real_time_price_per_mwh == 20.0
    grid.clock.advance(CADENCE_S)
    assert grid.ask("quote_prices").real_time_price_per_mwh is None


def test_without_prices_everything_is_missing_and_nothing_is_zero(grid: SmallGrid) -> None:
    grid.store.write_quotes([quote(grid.clock.now())])
    answer = grid.ask("quote_prices")
    assert (answer.day_ahead, answer.day_ahead_until) == ([], None)
    assert (answer.real_time_price_per_mwh, answer.day_mean_price_per_mwh) == (None, None)


def test_an_unknown_site_is_refused(grid: SmallGrid) -> None:
    with pytest.raises(ToolInputError, match="site='b' is not known; use one of: area, area-native"):
        grid.ask("quote_prices", site="b")


@pytest.mark.parametrize(
    ("noon", "hours"),
    [
        (datetime(2024, 3, 31, 12, tzinfo=UTC), 23),
        (datetime(2024, 5, 4, 12, tzinfo=UTC), 24),
        (datetime(2024, 10, 27, 12, tzinfo=UTC), 25),
    ],
)
def test_the_day_mean_covers_the_local_day_of_23_24_or_25_hours(
    tmp_path: Path, noon: datetime, hours: int
) -> None:
    start, end = local_day(noon, "Europe/Luxembourg")
    assert end - start == timedelta(hours=hours)
    grid = SmallGrid(tmp_path, now=noon)
    of_the_day = [float(k % 7) for k in range(hours * 12)]
    around = [quote(start - INTERVAL, day_ahead=1e6), quote(end, day_ahead=1e6)]
    grid.store.write_quotes([*prices_from(start, of_the_day), *around])
    for hours_ahead in (1.0, 24.0, 48.0):
        mean = grid.ask("quote_prices", hours_ahead=hours_ahead).day_mean_price_per_mwh
        assert mean == pytest.approx(sum(of_the_day) / len(of_the_day))
    grid.close()


def test_in_the_day_mean_a_known_real_time_price_outranks_the_day_ahead_one(grid: SmallGrid) -> None:
    now = grid.clock.now()
    known = [
        quote(now - INTERVAL, price=90.0, day_ahead=10.0),
        quote(now, day_ahead=30.0),
        quote(now + INTERVAL),
    ]
    grid.store.write_quotes(known)
    assert grid.ask("quote_prices").day_mean_price_per_mwh == 60.0


def _unfolded(steps: Sequence[Any], until: datetime | None) -> Iterator[tuple[datetime, float]]:
    for step, end in zip(steps, [*(step.from_utc for step in steps[1:]), until], strict=False):
        at = step.from_utc
        while end is not None and at < end:
            if step.price_per_mwh is not None:
                yield at, step.price_per_mwh
            at += INTERVAL


@given(
    st.dictionaries(st.integers(0, 40), st.none() | st.sampled_from([-5.0, 0.0, 20.0]) | st.floats(-1e3, 1e3))
)
def test_the_steps_tell_exactly_the_prices_that_are_known(by_place: Mapping[int, Price]) -> None:
    quotes = [quote(NOON + k * INTERVAL, day_ahead=by_place[k]) for k in sorted(by_place)]
    steps, until = _steps(quotes)
    assert dict(_unfolded(steps, until)) == {
        each.ts_utc: each.da_price_usd_per_mwh for each in quotes if each.da_price_usd_per_mwh is not None
    }
    assert all(a.price_per_mwh != b.price_per_mwh for a, b in pairwise(steps))


# -- the band to expect, and the value of stored energy -----------------------------------------------


def test_the_band_starts_at_the_known_price_and_opens_around_what_is_expected(plant: SmallGrid) -> None:
    answer = plant.ask("quote_prices", hours_ahead=6.0, resolution="interval")
    assert len(answer.expected_per_mwh) == 72
    assert answer.expected_per_mwh[0] == [answer.real_time_price_per_mwh] * 4
    assert all(low < middle < high for _, low, middle, high in answer.expected_per_mwh[1:])


def test_by_the_hour_the_band_has_the_means_of_the_intervals(plant: SmallGrid) -> None:
    fine = plant.ask("quote_prices", hours_ahead=6.0, resolution="interval").expected_per_mwh
    hours = plant.ask("quote_prices", hours_ahead=6.0)
    p90 = [step[3] for step in fine]
    means = [sum(p90[k : k + 12]) / 12 for k in range(0, 72, 12)]
    assert [step[3] for step in hours.expected_per_mwh] == pytest.approx(means)


def test_the_band_ends_where_the_day_ahead_prices_do(plant: SmallGrid) -> None:
    answer = plant.ask("quote_prices", hours_ahead=48.0)
    assert answer.day_ahead_until is not None
    reach = answer.day_ahead_until - answer.interval_start
    assert len(answer.expected_per_mwh) * timedelta(hours=1) == reach


def test_stored_energy_is_worth_something_between_the_prices_to_expect(plant: SmallGrid) -> None:
    answer = plant.ask("quote_prices", hours_ahead=12.0)
    assert answer.stored_energy_value_per_mwh is not None
    low, high = (pick(step[k] for step in answer.expected_per_mwh) for pick, k in ((min, 1), (max, 3)))
    assert low - 10 < answer.stored_energy_value_per_mwh < 1.1 * high


def expects_nothing(answer: Any) -> bool:
    return answer.expected_per_mwh == [] and answer.stored_energy_value_per_mwh is None


def test_nothing_is_expected_where_nothing_was_learnt(plant: SmallGrid) -> None:
    assert expects_nothing(plant.ask("quote_prices", {"outlook": None}))
    assert not expects_nothing(plant.ask("quote_prices"))


def test_nothing_is_expected_where_nothing_was_measured(grid: SmallGrid) -> None:
    grid.store.write_quotes(prices_from(grid.clock.now(), [40.0] * 24))
    assert expects_nothing(grid.ask("quote_prices"))

"""Rows: from the past alone, and the same bits in a stream as offline."""

from collections.abc import Callable

import numpy as np
import pytest

from grid.series import BaseSeries
from pipeline.errors import FeatureError
from pipeline.fixed_point import to_quanta
from pipeline.forecasting.memory import SlotGrid
from pipeline.forecasting.observations import Observations, observations_of
from pipeline.forecasting.rows import NET, RowLayout, forecast_rows
from pipeline.forecasting.slot_table import SlotTable
from pipeline.forecasting.walk_forward import prepare

TZ = "Europe/Luxembourg"
STREAM_MEMORY_S = 1800.0
SeriesMaker = Callable[..., BaseSeries]


def streamed_rows(seen: Observations, layout: RowLayout, first: int, rng: np.random.Generator) -> np.ndarray:
    """Rows as a stream makes them: bounded memories, few recent pulses, batches of any size."""
    grid = SlotGrid.of_cadence(layout.cadence_s)
    tables = {name: SlotTable(grid, 0) for name in (NET, *layout.components)}
    for table in tables.values():
        table.resize(1)
        table.clear(0)
    recent_us = round(1e6 * max(STREAM_MEMORY_S + layout.cadence_s, 13 * layout.cadence_s))
    found, at = [], 0
    while at < len(seen):
        slot = seen.ts_us[at] // grid.slot_us
        batch = [at + i for i in range(int(rng.integers(1, 50))) if at + i < len(seen)]
        batch = [i for i in batch if seen.ts_us[i] // grid.slot_us == slot]  # a slot's pulses together
        for i in batch:
            for name, table in tables.items():
                kw = (seen.net_load_kw if name == NET else seen.components_kw[name])[i : i + 1]
                if not np.isnan(kw[0]):
                    table.add(np.array([0]), seen.ts_us[i : i + 1], to_quanta(kw))
        kept = int(np.searchsorted(seen.ts_us, seen.ts_us[batch[0]] - recent_us))
        if batch[-1] >= first:
            part = seen.part(slice(kept, batch[-1] + 1))
            memories = {name: table.of(np.zeros(len(batch), dtype=np.intp)) for name, table in tables.items()}
            found.append(forecast_rows(part, memories, np.array(batch) - kept, layout))
            first_here = max(0, first - batch[0])
            found[-1] = found[-1][first_here:]
        at = batch[-1] + 1
    return np.concatenate(found)


@pytest.mark.parametrize(
    ("days", "cadence_s", "components"),
    [
        (1.2, 60.0, True),
        (16.0, 300.0, False),
        (16.0, 420.0, True),
        (18.0, 900.0, True),
        (20.0, 1800.0, True),
    ],
)
def test_a_stream_makes_the_same_bits_in_any_batching(
    make_series: SeriesMaker, days: float, cadence_s: float, components: bool
) -> None:
    prepared = prepare(
        make_series(days, cadence_s, components=components, gaps=0.05), site_tz=TZ, horizon_s=1800.0
    )
    first = max(0, len(prepared.seen) - 100)
    streamed = streamed_rows(prepared.seen, prepared.layout, first, np.random.default_rng(3))
    np.testing.assert_array_equal(streamed, prepared.rows[first:])
    if days > 15:
        assert not np.isnan(prepared.rows[-1]).all()
        assert np.isfinite(prepared.rows[first:]).mean() > 0.8


@pytest.mark.parametrize(
    ("days", "cadence_s"), [(1.5, 60.0), (9.0, 300.0), (9.0, 420.0), (16.0, 900.0), (16.0, 1800.0)]
)
@pytest.mark.parametrize("horizon_s", [1800.0, 3600.0])
def test_a_row_does_not_change_when_all_that_follows_does(
    make_series: SeriesMaker, days: float, cadence_s: float, horizon_s: float
) -> None:
    series = make_series(days, cadence_s, gaps=0.05)
    whole = prepare(series, site_tz=TZ, horizon_s=horizon_s)
    for back in (30, 33, 37, 38):  # a slot's rows are cut at several places
        cut = len(series.frame) - back
        spoiled = series.frame.copy()
        spoiled.iloc[cut:] = spoiled.iloc[cut:] * -3.0 + 1e5
        other = prepare(BaseSeries(spoiled, cadence_s), site_tz=TZ, horizon_s=horizon_s)
        np.testing.assert_array_equal(other.rows[:cut], whole.rows[:cut])
        assert (np.nan_to_num(other.rows[cut:]) != np.nan_to_num(whole.rows[cut:])).any(axis=1).all()


def test_the_same_time_changes_are_those_of_the_last_seven_days(make_series: SeriesMaker) -> None:
    prepared = prepare(make_series(16.0, 900.0), site_tz=TZ, horizon_s=1800.0)
    kw = prepared.seen.net_load_kw
    at = len(kw) - 1
    past = [kw[at - 96 * day + 2] - kw[at - 96 * day] for day in range(1, 8)]
    named = dict(zip(prepared.layout.names, prepared.rows[at], strict=True))
    assert named["ahead_mean_7d_kw"] == pytest.approx(np.mean(past), abs=1e-3)
    assert named["ahead_spread_7d_kw"] == pytest.approx(np.std(past, ddof=1), abs=1e-3)
    before = [kw[at - 96 * day] - kw[at - 96 * day - 2] for day in range(1, 8)]
    assert named["excess_30min_kw"] == pytest.approx(kw[at] - kw[at - 2] - np.mean(before), abs=1e-3)


def test_without_solar_and_wind_the_row_has_no_columns_of_theirs(make_series: SeriesMaker) -> None:
    layout = prepare(make_series(2.0, 900.0, components=False), site_tz=TZ, horizon_s=1800.0).layout
    assert {"solar", "wind", "load"}.isdisjoint(layout.families.values())


def test_a_load_that_is_the_net_load_is_no_component(make_series: SeriesMaker) -> None:
    frame = make_series(2.0, 900.0).frame
    alone = BaseSeries(frame[["load_kw"]].assign(net_load_kw=frame["load_kw"]), 900.0)
    assert observations_of(alone).components_kw == {}


@pytest.mark.parametrize("horizon_s", [300.0, 5 * 3600.0])
def test_a_horizon_under_the_cadence_or_over_four_hours_is_an_error(horizon_s: float) -> None:
    with pytest.raises(FeatureError, match="horizon_s"):
        RowLayout(900.0, horizon_s, TZ)

"""What a site's detector is learnt from, and how sure it is of it."""

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from pipeline.fdia import fitting
from pipeline.fdia.detector import DetectorModel
from pipeline.fdia.fitting import CAUTION, fit_detector
from pipeline.fdia.learning import learn_detector
from pipeline.fdia.regular import LONGEST_GAP_DAYS, RegularSeries, to_regular
from tests.pipeline.fdia.conftest import TRAINED_DAYS


def years_apart(load: RegularSeries, first: int, newer_days: int) -> BaseSeries:
    """The load's first days, and some more three years later."""
    end = first + newer_days * 48
    stamps = load.stamps[:first].append(load.stamps[first:end] + pd.Timedelta(days=1092))
    frame = pd.DataFrame({"load_kw": load.values_kw[0, :end]}, index=stamps.rename("ts_utc"))
    return BaseSeries(frame, load.cadence_s)


def test_days_from_before_a_gap_of_years_are_learnt_from_where_the_newer_ones_are_few(
    load: RegularSeries, first: int
) -> None:
    found = learn_detector(years_apart(load, first, 10), "UTC")
    assert found.full is not None
    assert found.full.bank.level_kw[0] == pytest.approx(load.values_kw[0, : first + 480].mean(), rel=1e-3)


def test_of_a_long_gap_no_more_rows_are_kept_than_a_forecast_looks_back_and_short_ones_stay(
    load: RegularSeries, first: int
) -> None:
    broken = to_regular(years_apart(load, first, 10), ("load_kw",))[0]
    broken.values_kw[0, 100:150] = np.nan
    cut = broken.without_long_gaps()
    assert len(cut) == first + 480 + LONGEST_GAP_DAYS * 48
    np.testing.assert_array_equal(cut.values_kw[0, :first], broken.values_kw[0, :first])
    np.testing.assert_array_equal(cut.values_kw[0, -480:], load.values_kw[0, first : first + 480])
    assert cut.stamps[-480] == load.stamps[first] + pd.Timedelta(days=1092)


def test_thresholds_that_rest_on_a_part_of_a_year_lie_higher(
    model: DetectorModel, load: RegularSeries, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "CAUTION", 0.0)
    bold = fit_detector(load.part(0, first), "UTC")
    margin = CAUTION * np.log(365.0 / TRAINED_DAYS)
    assert model.alarm_day == pytest.approx(bold.alarm_day + margin)
    assert model.alarm_week == pytest.approx(bold.alarm_week + margin)

"""Thresholds follow what clean rows show of late."""

from dataclasses import replace

import numpy as np

from pipeline.fdia.detector import Detector, DetectorModel
from pipeline.fdia.regular import RegularSeries
from tests.pipeline.fdia.conftest import TRAINED_DAYS, made_up_load

DAYS = 30


def alarms(model: DetectorModel, load: RegularSeries, first: int) -> float:
    """Alarms a day over the last weeks, once what is usual could be learnt."""
    found = Detector(model, load.values_kw[None, :, :first]).judge(
        load.stamps[first:], load.values_kw[None, :, first:]
    )
    return float(found.alarm[0, 12 * 48 :].sum()) / (DAYS - 12)


def test_a_stormier_month_raises_fewer_false_alarms_than_with_fixed_thresholds(model: DetectorModel) -> None:
    load = made_up_load(TRAINED_DAYS + DAYS, seed=8)
    first = TRAINED_DAYS * 48
    rng = np.random.default_rng(1)
    stormy = load.values_kw.copy()
    stormy[0, first:] += 5.0 * rng.standard_normal(DAYS * 48)
    stormy_load = replace(load, values_kw=stormy)
    assert (model.bank.usual[:, 1] > 0.0).all()
    fixed = replace(model, bank=replace(model.bank, usual=np.zeros_like(model.bank.usual)))
    with_fixed, with_rolling = alarms(fixed, stormy_load, first), alarms(model, stormy_load, first)
    assert with_fixed > 2.0
    assert with_rolling < 0.8 * with_fixed

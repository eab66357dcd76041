"""Thresholds follow what clean rows show of late."""

from dataclasses import replace

import numpy as np

from pipeline.fdia.detector import Detector, DetectorModel
from pipeline.fdia.regular import RegularSeries
from pipeline.fdia.sites import Sites
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


def test_rows_in_weak_episodes_count_for_what_is_usual_and_those_of_sure_attacks_do_not(
    model: DetectorModel,
) -> None:
    """Were weak ones left out, the more false alarms there are, the calmer the rest would look."""
    load = made_up_load(TRAINED_DAYS + DAYS, seed=8)
    first = TRAINED_DAYS * 48
    false = load.values_kw[0, first : first + 400].copy()
    false[300:306] *= 1.3
    calendar = model.layout.calendar(load.stamps[first : first + 400])
    sites = Sites(
        model.bank,
        None,
        model=np.zeros(1, dtype=np.int64),
        history_kw=load.values_kw[None, :, :first],
        alarm_day=np.array([model.alarm_day - 2.0]),
        alarm_week=np.array([model.alarm_week + 2.0]),
    )
    calm, distrusted = np.zeros((2, 400), dtype=np.bool_)
    for row in range(400):
        found = sites.step(
            np.full((1, 1), false[row]), np.full(1, np.nan), calendar.block[[row]], calendar.terms[[row]]
        )
        distrusted[row] = found.distrusted[0, 0]
        calm[row] = sites.last_calm[0, 0]
    assert distrusted[:300].mean() > 0.1
    assert calm[:300].all()
    assert not calm[300:306].any()

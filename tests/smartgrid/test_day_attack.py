"""``bench day --attack``: false telemetry, true accounts."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.fdia.attacks import AttackKind, parse_kinds
from smartgrid.bench.day_attack import Attacked, AttackedDay, attack_prepared, attacked, loss_rows
from smartgrid.day.preparation import PreparedDay
from smartgrid.day.result import DayResult
from smartgrid.day.runner import cost_of_day

SCALE, BIAS, RAMP, PULSE, NOISE = parse_kinds("scale:0.1,bias:0.1,ramp:0.1,pulse:0.1,noise:0.03")


@pytest.mark.parametrize("kind", [SCALE, BIAS, RAMP, PULSE, NOISE], ids=str)
def test_net_load_alone_is_false_for_two_hours_of_the_day(prepared: PreparedDay, kind: AttackKind) -> None:
    told = attacked(prepared, kind, np.random.default_rng(4)).scenario.series.frame
    true = prepared.scenario.series.frame
    changed = np.flatnonzero((told["net_load_kw"] != true["net_load_kw"]).to_numpy())
    assert 2 <= len(changed) <= 8
    assert changed[-1] - changed[0] < 8
    assert true.index[changed[0]] >= prepared.scenario.start
    assert true.index[changed[-1]] < prepared.scenario.end
    others = [name for name in true.columns if name != "net_load_kw"]
    assert told[others].equals(true[others])


def test_the_same_seed_attacks_the_same_hours_and_seeds_differ(prepared: PreparedDay) -> None:
    first, same, other = (
        attacked(prepared, SCALE, np.random.default_rng(seed)).scenario.series.frame["net_load_kw"]
        for seed in (1, 1, 2)
    )
    assert first.equals(same)
    assert not first.equals(other)


def test_a_day_without_false_data_costs_what_its_accounts_say(
    prepared: PreparedDay, day_folder: tuple[DayResult, Path], tmp_path: Path
) -> None:
    cost = asyncio.run(cost_of_day(prepared, prepared.accounts_input(), tmp_path))
    assert cost == day_folder[0].accounts.ours


def test_the_accounts_rest_on_what_was_true(prepared: PreparedDay, tmp_path: Path) -> None:
    """The same day settled as if energy had been free: its trades earn nothing and still wear the battery."""
    truth = prepared.accounts_input()
    free = replace(truth, price_usd_per_mwh=np.zeros_like(truth.price_usd_per_mwh))
    cost = asyncio.run(cost_of_day(prepared, free, tmp_path))
    assert cost.battery_cycles > 0
    assert cost.energy_profit_usd < 0


def test_trust_gating_keeps_the_loss_of_a_gross_attack_down(prepared: PreparedDay) -> None:
    found = attack_prepared(prepared, [0], "scale:0.6")
    (attack,) = found.attacks
    assert attack.counts
    assert attack.guarded_usd is not None
    assert attack.guarded_usd < attack.unguarded_usd


def test_only_attacks_that_do_harm_count_and_the_ratio_is_one_of_sums() -> None:
    attacks = (
        Attacked("a", "scale", 0, 1_000.0, 100.0, 10.0),
        Attacked("a", "scale", 1, 1_000.0, 49.0, None),
        Attacked("b", "bias", 0, 1_000.0, 300.0, 70.0),
    )
    scale, bias, whole = loss_rows([AttackedDay("a", 0.0, attacks)])
    assert (scale.attacks, scale.counted, scale.ratio) == (2, 1, 0.1)
    assert bias.ratio == pytest.approx(70 / 300)
    assert (whole.kind, whole.counted, whole.ratio) == ("all", 2, 0.2)
    (nothing,) = loss_rows([AttackedDay("a", 0.0, ())])
    assert nothing.ratio is None

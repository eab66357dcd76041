from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from grid.telemetry import AREA_SITE, NATIVE_SITE
from tests.tools.small_grid import INTERVAL, SmallGrid
from tools.contract import SiteInfo
from tools.errors import ToolInputError


def test_running_telemetry_is_trusted(plant: SmallGrid) -> None:
    check = plant.ask("check_telemetry")
    assert (check.site, check.trusted, check.alarm, check.stale) == (NATIVE_SITE, True, False, False)
    assert (check.age_s, check.kind, check.channel, check.since) == (300.0, None, None, None)
    assert check.trust > 0.5
    assert check.score is not None


def test_before_anything_was_measured_nothing_is_trusted(grid: SmallGrid) -> None:
    check = grid.ask("check_telemetry")
    assert (check.trusted, check.alarm, check.stale) == (False, True, True)
    assert (check.trust, check.kind, check.channel) == (0.0, "missing", "net_load_kw")
    assert (check.score, check.age_s, check.since) == (None, None, None)


def test_parts_that_do_not_add_up_are_named_with_their_channel_and_time(plant: SmallGrid) -> None:
    plant.measure(NATIVE_SITE, load_kw=1000.0, solar_kw=0.0, wind_kw=90.0, net_load_kw=400.0)
    check = plant.ask("check_telemetry")
    assert (check.trust, check.trusted, check.alarm) == (0.0, False, True)
    assert (check.kind, check.channel, check.since) == ("balance", "net_load_kw", plant.clock.now())
    assert plant.ask("check_telemetry", site=AREA_SITE).trusted


def test_telemetry_that_stopped_is_stale_and_not_trusted(plant: SmallGrid) -> None:
    plant.clock.advance(601.0)
    check = plant.ask("check_telemetry")
    assert (check.age_s, check.stale, check.trusted, check.kind) == (901.0, True, False, "stale")


def test_the_limits_say_from_which_trust_on_autonomy_may_act(plant: SmallGrid) -> None:
    trust = plant.ask("check_telemetry").trust
    for least, trusted in ((trust, True), (trust + 1e-6, False)):
        limits = replace(plant.limits, min_trust=least)
        assert plant.ask("check_telemetry", {"limits": limits}).trusted is trusted


def test_a_slow_site_may_be_three_of_its_own_pulses_old(grid: SmallGrid) -> None:
    sites = {AREA_SITE: SiteInfo(AREA_SITE, cadence_s=1800.0)}
    grid.measure(AREA_SITE, age=timedelta(seconds=5400), net_load_kw=1.0)
    assert not grid.ask("check_telemetry", {"sites": sites}, site=AREA_SITE).stale
    grid.clock.advance(1.0)
    assert grid.ask("check_telemetry", {"sites": sites}, site=AREA_SITE).stale


def test_a_clock_that_lags_behind_the_meter_gives_no_negative_age(grid: SmallGrid) -> None:
    grid.measure(NATIVE_SITE, age=-INTERVAL, net_load_kw=1.0)
    assert grid.ask("check_telemetry").age_s == 0.0


def test_an_unknown_site_is_refused(grid: SmallGrid) -> None:
    with pytest.raises(ToolInputError, match="site='b' is not known"):
        grid.ask("check_telemetry", site="b")


def test_an_area_that_no_longer_measures_what_its_sites_do_is_not_trusted(grid: SmallGrid) -> None:
    sites = {AREA_SITE: SiteInfo(AREA_SITE, 300.0), "east": SiteInfo("east", 300.0, parent=AREA_SITE)}
    levels_kw = 900.0 + 50.0 * np.random.default_rng(3).random(31)
    for row, kw in zip(range(30, -1, -1), levels_kw.tolist(), strict=True):
        grid.measure(AREA_SITE, age=row * INTERVAL, net_load_kw=kw * (1.03 if row < 2 else 1.0))
        grid.measure("east", age=row * INTERVAL, net_load_kw=kw)
    check = grid.ask("check_telemetry", {"sites": sites}, site=AREA_SITE)
    assert (check.trusted, check.kind, check.channel) == (False, "area_balance", "net_load_kw")
    assert check.since == grid.clock.now() - INTERVAL
    assert grid.ask("check_telemetry", {"sites": sites}, site="east").kind != "area_balance"

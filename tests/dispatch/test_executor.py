import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatch import receipts
from dispatch.errors import LeaseLostError
from dispatch.flags import halt
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.plant_clock import ClockReading, plant_clock_of
from dispatch.readings import latest_report
from policies.limits import Limits
from policies.principal import RESPONSE, TRADING, Principal, local_principal, operator_principal
from tests.services_postgres.server import NewUrl

if TYPE_CHECKING:
    from tests.dispatch.conftest import Plant

ANA, BEN = local_principal("ana"), operator_principal("ben")


def start_peaker(plant: "Plant", power_kw: float = 800.0, duration_s: float = 600.0) -> None:
    waiting = plant.propose(power_kw, asset="peaker", duration_s=duration_s)
    assert waiting.approval_id is not None
    plant.approvals.approve(waiting.approval_id, BEN, "ok")
    assert plant.propose(power_kw, asset="peaker", duration_s=duration_s).status == "accepted"


def history(plant: "Plant") -> list[receipts.Dispatch]:
    with plant.ledger.reading() as connection:
        return list(
            receipts.history(connection, datetime(2000, 1, 1, tzinfo=UTC), plant.clock.now() + timedelta(1))
        )


def test_a_live_proposal_reaches_the_device_and_names_its_sources(plant: "Plant") -> None:
    plant.propose(500.0, event_id="ramp-1")
    applied = plant.run()
    assert plant.driver.calls == [(500.0, 0.0)]
    assert applied.setpoints.battery_proposals == ("1",)
    assert applied.setpoints.event_ids == ("ramp-1",)
    (dispatch,) = history(plant)
    assert (dispatch.state, dispatch.setpoints) == ("APPLIED", applied.setpoints)


def test_response_outranks_trading_and_trading_moves_within_its_bounds(plant: "Plant") -> None:
    plant.propose(-800.0, principal=TRADING)
    plant.propose(300.0, principal=RESPONSE, bounds=(300.0, 600.0))
    assert plant.run().setpoints.battery_kw == 300.0
    plant.propose(900.0, principal=TRADING)
    plant.propose(300.0, principal=RESPONSE, bounds=(300.0, 600.0))
    applied = plant.run()
    assert applied.setpoints.battery_kw == 600.0
    assert applied.setpoints.battery_proposals == ("3", "4")


def test_two_loops_that_each_want_the_whole_battery_do_not_add_up(plant: "Plant") -> None:
    plant.propose(-1000.0, principal=TRADING)
    plant.propose(-1000.0, principal=RESPONSE, bounds=(-1000.0, 1000.0))
    assert plant.run().setpoints.battery_kw == -1000.0


def test_when_the_last_proposal_expires_the_battery_goes_to_zero(plant: "Plant") -> None:
    plant.propose(500.0, duration_s=600.0)
    assert plant.run().setpoints.battery_kw == 500.0
    assert plant.run().setpoints.battery_kw == 500.0
    applied = plant.run()
    assert (applied.setpoints.battery_kw, applied.setpoints.battery_proposals) == (0.0, ())


def test_when_its_proposal_expires_the_peaker_runs_at_minimum_until_it_may_stop(plant: "Plant") -> None:
    start_peaker(plant, duration_s=600.0)
    powers = [plant.run().setpoints.peaker_kw for _ in range(14)]
    assert powers == [800.0] * 2 + [300.0] * 10 + [0.0] * 2
    assert plant.driver.peaker.starts == 1


def test_a_halt_brings_the_assets_to_their_safe_setpoints_at_the_next_tick(plant: "Plant") -> None:
    start_peaker(plant, duration_s=7200.0)
    plant.propose(700.0, duration_s=7200.0)
    plant.run()
    halt(plant.ledger, ANA, "smoke", plant.clock.now())
    setpoints = plant.run().setpoints
    assert (setpoints.battery_kw, setpoints.peaker_kw) == (0.0, 300.0)


def test_each_tick_clips_again_so_a_long_discharge_ends_at_the_soc_bound(plant: "Plant") -> None:
    plant.propose(1000.0, duration_s=14_400.0)
    powers = [plant.run().setpoints.battery_kw for _ in range(14)]
    assert powers[:11] == [1000.0] * 11
    assert 0 < powers[11] < 1000.0
    assert powers[12:] == [0.0, 0.0]
    assert plant.driver.battery.soc_kwh == pytest.approx(0.0, abs=1e-6)


def test_cycles_end_for_the_day_and_come_back_at_local_midnight(
    tmp_path: Path, plant: "Plant", new_url: NewUrl
) -> None:
    limits = Limits.model_validate({"battery": {"max_cycles_per_day": 0.25}})
    small = type(plant)(tmp_path / "small", limits, new_url())
    small.propose(1000.0, duration_s=14_400.0)
    small.run(8)
    assert small.driver.battery.cycles(small.limits.battery) == pytest.approx(0.25)
    assert small.propose(500.0).status == "denied"
    small.run(280)
    assert small.propose(500.0).status == "accepted"
    assert small.run().setpoints.battery_kw == 500.0
    small.ledger.close()


def test_nothing_is_written_while_nothing_changes_but_the_device_keeps_hearing_from_us(
    plant: "Plant",
) -> None:
    plant.propose(100.0, duration_s=3600.0)
    plant.run()
    entries = plant.ledger.verify_audit().count
    assert not plant.run(5).changed
    assert len(history(plant)) == 1
    assert plant.ledger.verify_audit().count == entries
    assert plant.driver.calls == [(100.0, 0.0)] * 6


def test_the_day_counts_cycles_starts_and_costs(plant: "Plant") -> None:
    plant.propose(-600.0, duration_s=300.0)
    plant.run()
    plant.propose(600.0, duration_s=300.0)
    start_peaker(plant, 900.0, duration_s=300.0)
    plant.run()
    with plant.ledger.reading() as connection:
        report = latest_report(connection)
        assert plant_clock_of(connection) == ClockReading(
            plant.clock.now() - timedelta(seconds=300), 0.0, 1.0
        )
    assert report is not None
    assert report.starts_today == 1
    assert report.cell_discharged_today_kwh == plant.driver.battery.cell_discharged_kwh
    charged, wear, fuel, start = 0.05 * 30, 0.05 * 10, 0.075 * 90, 60.0
    assert report.spent_today_usd == pytest.approx(charged + wear + fuel + start)


def test_a_crash_before_the_driver_is_found_at_restart_and_nothing_is_lost(plant: "Plant") -> None:
    plant.propose(500.0, duration_s=3600.0)
    plant.driver.crash = RuntimeError("link down")
    with pytest.raises(RuntimeError, match="link down"):
        plant.executor.tick()
    plant.driver.crash = None
    plant.restart()
    assert [dispatch.state for dispatch in history(plant)] == ["NOT_APPLIED"]
    assert plant.run().setpoints.battery_kw == 500.0
    assert [dispatch.state for dispatch in history(plant)] == ["NOT_APPLIED", "APPLIED"]
    assert plant.ledger.verify_audit().ok


def test_a_crash_between_driver_and_receipt_is_reconciled_with_what_the_device_reports(
    plant: "Plant",
) -> None:
    plant.propose(500.0, duration_s=3600.0)
    apply = plant.driver.apply

    def apply_and_die(battery_kw: float, peaker_kw: float) -> None:
        apply(battery_kw, peaker_kw)
        raise KeyboardInterrupt

    plant.driver.apply = apply_and_die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        plant.executor.tick()
    plant.driver.apply = apply  # type: ignore[method-assign]
    plant.restart()
    assert [dispatch.state for dispatch in history(plant)] == ["RECONCILED"]
    assert not plant.run().changed
    assert plant.executor.reconcile() == []


def test_a_plant_that_starts_anew_keeps_the_days_counters(plant: "Plant") -> None:
    plant.propose(1000.0, duration_s=600.0)
    plant.run(2)
    used = plant.driver.battery.cell_discharged_kwh
    plant.driver.battery = plant.limits.battery.initial_state()
    plant.restart()
    with plant.ledger.reading() as connection:
        report = latest_report(connection)
    assert report is not None
    assert report.cell_discharged_today_kwh == used


def test_only_the_owner_ticks(plant: "Plant") -> None:
    other = Lease(plant.ledger, "owner-2", lambda: plant.wall_s)
    assert not other.acquire()
    assert other.holder() == "owner-1"
    plant.wall_s = 30.0
    plant.executor.tick()  # ran out, but nobody took it: renewed
    assert not other.acquire()
    plant.wall_s = 60.0
    assert other.acquire()
    calls = len(plant.driver.calls)
    with pytest.raises(LeaseLostError, match="owner-2"):
        plant.executor.tick()
    assert len(plant.driver.calls) == calls
    other.release()
    assert plant.lease.acquire()
    plant.executor.tick()


def test_nobody_waits_in_the_ledger_for_a_slow_device(
    plant: "Plant", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.ledger.BUSY_TIMEOUT_S", 0.05)
    seen: list[str] = []
    with Ledger(plant.state_dir, plant.url) as other:

        def meanwhile() -> None:
            halt(other, ANA, "the device is slow", plant.clock.now())
            seen.append("halted")

        plant.driver.while_reading = meanwhile
        plant.executor.report()
        plant.executor.reconcile()
        plant.propose(500.0, duration_s=3600.0, principal=ANA)
        assert plant.executor.tick().setpoints.battery_kw == 0.0  # halted while it was read
    assert seen == ["halted"] * 3


def test_what_is_read_from_the_devices_is_recorded_in_that_order(plant: "Plant") -> None:
    both = threading.Barrier(2)
    met: list[bool] = []

    def meet() -> None:
        try:
            both.wait(timeout=0.1)
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)

    plant.driver.while_reading = meet
    threads = [threading.Thread(target=ask) for ask in (plant.executor.report, plant.executor.tick)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == [False, False]


WISHES = st.tuples(
    st.sampled_from(["battery", "peaker"]),
    st.sampled_from([RESPONSE, TRADING, ANA]),
    st.floats(-1500, 1500),
    st.floats(0, 500),
    st.sampled_from([300.0, 900.0, 7200.0]),
    st.sampled_from(["approve", "deny", "leave"]),
    st.booleans(),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(WISHES, max_size=3), min_size=1, max_size=25))
def test_no_sequence_of_proposals_leaves_a_limit(
    tmp_path_factory: pytest.TempPathFactory,
    plant: "Plant",
    new_url: NewUrl,
    borders: list[list[tuple[str, Principal, float, float, float, str, bool]]],
) -> None:
    section = {"soc_min": 0.3, "soc_max": 0.7, "max_cycles_per_day": 0.3}
    site = type(plant)(
        tmp_path_factory.mktemp("walk"),
        Limits.model_validate({"battery": section, "peaker": {"min_down_s": 900.0, "max_starts_per_day": 2}}),
        new_url(),
    )
    battery, peaker = site.limits.battery, site.limits.peaker
    for wishes in borders:
        for asset, principal, power_kw, width_kw, duration_s, decision, restart in wishes:
            bounds = (power_kw - width_kw, power_kw + width_kw)
            call = {"asset": asset, "principal": principal, "duration_s": duration_s, "bounds": bounds}
            outcome = site.propose(power_kw, **call)  # type: ignore[arg-type]
            if outcome.status == "pending_approval" and decision != "leave":
                assert outcome.approval_id is not None
                if site.approvals.get(outcome.approval_id).state == "PENDING":
                    (site.approvals.approve if decision == "approve" else site.approvals.deny)(
                        outcome.approval_id, BEN, decision
                    )
                    site.propose(power_kw, **call)  # type: ignore[arg-type]
            if restart:
                site.restart()
        before = site.driver.peaker
        setpoints = site.run().setpoints
        after = site.driver.peaker
        assert site.driver.battery.power_kw == pytest.approx(setpoints.battery_kw, abs=1e-6)
        assert after.power_kw == pytest.approx(setpoints.peaker_kw, abs=1e-6)
        assert 0.3 * battery.energy_kwh <= site.driver.battery.soc_kwh <= 0.7 * battery.energy_kwh
        assert site.driver.battery.cycles(battery) <= 0.3 + 1e-9
        assert after.starts <= 2
        assert after.on or not before.on or before.in_state_s >= peaker.min_up_s
        assert before.on or not after.on or before.in_state_s >= peaker.min_down_s
        assert after.power_kw == 0 or peaker.min_power_kw <= after.power_kw <= peaker.power_kw
    assert site.ledger.verify_audit().ok
    site.ledger.close()

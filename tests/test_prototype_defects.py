"""What an earlier attempt at this idea got wrong: each defect names the tests that would catch it here.

Kept in both directions: a named test that is gone, or a defect without a test, fails. Dead letters of a
broker and the recovery of a stream's state come with the transport that has them.
"""

import re
from pathlib import Path

import pytest

CAUGHT_BY = {
    "opposite signs in two modules; the peaker starts when net load falls": (
        "policies/test_response.py::test_falling_net_load_starts_no_peaker",
        "policies/test_response.py::test_rising_net_load_discharges_and_falling_net_load_charges",
        "grid/test_plant.py::test_discharge_and_generation_lower_the_meter_and_charging_raises_it",
        "grid_supervisor/test_sensing_and_proposing.py::test_injection_discharges_or_generates_and_withdrawal_charges",
    ),
    "a missing net load becomes 0 kW": (
        "pipeline/test_features.py::test_a_missing_net_load_is_left_out_and_never_becomes_zero",
        "pipeline/test_engine.py::test_a_missing_net_load_is_stored_as_missing_and_forecasts_nothing",
        "grid/test_plant.py::test_a_missing_net_load_yields_a_pulse_without_one_and_never_zero",
        "smartgrid/test_day.py::test_a_missing_net_load_stays_missing_and_never_becomes_zero",
    ),
    "thresholds in MW/min compared with kW per 30 min": (
        "pipeline/test_engine.py::test_a_ramp_counts_by_its_change_over_30_minutes_and_not_by_its_slope",
        "policies/test_response.py::test_the_reason_names_the_change_the_limit_and_the_power",
    ),
    "a feature that is never computed and hidden by a fill with 0": (
        "pipeline/test_features.py::test_every_feature_is_really_computed",
        "pipeline/test_features.py::test_an_empty_window_or_lag_is_missing_and_not_zero",
        "pipeline/test_model.py::test_a_model_of_other_features_is_refused",
    ),
    "lags by row, not by time, so that training and serving differ": (
        "pipeline/test_features.py::test_lags_are_found_by_time_and_not_by_row",
        "pipeline/test_stream_parity.py",
    ),
    "acting on the last prediction however old": (
        "grid_supervisor/test_supervisor.py::test_an_old_forecast_is_never_acted_on",
        "mcp_server/test_refusals.py::test_a_stale_forecast_is_refused_and_the_status_shows_how_old",
        "smartgrid/test_day.py::test_a_gap_in_the_data_denies_autonomous_dispatch_until_pulses_come_again",
    ),
    "the same prediction traded again every 10 s while 5 min of energy is booked": (
        "grid_supervisor/test_supervisor.py::test_a_price_is_traded_once_in_an_interval_however_often_the_loops_tick",
        "dispatch/test_service.py::test_the_same_prediction_is_not_traded_again_and_again",
        "smartgrid/test_day.py::test_the_accounts_can_be_made_again_from_the_stored_series",
    ),
    "both loops pre-charging for the same ramp": (
        "policies/test_response.py::test_both_loops_want_the_one_plans_power_once",
        "policies/test_response.py::test_the_next_view_knows_what_was_prepared_and_does_not_prepare_again",
        "dispatch/test_executor.py::test_two_loops_that_each_want_the_whole_battery_do_not_add_up",
    ),
    "retry helpers whose fallback branch never runs": (
        "grid_supervisor/test_tool_failures.py::test_a_dispatch_that_fails_is_refused_and_the_next_interval_asks_again",
        "grid_supervisor/test_tool_failures.py::test_a_forecast_that_fails_is_a_missing_one",
    ),
    "fixed buy and sell prices": (
        "policies/test_trading.py::test_it_buys_low_and_sells_high",
        "policies/test_trading.py::test_it_holds_when_the_spread_does_not_pay_for_losses_and_wear",
    ),
    "credentials in the repository": ("test_repository.py::test_no_credentials_are_in_the_repository",),
    "features rebuilt with pandas for each message": (
        "pipeline/test_engine.py::test_features_are_not_rebuilt_with_pandas_for_each_message",
        "pipeline/test_engine.py::test_one_batch_is_one_call_of_the_model",
    ),
}


@pytest.mark.parametrize("defect", CAUGHT_BY)
def test_each_defect_of_the_prototype_has_tests_that_exist(defect: str, repository: Path) -> None:
    assert CAUGHT_BY[defect]
    for node in CAUGHT_BY[defect]:
        file, _, name = node.partition("::")
        source = (repository / "tests" / file).read_text("utf-8")
        pattern = rf"^(async )?def {name}\(" if name else r"^def test_"
        assert re.search(pattern, source, re.MULTILINE), f"{node} is gone; {defect!r} needs another"

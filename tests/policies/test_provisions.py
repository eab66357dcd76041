import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.assets import BatteryState, PeakerState
from policies.guardrails import GuardrailState, evaluate
from policies.limits import Limits, Scale
from policies.proposal import Proposal
from policies.provisions import LARGE_SHARE, PROVISIONS, Action, Emergency, provisions_for

RAMP_KW = 1000.0
ACTIONS = st.builds(
    Action,
    asset=st.sampled_from(["battery", "peaker"]),
    power_kw=st.floats(-1e6, 1e6),
    duration_s=st.floats(1.0, 86400.0),
    emergency=st.sampled_from(["none", "operating", "energy"]),
    ramp_limit_kw=st.floats(1.0, 1e6),
)


def citations(
    power_kw: float,
    *,
    asset: str = "battery",
    minutes: float = 15.0,
    emergency: Emergency = "none",
) -> list[str]:
    action = Action(asset, power_kw, minutes * 60.0, emergency, RAMP_KW)  # type: ignore[arg-type]
    return [provision.citation for provision in provisions_for(action)]


def test_an_instruction_outranks_every_dispatch() -> None:
    for power_kw in (-200.0, 0.0, 200.0):
        assert {"TOP-001-6 R3", "TOP-001-6 R5"} <= set(citations(power_kw))


def test_to_stop_an_asset_touches_nothing_but_instructions() -> None:
    assert citations(0.0) == ["TOP-001-6 R3", "TOP-001-6 R5"]


@pytest.mark.parametrize("emergency", ["operating", "energy"])
def test_in_an_emergency_its_plans_and_coordinators_come_first(emergency: Emergency) -> None:
    found = citations(200.0, emergency=emergency)
    assert found[0] == "EOP-011-4 R2"
    assert {"IRO-001-4 R2", "COM-002-4 R6", "BAL-002-3 R1"} <= set(found)
    assert not {"EOP-011-4 R2", "IRO-001-4 R2", "COM-002-4 R6", "BAL-002-3 R1"} & set(citations(200.0))


def test_charging_during_an_energy_emergency_alert_meets_its_attachment() -> None:
    assert "EOP-011-4 Attachment 1" in citations(-200.0, emergency="energy")
    assert "EOP-011-4 Attachment 1" not in citations(200.0, emergency="energy")
    assert "EOP-011-4 Attachment 1" not in citations(-200.0, emergency="operating")


def test_storage_is_told_of_order_841_from_100_kw_and_of_order_2222_below() -> None:
    assert "FERC Order No. 841" in citations(100.0)
    assert "FERC Order No. 2222" not in citations(100.0)
    assert "FERC Order No. 841" not in citations(99.9)
    assert "FERC Order No. 2222" in citations(99.9)
    assert "FERC Order No. 841" in citations(-50.0)  # what charging energy costs
    assert "FERC Order No. 841" not in citations(500.0, asset="peaker")


def test_a_discharge_that_outlasts_the_recovery_period_may_spend_reserve() -> None:
    assert "BAL-002-3 R2" not in citations(200.0, minutes=15)
    assert "BAL-002-3 R2" in citations(200.0, minutes=15.1)
    assert "BAL-002-3 R2" not in citations(-200.0, minutes=60)


def test_only_a_dispatch_that_the_area_feels_meets_its_control_error() -> None:
    large_kw = LARGE_SHARE * RAMP_KW
    assert {"BAL-001-2 R2", "FERC Order No. 881"} <= set(citations(large_kw))
    assert "BAL-001-2 R2" not in citations(large_kw - 1)
    assert "BAL-001-2 R2" in citations(-large_kw)
    assert "FERC Order No. 881" not in citations(-large_kw)


def test_a_running_peaker_keeps_its_voltage_regulator_in_service() -> None:
    assert "VAR-002-4.1 R1" in citations(200.0, asset="peaker")
    assert "VAR-002-4.1 R1" not in citations(200.0)


def test_a_verdict_cites_the_provision_where_an_emergency_is_the_reason() -> None:
    strict = Limits.model_validate({"approval": {"emergency": True}}).resolve(Scale(20_000.0, RAMP_KW, 300.0))
    battery = BatteryState(strict.battery.energy_kwh / 2, 0.0)
    state = GuardrailState(300.0, battery, PeakerState(), telemetry_age_s=1.0, emergency=True)
    proposal = Proposal("battery", 500.0, 900.0, "the evening ramp", "local:ana", 30, "key")
    (finding,) = evaluate(proposal, state, strict).findings
    assert finding.quote == "approval.emergency: the area is in an emergency (EOP-011-4 R2)"


@given(ACTIONS)
def test_every_dispatch_is_told_of_something_and_never_of_opposites(action: Action) -> None:
    found = list(provisions_for(action))
    assert found
    assert len({(provision.citation, provision.why) for provision in found}) == len(found)
    assert not {"FERC Order No. 2222"} & {p.citation for p in found} or abs(action.power_kw) < 100.0
    assert all(provision in PROVISIONS for provision in found)

"""Our virtual end node on OpenLEADR's VTN: enrolment, events, reports, and what goes wrong."""

import secrets
from dataclasses import replace
from typing import Any

import pytest

from smartgrid.openadr.errors import VtnError
from smartgrid.openadr.signals import Response
from smartgrid.openadr.ven import VirtualEndNode
from smartgrid.openadr.vtn import PAGE, HttpVtn, VtnAddress
from tests.grid_supervisor.conftest import Plant
from tests.services_openadr.business import Business
from tests.services_openadr.conftest import VEN_NAME
from tests.services_openadr.server import RealVtn

pytestmark = pytest.mark.anyio

HALF_PAST: dict[str, Any] = {"intervalPeriod": {"start": "2026-03-01T12:00:00Z", "duration": "PT30M"}}
NOW: dict[str, Any] = {"intervalPeriod": {"start": "0001-01-01T00:00:00Z", "duration": "P9999Y"}}


@pytest.fixture
def program(business: Business) -> str:
    return business.program(DISPATCH_SETPOINT="KW", CHARGE_STATE_SETPOINT="PERCENT")


@pytest.fixture
def granted(ven: VirtualEndNode, business: Business) -> None:
    """The battery is called bat-1, the peaker gt-1."""
    business.grant(VEN_NAME, "battery", "bat-1")
    business.grant(VEN_NAME, "peaker", "gt-1")


def brief(responses: tuple[Response, ...]) -> list[tuple[str, str, float | None]]:
    return [(one.asset, one.state, one.power_kw) for one in responses]


def told(business: Business, event_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Resource and payloads of the reports on an event."""
    return [
        (resource["resourceName"], {one["type"]: one["values"][0] for one in interval["payloads"]})
        for report in business.read("reports", eventID=event_id)
        for resource in report["resources"]
        for interval in resource["intervals"]
    ]


async def test_enrolling_twice_makes_one_node_with_two_resources(
    ven: VirtualEndNode, business: Business
) -> None:
    await ven.enrol()
    [found] = business.read("vens", venName=VEN_NAME)
    resources = business.read("resources", venID=found["id"])
    said = {
        one["resourceName"]: {each["type"]: each["values"] for each in one["attributes"]} for one in resources
    }
    assert len(resources) == 2
    assert said == {
        "battery": {"MAX_POWER_EXPORT": [1000.0], "MAX_POWER_CONSUMPTION": [1000.0]},
        "peaker": {"MAX_POWER_EXPORT": [1000.0], "MAX_POWER_CONSUMPTION": [0.0]},
    }


async def test_a_setpoint_moves_the_battery_and_its_power_is_reported(
    ven: VirtualEndNode, granted: None, business: Business, program: str, plant: Plant
) -> None:
    event = business.event(program, "DISPATCH_SETPOINT", -400.0, targets=["bat-1"], **HALF_PAST)
    assert brief(await ven.tick()) == [("battery", "accepted", 400.0)]
    assert plant.act().battery_kw == 400.0
    assert await ven.tick() == ()
    assert told(business, event) == [
        ("battery", {"OPERATING_STATE": "RUNNING_CURTAILED", "SETPOINT": -400.0})
    ]


async def test_an_event_for_somebody_else_is_not_even_seen(
    ven: VirtualEndNode, granted: None, business: Business, program: str, plant: Plant
) -> None:
    business.event(program, "DISPATCH_SETPOINT", -400.0, targets=["bat-2"], **HALF_PAST)
    assert await ven.tick() == ()
    assert plant.accepted() == []


async def test_a_changed_event_replaces_and_a_deleted_one_releases(
    ven: VirtualEndNode, granted: None, business: Business, program: str, plant: Plant
) -> None:
    event = business.event(program, "DISPATCH_SETPOINT", -400.0, targets=["bat-1"], **HALF_PAST)
    await ven.tick()
    business.change(
        event, intervals=[{"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT", "values": [150.0]}]}]
    )
    assert brief(await ven.tick()) == [("battery", "accepted", -150.0)]
    assert plant.act().battery_kw == -150.0
    business.delete(event)
    await ven.tick()
    plant.advance(1)
    assert plant.act().battery_kw == 0.0


async def test_an_endless_event_from_the_beginning_of_time_holds_now(
    ven: VirtualEndNode, granted: None, business: Business, program: str
) -> None:
    business.event(program, "SIMPLE", 1, targets=["bat-1"], **NOW)
    assert brief(await ven.tick()) == [("battery", "accepted", 500.0)]


async def test_a_charge_state_charges_the_battery(
    ven: VirtualEndNode, granted: None, business: Business, program: str, plant: Plant
) -> None:
    business.event(program, "CHARGE_STATE_SETPOINT", 60.0, targets=["bat-1"], **HALF_PAST)
    [response] = await ven.tick()
    assert response.power_kw is not None
    assert response.power_kw < 0
    plant.act()
    for _ in range(6):
        plant.advance(1)
        await ven.tick()
        plant.act()
    soc = plant.simulator.battery.soc_kwh / plant.limits.battery.energy_kwh
    assert soc == pytest.approx(0.6, abs=0.02)


async def test_the_peaker_waits_for_an_operator_and_a_price_is_declined(
    ven: VirtualEndNode, granted: None, business: Business, program: str
) -> None:
    start = business.event(program, "DISPATCH_SETPOINT", -500.0, targets=["gt-1"], **HALF_PAST)
    price = business.event(program, "PRICE", 0.3, targets=["bat-1"], **HALF_PAST)
    await ven.tick()
    assert told(business, start) == [("peaker", {"OPERATING_STATE": "IDLE_NORMAL"})]
    assert told(business, price) == [("battery", {"OPERATING_STATE": "IDLE_OPTED_OUT"})]


async def test_all_pages_are_read(vtn: HttpVtn, business: Business, program: str) -> None:
    for _ in range(PAGE + 1):
        business.event(program, "SIMPLE", 0, **HALF_PAST)
    assert len(vtn.events()) == PAGE + 1


def test_wrong_credentials_are_an_error_that_names_the_vtn(address: VtnAddress) -> None:
    wrong = replace(address, client_secret=secrets.token_hex(4))
    with pytest.raises(VtnError, match="credentials"):
        HttpVtn(wrong, "acme").events()


def test_plain_http_is_refused_unless_allowed(address: VtnAddress) -> None:
    with pytest.raises(VtnError, match="HTTPS"):
        HttpVtn(replace(address, insecure=False), "acme").events()


def test_a_vtn_that_does_not_answer_is_an_error(server: RealVtn, address: VtnAddress) -> None:
    nowhere = replace(address, url="http://127.0.0.1:9", token_url=f"{server.url}/auth/token")
    with pytest.raises(VtnError, match=r"127\.0\.0\.1:9"):
        HttpVtn(nowhere, "acme").events()

"""The role around the virtual end node, and what it says where the client cannot be used."""

import sys

import anyio
import pytest

from smartgrid.openadr.errors import VtnError
from smartgrid.openadr.role import follow
from smartgrid.openadr.signals import Event, Response, ResponseState
from smartgrid.openadr.vtn import HttpVtn, VtnAddress, client_secret, operating_state
from tests.grid_supervisor.conftest import Plant
from tests.openadr.conftest import ScriptedVtn, event

pytestmark = pytest.mark.anyio

ADDRESS = VtnAddress("https://vtn.example.com", "acme", "a word")


class Moody(ScriptedVtn):
    """Is away at every other look."""

    def events(self) -> tuple[Event, ...]:
        self.away = not self.away
        return super().events()


async def run(plant: Plant, vtn: ScriptedVtn, *, shadow: bool = False) -> list[str]:
    """What the role says until it has told of an event."""
    said: list[str] = []
    stopped = anyio.Event()

    def hear(text: str) -> None:
        said.append(text)
        if text.startswith("event"):
            stopped.set()

    with anyio.fail_after(60):
        await follow(plant.workplace, vtn, "acme", stopped, poll_s=0.0, say=hear, shadow=shadow)
    return said


async def test_the_role_enrols_follows_and_stops(plant: Plant, vtn: ScriptedVtn) -> None:
    vtn.said = (event(),)
    said = await run(plant, vtn)
    assert len(vtn.offers) == 2
    assert said[0].startswith("follows the VTN as acme")
    assert said[1].startswith("event e1, interval 0, battery: accepted; accepted: battery at 400.0 kW")


async def test_a_look_that_fails_is_tried_again(plant: Plant, caplog: pytest.LogCaptureFixture) -> None:
    vtn = Moody()
    vtn.said = (event(),)
    assert "accepted" in (await run(plant, vtn))[-1]
    assert "this look failed: away" in caplog.text


async def test_in_shadow_mode_events_are_told_as_denied_and_nothing_moves(
    plant: Plant, vtn: ScriptedVtn
) -> None:
    vtn.said = (event(),)
    assert "battery: denied" in (await run(plant, vtn, shadow=True))[-1]
    assert plant.accepted() == []
    assert [operating_state(one) for one in vtn.told] == ["IDLE_OPTED_OUT"]


def test_without_the_client_the_role_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openadr3_client", None)
    with pytest.raises(VtnError, match=r"Python 3\.12: pip install 'smartgrid-ai\[openadr\]'"):
        HttpVtn(ADDRESS, "acme")


def test_the_secret_comes_from_the_environment_and_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTGRID_OPENADR_CLIENT_SECRET", "a word")
    assert client_secret() == "a word"
    assert "a word" not in repr(ADDRESS)
    monkeypatch.delenv("SMARTGRID_OPENADR_CLIENT_SECRET")
    with pytest.raises(VtnError, match="SMARTGRID_OPENADR_CLIENT_SECRET is not set"):
        client_secret()


@pytest.mark.parametrize(
    ("state", "power_kw", "told"),
    [
        ("accepted", 100.0, "RUNNING_CURTAILED"),
        ("accepted", -100.0, "RUNNING_HEIGHTENED"),
        ("accepted", 0.0, "IDLE_NORMAL"),
        ("accepted", None, "RUNNING_NORMAL"),
        ("waiting", None, "IDLE_NORMAL"),
        ("denied", None, "IDLE_OPTED_OUT"),
        ("declined", None, "IDLE_OPTED_OUT"),
    ],
)
def test_a_response_in_openadrs_words(state: ResponseState, power_kw: float | None, told: str) -> None:
    assert operating_state(Response("e1", 0, "battery", state, power_kw, "")) == told

"""An operator's work in the console, in a real browser, over a plant that runs."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, PATIENCE_MS, PHONE, Desk, Operator, Served, served
from tests.smartgrid import roles

expect.set_options(timeout=PATIENCE_MS)
MARK = "window.marked = true"
IS_MARKED = "window.marked === true"
"""A mark on the page that a reload would wipe away."""


def ask(plant: Served, minutes: float) -> tuple[dict[str, Any], str]:
    """Ask to start the peaker: a person has to agree. The call, and the number of its approval."""
    call = {
        "power_kw": 3_000.0, "duration_min": minutes, "reason": "evening peak", "expected_cost_usd": 270.0,
        "expected_effect": "net load stays below the ramp limit",
    }  # fmt: skip
    answer = plant.call("dispatch_peaker", **call)
    assert answer["status"] == "pending_approval", answer
    return call, str(answer["approval_id"])


def card(page: Page, number: str) -> Any:
    return page.locator(f"[data-approval='{number}']")


def outcome(page: Page, number: str) -> Any:
    return page.locator(f"[data-over='{number}']")


def test_an_operator_sees_a_pulse_arrive_and_a_request_approves_it_and_sees_the_dispatch(
    operator: Operator, plant: Served
) -> None:
    page = operator.page
    page.evaluate(MARK)
    load, clock = operator.shown("net-load").locator(".value"), operator.shown("clock")
    before = load.inner_text()
    expect(load).not_to_have_text(before)
    expect(clock).to_contain_text(re.compile(r"20\d\d \d\d:\d\d:\d\d (CET|CEST)"))
    assert page.evaluate(IS_MARKED)

    operator.open("approvals")
    page.evaluate(MARK)
    expect(operator.shown("nothing")).to_be_visible()
    call, number = ask(plant, 60.0)
    expect(card(page, number)).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(1\) Approvals"))
    expect(operator.shown("waiting")).to_have_text("1")
    for text in ("Run the gas peaker at 3,000 kW for 60 min", "evening peak", "270.00 USD", "peaker_start"):
        expect(card(page, number)).to_contain_text(text)
    expect(card(page, number).locator("[data-is=left]")).to_contain_text("left")
    operator.shoot("approval-pending")

    card(page, number).get_by_label("Reason").fill("the ramp is real")
    card(page, number).get_by_role("button", name="Approve").click()
    expect(outcome(page, number)).to_contain_text("approved, not yet carried out")
    expect(outcome(page, number)).to_contain_text("the ramp is real")
    expect(card(page, number)).to_have_count(0)
    done = plant.call("dispatch_peaker", **call)
    assert (done["status"], done["approval_id"]) == ("accepted", number)
    expect(outcome(page, number)).to_contain_text("approved and carried out")
    assert page.evaluate(IS_MARKED), "all of it without a reload"

    operator.open("")
    expect(operator.shown("peaker")).to_contain_text("setpoint 3,000 kW")
    expect(operator.shown("peaker").locator(".value")).to_contain_text("kW")
    operator.open("decisions")
    made = page.locator(f"[data-decision='proposal {done['proposal_id']}']")
    expect(made).to_contain_text("+3,000 kW planned")
    made.click()
    expect(made.locator(".facts")).to_contain_text("evening peak")
    page.get_by_label("Search").fill("nobody asked for this")
    expect(made).to_have_count(0)
    page.get_by_label("Search").fill("peaker evening")
    expect(made).to_be_visible()
    operator.shoot("decisions")

    operator.open("audit")
    expect(operator.shown("chain")).to_contain_text("chain holds")
    expect(operator.shown("audit")).to_contain_text("approval approved")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    exported = Path(download.value.path()).read_text("utf-8")
    assert "the ramp is real" in exported
    kept = roles.run("approvals", "show", number, "--state", str(plant.state), "--json").stdout
    assert '"decided_by": "operator:' in kept


def test_a_request_is_denied_with_a_reason_and_never_without(operator: Operator, plant: Served) -> None:
    page = operator.page
    call, number = ask(plant, 61.0)
    operator.open(f"approvals/{number}")
    card(page, number).get_by_role("button", name="Deny").click()
    expect(card(page, number)).to_contain_text("Say why")
    card(page, number).get_by_label("Reason").fill("not tonight")
    card(page, number).get_by_role("button", name="Deny").click()
    expect(outcome(page, number)).to_contain_text("denied")
    expect(outcome(page, number)).to_contain_text("not tonight")
    refused = plant.call("dispatch_peaker", **call)
    assert refused["status"] == "denied"
    assert "not tonight" in str(refused["findings"])


def test_what_is_being_typed_survives_the_next_pulses_and_the_keyboard_suffices(
    operator: Operator, plant: Served
) -> None:
    page = operator.page
    operator.open("approvals")
    _, number = ask(plant, 62.0)
    reason = card(page, number).get_by_label("Reason")
    reason.focus()
    page.keyboard.type("typed ")
    beat = page.locator("#beat").inner_text()
    for _ in range(3):
        expect(page.locator("#beat")).not_to_have_text(beat)
        beat = page.locator("#beat").inner_text()
    page.keyboard.type("slowly")
    expect(reason).to_have_value("typed slowly")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(outcome(page, number)).to_contain_text("approved, not yet carried out")
    expect(outcome(page, number)).to_contain_text("typed slowly")


def test_the_skip_link_is_the_first_stop_of_the_keyboard(operator: Operator) -> None:
    operator.page.keyboard.press("Tab")
    focused = operator.page.evaluate("document.activeElement.textContent")
    assert focused == "Skip to main content"


def test_log_out_closes_every_page_of_the_session_and_nothing_opens_without_a_new_one(
    operator: Operator, plant: Served
) -> None:
    page = operator.page
    other = operator.context.new_page()
    other.goto(f"{plant.base}/console/approvals")
    other.locator("[data-is=pulse]").wait_for()
    page.get_by_role("button", name="Account").click()
    page.get_by_text("Log out").click()
    page.wait_for_url("**/console/login")
    other.wait_for_url("**/console/login")
    for path in ("", "approvals", "decisions", "audit"):
        page.goto(f"{plant.base}/console/{path}")
        expect(page.get_by_label("Operator token")).to_be_visible()


def test_a_used_link_and_a_wrong_token_open_nothing_and_the_operator_token_does(
    desk: Desk, plant: Served
) -> None:
    operator = desk.seat(plant)
    link = plant.link()
    operator.page.goto(link)
    operator.page.wait_for_url(f"{plant.base}/console/")
    operator.context.clear_cookies()
    operator.page.goto(f"{plant.base}/console/login")
    operator.page.goto(link)
    expect(operator.page.get_by_role("alert")).to_contain_text("not valid")
    operator.shoot("login-refused")
    operator.page.get_by_label("Operator token").fill((plant.state / "operator.token").read_text().strip())
    operator.page.get_by_role("button", name="Log in").click()
    operator.page.wait_for_url(f"{plant.base}/console/")


def test_without_a_log_in_nothing_is_shown_and_nothing_can_be_approved(plant: Served) -> None:
    _, number = ask(plant, 63.0)
    with httpx.Client(base_url=plant.base, headers={"origin": plant.base}) as anybody:
        for path in ("", "approvals", f"approvals/{number}", "decisions", "audit"):
            assert anybody.get(f"/console/{path}").status_code == 401
            assert anybody.post(f"/console/{path}", json={"approve": number}).status_code == 401
        handshake = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        key = {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
        refused = anybody.get(
            "/console/_nicegui_ws/socket.io/?EIO=4&transport=websocket", headers=handshake | key
        )
        assert refused.status_code == 403
    asked = roles.run("approvals", "show", number, "--state", str(plant.state), "--json")
    assert '"state": "PENDING"' in asked.stdout
    roles.run("approvals", "deny", number, "--reason", "cleared away", "--state", str(plant.state))


def test_halting_takes_a_reason_and_a_second_click_and_shows_everywhere(
    operator: Operator, plant: Served
) -> None:
    page = operator.page
    page.get_by_role("button", name="Halt", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(operator.shown("mode")).not_to_have_text("Halted")
    page.get_by_role("button", name="Halt", exact=True).click()
    page.get_by_role("button", name="Halt autonomy").click()
    expect(page.get_by_text("say why")).to_be_visible()
    page.get_by_label("Reason").fill("smoke in the yard")
    operator.shoot("halt-dialog")
    page.get_by_role("button", name="Halt autonomy").click()
    expect(operator.shown("mode")).to_have_text("Halted")
    expect(operator.shown("alarms")).to_contain_text("smoke in the yard")
    operator.shoot("halted")
    assert plant.call("get_grid_status")["halted"] is True
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_label("Reason").fill("it was steam")
    page.get_by_role("button", name="Resume autonomy").click()
    expect(operator.shown("mode")).not_to_have_text("Halted")
    assert plant.call("get_grid_status")["halted"] is False


def test_a_server_that_falls_silent_is_not_live_and_live_again_once_it_speaks(
    operator: Operator, plant: Served
) -> None:
    page = operator.page
    os.kill(plant.pid, signal.SIGSTOP)
    try:
        expect(page.locator("#silent")).to_contain_text("no word from the server")
        expect(operator.page.locator("[data-is=pulse]")).not_to_be_visible()
        operator.shoot("silent")
    finally:
        os.kill(plant.pid, signal.SIGCONT)
    expect(page.locator("#silent")).not_to_be_visible()
    expect(operator.shown("pulse")).to_contain_text("old")


@pytest.mark.parametrize(("zone", "name"), [("Asia/Kolkata", "IST"), ("America/New_York", "E[SD]T")])
def test_times_are_the_operators(desk: Desk, plant: Served, zone: str, name: str) -> None:
    operator = desk.seat(plant, timezone_id=zone)
    operator.log_in()
    expect(operator.shown("clock")).to_contain_text(re.compile(name + "$"))


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_every_page_fits_its_screen_in_both_colours(
    desk: Desk, plant: Served, size: str, colours: Any
) -> None:
    screen = PHONE if size == "phone" else DESK
    operator = desk.seat(plant, color_scheme=colours, viewport=screen, is_mobile=size == "phone")
    minutes = 70.0 + 2 * (size == "desk") + (colours == "dark")  # a call that was denied stays so
    _, number = ask(plant, minutes)
    operator.page.goto(f"{plant.base}/console/login")
    operator.shoot(f"login-{size}-{colours}")
    operator.log_in()
    for path in ("", "approvals", f"approvals/{number}", "decisions", "audit"):
        operator.open(path)
        expect(operator.page.locator("#beat")).not_to_have_text("1")
        if path == "audit":
            expect(operator.shown("chain")).to_contain_text("chain holds")
        width = operator.page.evaluate("document.documentElement.scrollWidth")
        assert width <= screen["width"], f"{path or 'now'} is wider than the screen"
        name = re.sub(r"/.*", "-one", path) or "now"
        operator.shoot(f"{name}-{size}-{colours}")
    dark = operator.page.evaluate("document.body.classList.contains('body--dark')")
    assert dark is (colours == "dark")
    roles.run("approvals", "deny", number, "--reason", "cleared away", "--state", str(plant.state))


@pytest.fixture(scope="module")
def hasty(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A plant fifty times faster than life, whose requests run out within seconds, and so do sessions."""
    folder = tmp_path_factory.mktemp("hasty")
    (folder / "limits.yaml").write_text("approval:\n  expires_s: 600\n")
    yield from served(
        folder / "state", trained, "--loops", "none", "--limits", str(folder / "limits.yaml"),
        SMARTGRID_PULSE_S="0.1", SMARTGRID_CONSOLE_IDLE_MIN="0.3",
    )  # fmt: skip


def test_a_request_that_nobody_decides_expires_before_the_operators_eyes_and_then_the_console_logs_out(
    desk: Desk, hasty: Served
) -> None:
    operator = desk.seat(hasty)
    operator.log_in()
    operator.open("approvals")
    call, number = ask(hasty, 60.0)
    expect(card(operator.page, number)).to_be_visible()
    expect(outcome(operator.page, number)).to_contain_text("expired without effect")
    expect(card(operator.page, number)).to_have_count(0)
    again = hasty.call("dispatch_peaker", **call)
    assert again["status"] == "pending_approval"
    assert again["approval_id"] != number
    operator.page.wait_for_url("**/console/login")

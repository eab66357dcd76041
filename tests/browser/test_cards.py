"""The cards in a real Chromium, in a frame without any right but scripts, before a host that records."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, FrameLocator, Page, Request

from mcp_server.apps import DISPATCH, FORECAST, page_of
from tests.browser.conftest import ARTEFACTS, PATIENCE_MS

HOST = """<!doctype html><iframe id="view" sandbox="allow-scripts" style="width:480px;height:420px"></iframe>
<script>
const view = document.getElementById("view");
window.heard = [];
window.tell = (message) => view.contentWindow.postMessage({ jsonrpc: "2.0", ...message }, "*");
window.addEventListener("message", (event) => {
  if (event.source !== view.contentWindow) return;
  window.heard.push(event.data);
  if (event.data.method === "ui/initialize") {
    window.tell({ id: event.data.id, result: {
      protocolVersion: "2026-01-26", hostCapabilities: { openLinks: {} },
      hostInfo: { name: "host", version: "1" },
      hostContext: { theme: "dark", locale: "en-GB", timeZone: "Europe/Luxembourg" },
    } });
  } else if (event.data.id !== undefined) window.tell({ id: event.data.id, result: {} });
});
</script>"""
FORECAST_ANSWER = {
    "site": "area", "issued_at": "2024-07-01T12:00:00Z", "target_at": "2024-07-01T12:30:00Z", "age_s": 5.0,
    "net_load_kw": 900.0, "p10_change_kw": -50.0, "p50_change_kw": 20.0, "p90_change_kw": 110.0,
    "p10_level_kw": 850.0, "p50_level_kw": 920.0, "p90_level_kw": 1010.0,
    "ramp_limit_kw": 100.0, "ramp_probability": 0.12,
}  # fmt: skip
LINK = "http://127.0.0.1:8765/console/approvals/7"
PENDING = {
    "status": "pending_approval", "asset": "peaker", "requested_power_kw": 400.0, "power_kw": None,
    "duration_min": 15.0, "proposal_id": "3", "approval_id": "7", "expires_at": "2024-07-01T12:15:00Z",
    "findings": [{"rule": "approval.peaker", "quote": "<img src=x onerror=alert(1)>", "effect": "ask"}],
    "next_step": f"an operator must approve it; then repeat the call; an operator decides at {LINK}",
}  # fmt: skip


class Host:
    """A client that shows one card."""

    def __init__(self, page: Page, uri: str) -> None:
        self.page = page
        self.asked: list[str] = []
        self.wrong: list[str] = []
        page.on("request", self._note)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", self._dismiss)
        page.set_content(HOST)
        page.evaluate("html => { document.getElementById('view').srcdoc = html }", page_of(uri))
        page.wait_for_function(
            "heard.some(m => m.method === 'ui/notifications/initialized')", timeout=PATIENCE_MS
        )

    def _note(self, request: Request) -> None:
        if not request.url.startswith("about:"):
            self.asked.append(request.url)

    def _dismiss(self, dialog: Dialog) -> None:
        self.wrong.append(dialog.message)
        dialog.dismiss()

    @property
    def card(self) -> FrameLocator:
        return self.page.frame_locator("#view")

    def show(self, answer: dict[str, Any] | None, **result: Any) -> str:
        """The card's text once it shows an answer."""
        params = {"content": [], "structuredContent": answer, **result}
        before = self.heard("ui/notifications/size-changed")
        message = {"method": "ui/notifications/tool-result", "params": params}
        self.page.evaluate(f"tell({json.dumps(message)})")
        self.page.wait_for_function(
            f"heard.filter(m => m.method === 'ui/notifications/size-changed').length > {len(before)}",
            timeout=PATIENCE_MS,
        )
        return self.card.locator("#card").inner_text()

    def heard(self, method: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate(f"heard.filter(m => m.method === '{method}')")
        return found


@pytest.fixture
def host(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host with the card that the test names; the card has asked the network for nothing."""
    context = chromium.new_context()
    made = Host(context.new_page(), request.param)
    yield made
    ARTEFACTS.mkdir(exist_ok=True)
    made.page.screenshot(path=ARTEFACTS / f"card-{request.node.originalname}.png")
    assert made.asked == []
    assert made.wrong == []
    context.close()


with_forecast = pytest.mark.parametrize("host", [FORECAST], indirect=True)
with_dispatch = pytest.mark.parametrize("host", [DISPATCH], indirect=True)


@with_forecast
def test_the_forecast_is_drawn_with_its_band_in_the_readers_time(host: Host) -> None:
    text = host.show(FORECAST_ANSWER)
    assert all(part in text for part in ("area", "920 kW", "850 kW", "1,010 kW", "12 %", "14:00", "14:30"))
    assert host.card.locator("polygon.band").count() == 1
    drawn = host.card.locator("polygon.band").get_attribute("points") or ""
    (_, now), (_, high), (_, low) = (map(float, point.split(",")) for point in drawn.split())
    assert high < now < low, "up is more"


@with_forecast
def test_a_net_load_that_is_not_known_is_not_drawn_as_zero(host: Host) -> None:
    unknown = dict.fromkeys(("net_load_kw", "p10_level_kw", "p50_level_kw", "p90_level_kw"))
    text = host.show({**FORECAST_ANSWER, **unknown})
    assert "not known" in text
    assert "20 kW change" in text
    assert host.card.locator("svg").count() == 0


@with_forecast
def test_an_answer_that_is_an_error_is_shown_as_its_text(host: Host) -> None:
    text = host.show(None, isError=True, content=[{"type": "text", "text": "the forecast is stale: 900 s"}])
    assert text.strip() == "the forecast is stale: 900 s"


@with_dispatch
def test_a_request_that_waits_offers_the_consoles_link_and_no_way_to_approve(host: Host) -> None:
    text = host.show(PENDING)
    assert "Waits for an operator" in text
    assert "Nothing here approves" in text
    buttons = host.card.locator("button")
    assert buttons.all_inner_texts() == ["Open the console"]
    buttons.click()
    host.page.wait_for_function("heard.some(m => m.method === 'ui/open-link')", timeout=PATIENCE_MS)
    assert [message["params"] for message in host.heard("ui/open-link")] == [{"url": LINK}]
    assert host.heard("tools/call") == []


@with_dispatch
def test_text_of_others_stays_text(host: Host) -> None:
    text = host.show(PENDING)
    assert "<img src=x onerror=alert(1)>" in text
    assert host.card.locator("img").count() == 0


@with_dispatch
@pytest.mark.parametrize(
    "next_step",
    [f"because {LINK.replace('127.0.0.1', 'evil.example')} says so; repeat the call", "repeat the call"],
)
def test_an_address_in_somebody_elses_words_is_no_link(host: Host, next_step: str) -> None:
    assert "Waits for an operator" in host.show({**PENDING, "next_step": next_step})
    assert host.card.locator("button").count() == 0


@with_dispatch
def test_an_accepted_request_has_no_link(host: Host) -> None:
    text = host.show({**PENDING, "status": "accepted", "power_kw": 400.0, "approval_id": None})
    assert "Accepted" in text
    assert host.card.locator("button").count() == 0

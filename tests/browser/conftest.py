"""A real plant, a real Chromium: the console as an operator uses it."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from mcp import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.smartgrid import roles
from tests.smartgrid.conftest import trained

ARTEFACTS = Path(__file__).parent / "artefacts"
PATIENCE_MS = 30_000
"""How long a page may take to show something; on a busy machine."""
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}

__all__ = ["trained"]  # a fixture, for the tests here


@dataclass(frozen=True)
class Served:
    """A plant that runs and serves its console."""

    base: str
    state: Path
    pid: int

    def link(self) -> str:
        """A link that opens the console once."""
        made = roles.run("console", "link", "--state", str(self.state))
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool as an agent does."""

        async def main() -> dict[str, Any]:
            async with Client(f"{self.base}/mcp") as client:
                answer = await client.call_tool(tool, arguments)
                assert answer.structured_content is not None, answer
                return dict(answer.structured_content)

        with ThreadPoolExecutor(1) as beside:  # the browser's driver has this thread's event loop
            return beside.submit(anyio.run, main).result()


def served(state: Path, trained: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    """``smartgrid up`` on a fresh state."""
    shutil.copytree(trained, state / "model")
    env = roles.environment(**variables)
    with roles.up(state, *arguments, env=env) as (address, pid):
        yield Served(address.removesuffix("/mcp"), state, pid)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one that SMARTGRID_CHROMIUM names; without one these tests fail."""
    path = os.environ.get("SMARTGRID_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.fail("no chromium here: apt-get install chromium, or name one in SMARTGRID_CHROMIUM")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Operator:
    """An operator at a browser; knows all that the browser asked for, and what went wrong in it."""

    served: Served
    context: BrowserContext
    page: Page
    asked: list[str]
    wrong: list[str]

    def log_in(self) -> None:
        self.page.goto(self.served.link())
        self.page.wait_for_url(f"{self.served.base}/console/")
        self.shown("pulse")

    def open(self, path: str) -> None:
        self.page.goto(f"{self.served.base}/console/{path}")
        self.shown("pulse")

    def shown(self, name: str) -> Any:
        """An element by its name, once it is there."""
        found = self.page.locator(f"[data-is={name}]").first
        found.wait_for()
        return found

    def shoot(self, name: str) -> None:
        """Keep what it looks like."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


@dataclass
class Desk:
    """Seats operators at browsers, and looks at what their browsers did when they leave."""

    browser: Browser
    seated: list[Operator]

    def seat(self, served: Served, **options: Any) -> Operator:
        context = self.browser.new_context(
            **{"viewport": DESK, "timezone_id": "Europe/Luxembourg", **options}
        )
        context.set_default_timeout(PATIENCE_MS)
        page, asked, wrong = context.new_page(), [], []
        context.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
        self.seated.append(Operator(served, context, page, asked, wrong))
        return self.seated[-1]

    def leave(self) -> None:
        for operator in self.seated:
            operator.context.close()
            own = urlsplit(operator.served.base).netloc
            foreign = [
                url for url in operator.asked if urlsplit(url).netloc != own and not url.startswith("data:")
            ]
            assert operator.asked
            assert foreign == [], "a request left this machine"
            assert operator.wrong == []


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Desk]:
    """Where operators sit; no request of theirs leaves the machine, no script of theirs fails."""
    made = Desk(chromium, [])
    yield made
    made.leave()


@pytest.fixture(scope="module")
def plant(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A plant at five times life's pace, without loops: what happens is what the test does."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "limits.yaml").write_text("approval:\n  power_kw: 2000\n")
    options = ("--loops", "none", "--limits", str(folder / "limits.yaml"))
    yield from served(folder / "state", trained, *options, SMARTGRID_PULSE_S="1.0")


@pytest.fixture
def operator(desk: Desk, plant: Served) -> Operator:
    """An operator who has logged in."""
    seated = desk.seat(plant)
    seated.log_in()
    return seated

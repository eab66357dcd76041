"""What every page has: names of the pages, mode, age of the last pulse, clock, halt, log-out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from nicegui import Event, ui

from dispatch.approvals import Approval
from operator_console.audit_view import AuditLine
from operator_console.decisions import Decision
from operator_console.elements import button
from operator_console.errors import DeskError
from operator_console.halt_dialog import ask_to_switch
from operator_console.sessions import Session, Sessions
from operator_console.shared import SharedReading
from operator_console.snapshot import Mode, Snapshot
from operator_console.source import ConsoleSource, OperatorDesk
from operator_console.watch import View, Watch
from operator_console.words import LocalTime, old, zone_named

PAGES = (("/", "Now"), ("/approvals", "Approvals"), ("/decisions", "Decisions"), ("/audit", "Audit"))
MODES: dict[Mode, tuple[str, str]] = {
    "autonomous": ("Autonomous", "good"),
    "shadow": ("Shadow: nothing is actuated", "warn"),
    "halted": ("Halted", "bad"),
    "manual": ("No supervisor", "warn"),
}


Show = Callable[[Snapshot, LocalTime], Awaitable[None] | None]


@dataclass(frozen=True)
class Room:
    """What the pages are built from."""

    source: ConsoleSource
    desk: OperatorDesk
    sessions: Sessions
    watch: Watch
    views: Event[View]
    decisions: SharedReading[list[Decision]]
    audit: SharedReading[list[AuditLine]]
    home: str


class Frame:
    """One open page: its frame, and what it shows when the watch tells.

    Args:
        room: what pages are built from.
        session: of whoever opened it.
        path: of the page.
    """

    def __init__(self, room: Room, session: Session, path: str) -> None:
        self.room, self.session = room, session
        self.zone: ZoneInfo = zone_named(session.zone, room.source.tz)
        self._path = path
        self._told: set[str] | None = None
        self._show: Show | None = None
        self._over = self.halted = False
        ui.on("touched", lambda: room.sessions.touch(session))
        self.outside = ui.element("div").style("display: contents")
        with self.outside:
            self._bar()
            self.notice = ui.label().classes("notice").props('role="alert"')
            ui.element("div").props('id="silent" role="alert"').classes("notice")
            self.content = ui.element("main").classes("page").props('id="main" tabindex="-1"')
        ui.skip_link(target=self.content)

    @property
    def subject(self) -> str:
        """Who is logged in."""
        return self.session.operator.subject

    async def follow(self, show: Show) -> None:
        """Show the plant as it is now, and again whenever the watch tells; ``show`` takes each view."""
        self._show = show
        await self._take(await self.room.watch.fresh())
        self.room.views.subscribe(self._take)

    def act(self, wish: Callable[[], object], done: str) -> bool:
        """Do what the operator asked, while the session lives; say how it went."""
        if not self.live():
            return False
        try:
            wish()
        except DeskError as error:
            ui.notify(str(error), type="negative", multi_line=True, timeout=8000)
            return False
        ui.notify(done, type="positive")
        return True

    def live(self) -> bool:
        """Whether the session lives; the operator has just done something. Else the page is left."""
        if self.room.sessions.live(self.session):
            self.room.sessions.touch(self.session)
            return True
        self._leave()
        return False

    def link(self, path: str) -> str:
        """The address of a page of the console."""
        return f"{self.room.home}{path.lstrip('/')}"

    def local(self, now: datetime) -> LocalTime:
        """Times as this operator reads them."""
        return LocalTime(self.zone, now)

    # -- the bar --------------------------------------------------------------------------------

    def _bar(self) -> None:
        with ui.element("header").classes("bar"):
            with ui.element("div").classes("brand"):
                ui.element("span").classes("mark").props('aria-hidden="true"')
                ui.label("SmartGrid").classes("wide-only")
            self._links()
            ui.element("div").classes("grow")
            self.mode = ui.label().classes("chip").props('data-is="mode"')
            self.pulse = ui.label().classes("chip live").props('data-is="pulse"')
            self.clock = ui.label().classes("clock").props('data-is="clock"')
            self._beat = ui.label("0").classes("unseen").props('id="beat" aria-hidden="true"')
            self._menu()
            self.halt = button("Halt", lambda: ask_to_switch(self), "stop")
            self.halt.props('data-is="halt"')

    def _links(self) -> None:
        with ui.element("nav").classes("pages").props('aria-label="Pages"'):
            for path, name in PAGES:
                link = ui.element("a").props(f'href="{self.link(path)}"')
                here = self._path == path or (path != "/" and self._path.startswith(path))
                if here:
                    link.props('aria-current="page"')
                with link:
                    ui.label(name)
                    if name == "Approvals":
                        self.count = ui.label("0").classes("count").props('data-is="waiting"')
                        self.count.set_visibility(False)

    def _menu(self) -> None:
        self._dark = ui.dark_mode(self.session.dark)
        with (
            ui.button(icon="account_circle", color=None)
            .props('flat round dense aria-label="Account"')
            .classes("account"),
            ui.menu(),
        ):
            ui.item(self.subject).props("disable")
            ui.item(f"Times in {self.zone.key}").props("disable")
            ui.separator()
            for name, dark in (("Colours of the system", None), ("Light", False), ("Dark", True)):
                ui.menu_item(name, lambda dark=dark: self._colour(dark))
            ui.separator()
            ui.menu_item("Log out", self._log_out)

    def _colour(self, dark: bool | None) -> None:
        self.session.dark = self._dark.value = dark

    def _log_out(self) -> None:
        self.room.sessions.end(self.session)
        self._leave()

    def _leave(self) -> None:
        self._over = True
        self.outside.clear()
        ui.navigate.to(self.room.home + "login")

    # -- what the watch tells -------------------------------------------------------------------

    async def _take(self, view: View) -> None:
        if self._over:
            return
        if not self.room.sessions.live(self.session):
            self._leave()
            return
        self._live(view)
        if view.seen is not None:
            local = self.local(view.seen.now)
            self._frame(view.seen, local)
            shown = None if self._show is None else self._show(view.seen, local)
            if shown is not None:
                await shown

    def _live(self, view: View) -> None:
        self._beat.set_text(str(int(self._beat.text) + 1))  # the page notices when its server falls silent
        self.notice.set_visibility(view.problem is not None)
        self.notice.set_text("" if view.problem is None else f"Not live: {view.problem}.")
        if view.problem is not None or view.seen is None:
            self.outside.classes(add="dead")
            self.clock.set_text(
                f"{self.clock.text.removesuffix(' ')}{'' if self.clock.text.endswith(' ') else ' '}"
            )
        else:
            self.outside.classes(remove="dead")

    def _frame(self, seen: Snapshot, local: LocalTime) -> None:
        text, kind = MODES[seen.mode]
        self.mode.set_text(text)
        self.mode.classes(replace=f"chip {kind}")
        dead = self.notice.visible
        age = seen.metered.age
        self.pulse.set_text("not live" if dead else f"pulse {old(age).removeprefix('stale: ')}")
        self.pulse.classes(replace=f"chip live {'bad' if dead or age.stale else 'good'}")
        if not dead:
            self.clock.set_text(local.clock())
        halted = self.halted = seen.mode == "halted"
        self.halt.set_text("Resume" if halted else "Halt")
        self.halt.classes(remove="stop main", add="main" if halted else "stop")
        self._waiting(seen.approvals)

    def _waiting(self, waiting: tuple[Approval, ...]) -> None:
        ids = {asked.approval_id for asked in waiting}
        if ids == self._told:
            return
        self.count.set_text(str(len(ids)))
        self.count.set_visibility(bool(ids))
        name = next(name for path, name in PAGES if path == "/" + self._path.strip("/").partition("/")[0])
        title = f"{f'({len(ids)}) ' if ids else ''}{name} – SmartGrid console"
        ui.page_title(title)
        if self._told is not None and ids - self._told:
            ui.run_javascript("chime()")
            ui.notify(f"Approval {', '.join(sorted(ids - self._told))} waits for a decision", type="warning")
        self._told = ids

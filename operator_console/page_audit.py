"""Audit: whether the chain holds, its newest entries, and all of it as a file."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import anyio.to_thread
from nicegui import ui
from nicegui.element import Element

from grid.units import require_utc
from operator_console.audit_view import AuditLine
from operator_console.elements import KeyedList, button, heading, note
from operator_console.errors import DeskError, SourceError
from operator_console.frame import Frame
from operator_console.snapshot import Snapshot
from operator_console.words import LocalTime


@dataclass
class AuditPage:
    """The page's elements, and what they show."""

    frame: Frame
    _entries: int = -1
    _local: LocalTime | None = None

    def __post_init__(self) -> None:
        """Build it."""
        with self.frame.content:
            heading("Audit")
            with ui.element("section").classes("panel row"):
                self.chain = ui.label("not verified yet").classes("chip").props('data-is="chain"')
                self.count = ui.label().classes("note")
                ui.element("div").classes("grow")
                button("Verify now", self._verify)
                button("Export", self._export, "main")
            note(
                "Each entry's hash covers the one before it and is signed; the head is kept in a file of its "
                "own. Verifying compares all three."
            )
            with ui.element("section").classes("panel scroll"):
                table = ui.element("table").classes("audit").props('data-is="audit"')
            with table, ui.element("tr"):
                for name in ("no.", "at", "what", "who", "content"):
                    with ui.element("th"):
                        ui.label(name)
            self._lines = KeyedList(table, first=1)

    async def show(self, seen: Snapshot, local: LocalTime) -> None:
        """Show the newest entries once there are more."""
        self._local = local
        if seen.ledger.audit_entries == self._entries:
            return
        first, self._entries = self._entries < 0, seen.ledger.audit_entries
        self.count.set_text(f"{self._entries:,} entries")
        try:
            lines = await self.frame.room.audit.at(self._entries)
            self._lines.show([((line, local.day()), partial(self._row, line, local)) for line in lines])
        except SourceError as error:
            ui.notify(str(error), type="negative")
        if first:
            await self._verify()

    async def _verify(self) -> None:
        report = await anyio.to_thread.run_sync(self.frame.room.desk.verify_audit)
        at = self._local.clock() if self._local else ""
        text = f"chain holds: {report.count:,} entries at {at}" if report.ok else f"BROKEN: {report.problem}"
        self.chain.set_text(text)
        self.chain.classes(replace=f"chip {'good' if report.ok else 'bad'}")

    async def _export(self) -> None:
        if not self.frame.live():
            return
        try:
            text = await anyio.to_thread.run_sync(self.frame.room.desk.export_audit)
        except DeskError as error:
            ui.notify(str(error), type="negative")
            return
        ui.download(text.encode(), "smartgrid-audit.jsonl", "application/x-ndjson")

    def _row(self, line: AuditLine, local: LocalTime) -> Element:
        with ui.element("tr") as row:
            for text in (str(line.seq), _time(line.at, local), line.kind, line.actor):
                with ui.element("td"):
                    ui.label(text)
            with ui.element("td").classes("wide"):
                ui.label(line.text)
        return row


def _time(text: str, local: LocalTime) -> str:
    """The entry's time in the operator's zone; its text where it is no time any more."""
    try:
        return local.at(require_utc(datetime.fromisoformat(text), "audit time"))
    except ValueError:
        return text

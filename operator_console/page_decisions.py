"""Decisions: plan against actual, why, what was rejected, what it earned; searchable, live."""

from dataclasses import dataclass
from functools import partial

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from operator_console.decisions import Decision
from operator_console.elements import KeyedList, fact, heading
from operator_console.errors import SourceError
from operator_console.frame import Frame
from operator_console.snapshot import Snapshot
from operator_console.words import MISSING, LocalTime, figure

SHOWN = 100
KINDS = {
    "live": "good", "approved": "good", "expired": "", "superseded": "", "withdrawn": "warn",
    "denied": "bad", "refused": "bad",
}  # fmt: skip
STATES = {"expired": "done"}
"""What the ledger calls the end of a proposal's time is no failure of it."""


@dataclass
class DecisionsPage:
    """The page's elements, and what they show."""

    frame: Frame
    _entries: int = -1
    _rows: tuple[Decision, ...] = ()
    _local: LocalTime | None = None
    _reading: bool = False

    def __post_init__(self) -> None:
        """Build it."""
        with self.frame.content:
            heading("Decisions")
            self.search = ui.input("Search: who, asset, state, reason, rule, date", on_change=self._fill)
            self.search.props("outlined dense clearable debounce=250 data-is=search").classes("search")
            self.total = ui.label().classes("note").props('aria-live="polite"')
            self._items = KeyedList(ui.element("div").classes("list").props('data-is="decisions"'))
            self._opened: set[str] = set()

    async def show(self, seen: Snapshot, local: LocalTime) -> None:
        """Read anew once the ledger's audit grew: nothing is decided without an entry there."""
        self._local = local
        if self._reading or seen.ledger.audit_entries == self._entries:
            return
        self._reading = True
        try:
            self._rows = tuple(await self.frame.room.decisions.at(seen.ledger.audit_entries))
            self._entries = seen.ledger.audit_entries
        except SourceError as error:
            ui.notify(str(error), type="negative")
        finally:
            self._reading = False
        self._fill()

    def _fill(self) -> None:
        local = self._local
        if local is None:
            return
        words = (self.search.value or "").lower().split()
        found = [decision for decision in self._rows if decision.matches(words)]
        known = [decision.earned for decision in found if decision.earned is not None]
        earned = figure(sum(known), self.frame.room.source.currency, 2, sign=True) if known else MISSING
        more = f", the newest {SHOWN} shown" if len(found) > SHOWN else ""
        self.total.set_text(f"{len(found)} of {len(self._rows)} decisions{more}; value earned: {earned}")
        day = local.day()
        self._items.show([((one, day), partial(self._item, one, local)) for one in found[:SHOWN]])

    def _item(self, decision: Decision, local: LocalTime) -> Element:
        opened = decision.key in self._opened
        with ui.element("details").classes("item").props(f'data-decision="{decision.key}"') as item:
            with ui.element("summary"):
                self._summary(decision, local)
            facts = ui.element("div").classes("facts")
        if opened:
            item.props("open")

        def toggle(event: GenericEventArguments) -> None:
            if event.args["newState"] != "open":
                self._opened.discard(decision.key)
                return
            self._opened.add(decision.key)
            if not facts.default_slot.children:
                with facts:
                    self._facts(decision, local)

        item.on("toggle", toggle, ["newState"])
        return item

    def _summary(self, decision: Decision, local: LocalTime) -> None:
        ui.label(local.at(decision.at)).classes("when")
        state = STATES.get(decision.state, decision.state)
        ui.label(state).classes(f"chip {KINDS.get(decision.state, '')}")
        with ui.element("div"):
            ui.label(f"{decision.asset}: {_plan(decision)}")
            why = f"{decision.who}: {decision.why}" if decision.why else decision.who
            ui.label(why).classes("why")
        earned = figure(decision.earned, self.frame.room.source.currency, 2, sign=True)
        ui.label(earned).classes(f"num {_side(decision.earned)}")

    def _facts(self, decision: Decision, local: LocalTime) -> None:
        currency = self.frame.room.source.currency
        fact("Decision", f"{decision.key} by {decision.who}")
        fact("Why", decision.why or "not said")
        if decision.planned_kw is not None:
            fact("Time", f"{local.at(decision.at)} to {local.at(decision.until)}")
            energy = figure(decision.energy_kwh, "kWh", 1, sign=True)
            fact("Plan", f"{_kw(decision.planned_kw)} of {_kw(decision.asked_kw)} asked")
            fact("Actual", f"{_kw(decision.actual_kw)} on average, {energy}")
            earned = figure(decision.earned, currency, 2, sign=True)
            fact("Earned", f"{earned} at real-time prices, less wear or fuel; starts are not counted")
            cost = figure(decision.expected_cost, currency, 2, sign=True)
            fact("Expected", f"{decision.expected_effect or 'effect not said'}; cost {cost}")
            fact("Forecast", decision.forecast or "none named")
            fact("Event", decision.event_id or "none named")
        if decision.approval_id is not None:
            ui.label("Approval").classes("k")
            ui.link(f"approval {decision.approval_id}", self.frame.link(f"approvals/{decision.approval_id}"))
        for text in decision.rejected:
            fact("Rejected", text)


def _kw(power_kw: float | None) -> str:
    return figure(power_kw, "kW", 1, sign=True)


def _plan(decision: Decision) -> str:
    if decision.planned_kw is None:
        return f"{figure(decision.asked_kw, 'kW', sign=True)} asked"
    actual = figure(decision.actual_kw, "kW", sign=True)
    return f"{figure(decision.planned_kw, 'kW', sign=True)} planned, {actual} actual"


def _side(earned: float | None) -> str:
    if earned is None or abs(earned) < 0.005:
        return ""
    return "up" if earned > 0 else "down"

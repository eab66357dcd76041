"""Approvals: each request with all that a decision needs; decided here with a reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from nicegui import ui

from dispatch.approvals import Approval
from dispatch.errors import DispatchError
from grid.units import require_utc
from operator_console.elements import button, fact, heading, note
from operator_console.frame import Frame
from operator_console.ledger_view import one_approval
from operator_console.series_view import band_issued
from operator_console.snapshot import Snapshot
from operator_console.words import MISSING, LocalTime, figure, left
from pipeline.errors import PipelineError

URGENT_S = 120.0
OUTCOMES = {
    "APPROVED": ("approved, not yet carried out", "good"),
    "CONSUMED": ("approved and carried out", "good"),
    "DENIED": ("denied", "bad"),
    "EXPIRED": ("expired without effect", "warn"),
    "PENDING": ("waits", "warn"),
}


def what(asked: Approval) -> str:
    """The request in one line; positive power injects."""
    minutes = asked.duration_s / 60.0
    if asked.asset == "peaker":
        doing = "Run the gas peaker at" if asked.power_kw else "Stop the gas peaker:"
    else:
        doing = "Discharge the battery at" if asked.power_kw > 0 else "Charge the battery at"
    return f"{doing} {figure(abs(asked.power_kw), 'kW')} for {minutes:,.0f} min"


class AskCard:
    """One request that waits, with its buttons."""

    def __init__(self, frame: Frame, asked: Approval, local: LocalTime) -> None:
        self._frame, self._asked = frame, asked
        with ui.element("section").classes("panel ask") as self.card:
            self.card.props(f'data-approval="{asked.approval_id}"')
            with ui.element("div").classes("row"):
                ui.label(what(asked)).classes("what").props('role="heading" aria-level="2"')
                self._left = ui.label().classes("left").props('data-is="left"')
            _facts(frame, asked, local)
            with ui.element("div").classes("decide"):
                self._reason = ui.input("Reason, kept with the decision")
                self._reason.props("outlined dense data-is=reason")
                button("Deny", self._deny)
                button("Approve", self._approve, "main")

    def tick(self, now: datetime) -> None:
        """Show how long is left."""
        seconds = (self._asked.expires_at - now).total_seconds()
        self._left.set_text(f"{left(seconds)} left")
        self.card.classes(replace="panel ask urgent" if seconds < URGENT_S else "panel ask")

    def _approve(self) -> None:
        desk, asked = self._frame.room.desk, self._asked
        done = f"Approval {asked.approval_id} is approved; {asked.requester} may carry it out once"
        self._decide(desk.approve, done)

    def _deny(self) -> None:
        self._decide(self._frame.room.desk.deny, f"Approval {self._asked.approval_id} is denied")

    def _decide(self, decide: Callable[[str, str, str], Approval], done: str) -> None:
        frame, asked, reason = self._frame, self._asked, self._reason.value or ""
        if not reason.strip():
            self._reason.props('error error-message="Say why: it is kept with the decision"')
            self._reason.run_method("focus")
            return
        frame.act(lambda: decide(frame.subject, asked.approval_id, reason), done)


def _facts(frame: Frame, asked: Approval, local: LocalTime) -> None:
    currency, cost = frame.room.source.currency, asked.expected_cost_usd
    with ui.element("div").classes("facts"):
        fact("Why", asked.reason or MISSING)
        fact("Asked by", f"{asked.requester} at {local.at(asked.created_at)} through {asked.tool}")
        fact("Expected effect", asked.expected_effect or "not said")
        fact("Expected cost", "not said" if cost is None else _cost(cost, currency))
        fact("Rests on", _forecast(frame, asked, local))
        fact("Answers", asked.event_id or "no instability event named")
        for finding in asked.findings:
            fact(f"Rule {finding.rule}", finding.quote)
        fact("Expires", local.at(asked.expires_at))
        ui.label("Link").classes("k")
        with ui.element("div").classes("v"):
            ui.link(f"approval {asked.approval_id}", frame.link(f"approvals/{asked.approval_id}"))


def _cost(cost: float, currency: str) -> str:
    return f"{figure(abs(cost), currency, 2)} {'gained' if cost < 0 else 'spent'}"


def _forecast(frame: Frame, asked: Approval, local: LocalTime) -> str:
    """The forecast that it names, with its band where the store still has it."""
    if asked.forecast_issued_at is None:
        return "no forecast named"
    try:
        issued = require_utc(datetime.fromisoformat(asked.forecast_issued_at), "forecast_issued_at")
        found = band_issued(frame.room.source.reader, issued)
    except (ValueError, PipelineError):
        return f"the forecast of {asked.forecast_issued_at}"
    if found is None:
        return f"the forecast issued at {local.at(issued)}, which the store does not have"
    band = f"{figure(found.p10_kw, sign=True)} to {figure(found.p90_kw, 'kW', sign=True)}"
    change = f"{figure(found.p50_kw, 'kW', sign=True)} ({band}) by {local.at(found.target_at, seconds=False)}"
    return f"the forecast issued at {local.at(issued)}: {change}"


@dataclass
class ApprovalsPage:
    """All requests: those that wait, and what became of the last ones."""

    frame: Frame
    _cards: dict[str, AskCard] = field(default_factory=dict)
    _over: object = None

    def __post_init__(self) -> None:
        """Build it."""
        with self.frame.content:
            heading("Waiting for a decision")
            self.none = ui.label("Nothing waits.").classes("note").props('data-is="nothing"')
            self.waiting = ui.element("div").classes("list").props('aria-live="polite"')
            heading("Lately", 2)
            self.over = ui.element("div").classes("list").props('data-is="over"')

    def show(self, seen: Snapshot, local: LocalTime) -> None:
        """Add what is new, take away what no longer waits; what is being typed stays."""
        pending = {asked.approval_id: asked for asked in seen.approvals}
        for gone in self._cards.keys() - pending.keys():
            self._cards.pop(gone).card.delete()
        with self.waiting:
            for number, asked in pending.items():
                if number not in self._cards:
                    self._cards[number] = AskCard(self.frame, asked, local)
        for card in self._cards.values():
            card.tick(seen.now)
        self.none.set_visibility(not pending)
        self._show_over(seen.settled, local)

    def _show_over(self, over: tuple[Approval, ...], local: LocalTime) -> None:
        shown = [(asked.approval_id, asked.state) for asked in over]
        if shown == self._over:
            return
        self._over = shown
        self.over.clear()
        with self.over:
            for asked in over:
                _outcome(self.frame, asked, local)
            if not over:
                note("Nothing was decided yet.")


def _outcome(frame: Frame, asked: Approval, local: LocalTime) -> None:
    text, kind = OUTCOMES[asked.state]
    with ui.element("div").classes("item row").props(f'data-over="{asked.approval_id}"'):
        ui.label(text).classes(f"chip {kind}")
        ui.link(what(asked), frame.link(f"approvals/{asked.approval_id}"))
        if asked.decided_by is not None:
            note(f"{asked.decided_by} at {local.at(asked.decided_at)}: {asked.decision_reason}")
        if asked.same_person:
            note("asked and decided by the same person")


@dataclass
class OneApprovalPage:
    """One request by its link, whatever became of it."""

    frame: Frame
    approval_id: str
    _state: str | None = None
    _card: AskCard | None = None

    def __post_init__(self) -> None:
        """Build it."""
        with self.frame.content:
            heading(f"Approval {self.approval_id}")
            self.place = ui.element("div").classes("list")
            ui.link("All approvals", self.frame.link("approvals"))

    def show(self, seen: Snapshot, local: LocalTime) -> None:
        """Its card while it waits, its outcome after."""
        try:
            asked = one_approval(self.frame.room.source, self.approval_id)
        except DispatchError as error:
            text = str(error)
            self._rebuild("none", lambda: note(text))
            return
        if asked.state == "PENDING":
            self._rebuild(asked.state, lambda: self._ask(asked, local))
        else:
            self._rebuild(asked.state, lambda: self._told(asked, local))
        if self._card is not None:
            self._card.tick(seen.now)

    def _rebuild(self, state: str, build: Callable[[], object]) -> None:
        if state == self._state:
            return
        self._state, self._card = state, None
        self.place.clear()
        with self.place:
            build()

    def _ask(self, asked: Approval, local: LocalTime) -> None:
        self._card = AskCard(self.frame, asked, local)

    def _told(self, asked: Approval, local: LocalTime) -> None:
        _outcome(self.frame, asked, local)
        with ui.element("section").classes("panel"):
            _facts(self.frame, asked, local)

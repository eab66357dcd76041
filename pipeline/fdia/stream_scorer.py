"""Scores the pulses of many sites in a stream: a site is a row, as in the engine's tables.

Pulses faster than the detector's rows are gathered first; a slot is judged with its last pulse, or
when a later one begins. Until then a pulse has the verdict of the slot before. A site is judged by
the last hour alone until it has the week that the full detector compares with.

Invariants:
    A site's verdicts depend on its own pulses in their order, not on how they were batched or
    which other sites there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pipeline.arrays import resized
from pipeline.fdia.detector import balance_of
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.layout import Booleans, Floats, Integers
from pipeline.fdia.meters import LEAST_TRUST, NOTHING, Meters
from pipeline.fdia.sites import Sites
from pipeline.fdia.slot_calendar import SlotCalendar
from pipeline.fdia.slots import NEVER_OPEN, Group, Slots, groups_of, history_of
from pipeline.messages import VALUE_NAMES

HOLD_ROWS: Final = 4
"""How long distrust outlasts its evidence: a pulse attack is true three times out of four."""
REPLAY_DAYS: Final = 2
DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class PulseVerdicts:
    """One entry a pulse.

    Attributes:
        score: 0 is usual, 1 the threshold of one false alarm a day; held during an episode.
        alarm, alarm_week: new evidence in the pulse's slot, at one false alarm a day, a week.
        trust: in the net load; 1 no objection; below 0.5 beyond one false alarm a week: not to be
            acted on.
        channel: place of the suspected one in the detector's channels; -1 none.
        kind: place of the suspected one in :data:`pipeline.fdia.sites.KINDS`; -1 none.
        since_ms: stamp of the first slot in doubt; -1 none.
        substitute_kw: net load to use instead; NaN where the pulse itself is to be used.
    """

    score: Floats
    alarm: Booleans
    alarm_week: Booleans
    trust: Floats
    channel: Integers
    kind: Integers
    since_ms: Integers
    substitute_kw: Floats


_KEPT: Final = (
    ("score", np.float64, 0.0),
    ("alarm", np.bool_, False),
    ("alarm_week", np.bool_, False),
    ("trust", np.float64, 1.0),
    ("channel", np.int64, NOTHING),
    ("kind", np.int64, NOTHING),
    ("since_ms", np.int64, NOTHING),
    ("substitute_kw", np.float64, np.nan),
    ("coming_kw", np.float64, np.nan),
    ("low_until", np.int64, NOTHING),
    ("low_trust", np.float64, 1.0),
    ("low_since_ms", np.int64, NOTHING),
    ("low_kind", np.int64, NOTHING),
    ("low_channel", np.int64, NOTHING),
    ("judged_rows", np.int64, 0),
)
_ANSWERED: Final = tuple(name for name, _, _ in _KEPT[:8])


class StreamScorer:
    """State of every site that is scored.

    Args:
        detector: fitted.
        cadence_s: seconds between a site's pulses.
    """

    def __init__(self, detector: FittedDetector, cadence_s: float) -> None:
        self._detector = detector
        self._slot_ms = round(detector.cadence_s * 1000)
        self._pulse_ms = min(round(cadence_s * 1000), self._slot_ms)
        self._places = [VALUE_NAMES.index(name) for name in detector.channels]
        self._meters = Meters(detector.channels)
        self._slots = Slots(len(detector.channels))
        self._kept: dict[str, Any] = {name: np.zeros(0, dtype=kind) for name, kind, _ in _KEPT}
        models = {"full": detector.full, "short": detector.short}
        self._models = {name: model for name, model in models.items() if model is not None}
        self._calendars = {name: SlotCalendar(model.layout) for name, model in self._models.items()}
        self._day_rows = round(DAY_MS / self._slot_ms)
        self._window = max(model.layout.window for model in self._models.values()) + self._day_rows // 24
        empty, none = np.full((0, len(detector.channels), 1), np.nan), np.zeros(0)
        self._sites = {
            name: Sites(
                model.bank, model.balance, model=none.astype(np.int64), history_kw=empty,
                alarm_day=none, alarm_week=none,
            )
            for name, model in self._models.items()
        }  # fmt: skip

    # -- which sites there are ------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """For how many rows there is room."""
        return len(self._slots.slot)

    @property
    def bytes_per_site(self) -> int:
        """State of one site."""
        arrays: int = sum(array.nbytes for array in self._kept.values()) + self._slots.nbytes
        return (arrays + sum(sites.nbytes for sites in self._sites.values())) // max(1, self.capacity)

    def begin(self, sites: Sequence[int]) -> None:
        """Rows of sites of which nothing is known; a released row is taken again in the same way."""
        rows = np.array(sites, dtype=np.int64)
        if len(rows) and rows.max() >= self.capacity:
            self._resize(int(rows.max()) + 1 + self.capacity // 4)
        self._slots.restart(rows)
        for name, _, initial in _KEPT:
            self._kept[name][rows] = initial
        nothing = np.full((len(rows), len(self._detector.channels), 1), np.nan)
        for of_model in self._sites.values():
            of_model.restart(rows, nothing)

    def restore(self, site: int, ts_ms: Integers, values: Floats) -> None:
        """Set a row to what a site's stored pulses make of it.

        The last two days are judged again; what lies before is the history that they are judged by.

        Args:
            site: the row.
            ts_ms: of the pulses, ascending.
            values: one row for each of :data:`pipeline.messages.VALUE_NAMES`, one column a pulse.
        """
        self.begin([site])
        if not len(ts_ms):
            return
        judged_from = int(ts_ms[-1]) // self._slot_ms - REPLAY_DAYS * self._day_rows
        old = int(np.searchsorted(ts_ms, judged_from * self._slot_ms))
        if old:
            row = np.array([site])
            history = history_of(
                ts_ms[:old],
                values[self._places, :old],
                slot_ms=self._slot_ms,
                end=judged_from,
                most=self._window,
            )
            for of_model in self._sites.values():
                of_model.restart(row, history[None])
            self._slots.open(row, np.array([judged_from - 1]))
            self._slots.judged[row] = True
            self._kept["judged_rows"][row] = history.shape[1]
        self.score(np.full(len(ts_ms) - old, site, dtype=np.int64), ts_ms[old:], values[:, old:])

    def _resize(self, sites: int) -> None:
        self._slots.resize(sites)
        self._kept = {name: resized(array, sites) for name, array in self._kept.items()}
        for name, model in self._models.items():
            each = np.ones(sites)
            self._sites[name].resize(
                np.zeros(sites, dtype=np.int64), model.alarm_day * each, model.alarm_week * each
            )

    # -- pulses ---------------------------------------------------------------------------------

    def score(self, sites: Integers, ts_ms: Integers, values: Floats) -> PulseVerdicts:
        """Judge accepted pulses, each site's in the order of their time; a late one changes nothing.

        Args:
            sites: their rows.
            ts_ms: their stamps, milliseconds since 1970.
            values: one row for each of :data:`pipeline.messages.VALUE_NAMES`, one column a pulse.
        """
        answers: dict[str, Any] = {name: np.empty(len(sites), dtype=kind) for name, kind, _ in _KEPT[:8]}
        measured = values[self._places]
        for group in groups_of(sites, ts_ms, measured, slot_ms=self._slot_ms, pulse_ms=self._pulse_ms):
            self._take(group)
            rows = group.sites[group.of_site]
            for name in _ANSWERED:
                answers[name][group.places] = self._kept[name][rows]
            running = ~self._slots.judged[rows]
            answers["substitute_kw"][group.places[running]] = self._kept["coming_kw"][rows[running]]
        return PulseVerdicts(**answers)

    def _take(self, group: Group) -> None:
        sites, slot = group.sites, group.slot
        newer = slot > self._slots.slot[sites]
        if newer.any():
            self._close(sites[newer], slot[newer])
            self._slots.open(sites[newer], slot[newer])
        gathering = (slot == self._slots.slot[sites]) & ~self._slots.judged[sites]
        self._slots.add(sites[gathering], group.quanta[gathering], group.counts[gathering])
        due = sites[gathering & group.closing]
        if len(due):
            self._judge(due)

    def _close(self, sites: Integers, slot: Integers) -> None:
        """Judge what is open, and the slots without a pulse since."""
        opened, judged = self._slots.slot[sites], self._slots.judged[sites]
        if not judged.all():
            self._judge(sites[~judged])
        missing = np.where(opened == NEVER_OPEN, 0, slot - opened - 1)
        longest = self._day_rows
        for at in np.flatnonzero(missing > longest).tolist():
            self._skip(int(sites[at]), int(missing[at]))
        missing = np.where(missing > longest, 0, missing)
        for step in range(int(missing.max())):
            absent = missing > step
            nothing = np.full((int(absent.sum()), len(self._places)), np.nan)
            self._step(sites[absent], opened[absent] + 1 + step, nothing)

    def _skip(self, site: int, rows: int) -> None:
        """A long silence: the history moves on, everything else is forgotten."""
        row = np.array([site])
        for of_model in self._sites.values():
            received = of_model.received_kw(row)[0]
            silence = np.full((len(received), min(rows, received.shape[1])), np.nan)
            of_model.restart(row, np.concatenate([received, silence], axis=1)[None])
        kept = self._kept["judged_rows"][site]
        for name, _, initial in _KEPT:
            self._kept[name][site] = initial
        self._kept["judged_rows"][site] = 0 if rows >= self._window else kept

    def _judge(self, sites: Integers) -> None:
        self._slots.judged[sites] = True
        self._step(sites, self._slots.slot[sites], self._slots.means_kw(sites))

    def _step(self, sites: Integers, slot: Integers, pulses_kw: Floats) -> None:
        """A row of each site, by the detector that knows enough of it; the full one follows all."""
        kept, young = self._kept, np.ones(len(sites), dtype=np.bool_)
        if "full" in self._models:
            young = kept["judged_rows"][sites] < self._window
            self._step_model("full", sites, slot, pulses_kw, np.asarray(~young))
        if "short" in self._models and young.any():
            self._step_model("short", sites[young], slot[young], pulses_kw[young], young[young])
        kept["judged_rows"][sites] += 1

    def _step_model(
        self, name: str, sites: Integers, slot: Integers, pulses_kw: Floats, believed: Booleans
    ) -> None:
        model, of_model = self._models[name], self._sites[name]
        calendar = self._calendars[name].of(slot)
        balance_z = balance_of(model, pulses_kw[:, :, None])[:, 0]
        found = of_model.step_some(sites, pulses_kw, balance_z, calendar.block, calendar.terms)
        if not believed.any():
            return
        coming = np.full(len(sites), np.nan)
        if self._pulse_ms < self._slot_ms and found.distrusted.any():
            coming = self._meters.substitute(of_model.coming_kw(sites), found.distrusted, pulses_kw)
        verdict = self._meters.verdict(model, found, slot * self._slot_ms, pulses_kw, balance_z) | {
            "coming_kw": coming
        }
        self._hold(sites[believed], slot[believed], {key: of[believed] for key, of in verdict.items()})

    def _hold(self, sites: Integers, slot: Integers, verdict: dict[str, Any]) -> None:
        """Keep the verdicts; distrust outlasts its evidence by some rows."""
        kept = self._kept
        low, lasting = verdict["trust"] < LEAST_TRUST, slot <= kept["low_until"][sites]
        for name in ("substitute_kw", "coming_kw"):
            verdict[name] = np.where(low, verdict[name], np.nan)
        nameless = lasting & (verdict["since_ms"] == NOTHING)
        for name, from_before in (
            ("trust", lasting & ~low),
            ("kind", nameless),
            ("channel", nameless),
            ("since_ms", nameless),
        ):
            before = kept[f"low_{name}"]
            verdict[name] = np.where(from_before, before[sites], verdict[name])
            before[sites] = np.where(low, verdict[name], before[sites])
        kept["low_until"][sites] = np.where(low, slot + HOLD_ROWS, kept["low_until"][sites])
        for name, of_sites in verdict.items():
            kept[name][sites] = of_sites

"""The memory of channels side by side: what their judge knows of each, a row of every array a lane."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from pipeline.arrays import resized
from pipeline.fdia.bank import Bank, log_shares
from pipeline.fdia.history import filled, interpolation, narrowed
from pipeline.fdia.layout import Floats, Integers
from pipeline.fdia.tails import NEVER

RECENT: Final = 5
SPREAD_MEMORY_DAYS: Final = (5.0, 0.5)
"""The livelier of the two counts: storms come within hours."""
LONG_AGO: Final = -(10**9)

_LARGE: Final = ("_raw", "_believed", "_path")
_SMALL: Final = (
    "_model", "_row", "_origin", "_active", "_held", "_cause", "_deviation", "_opening", "_home",
    "_home_until", "_trail", "_trail_row", "_anchor_day", "_anchor_week", "_recent_z", "_activity",
    "_frozen", "_late", "_copied", "_usual", "alarm_day", "alarm_week",
)  # fmt: skip


class LaneState:
    """The state of some channels.

    Args:
        bank: fitted parameters.
        model: of each lane, its place in the bank.
        history_kw: lane × row: what came before, oldest first; NaN where missing.
        alarm_day, alarm_week: thresholds of surprise, of each lane.
    """

    def __init__(
        self, bank: Bank, model: Integers, history_kw: Floats, alarm_day: Floats, alarm_week: Floats
    ) -> None:
        layout, count = bank.layout, len(model)
        self._bank, self._model, self._lane = bank, model, np.arange(count)
        self.alarm_day, self.alarm_week = alarm_day, alarm_week
        self._window, self._ring = layout.window, layout.longest + 1
        self._raw = np.empty((count, self._window))
        self._believed = np.empty_like(self._raw)
        self._path = np.empty((count, self._ring, len(layout.horizons) + 1))
        self._row, self._origin, self._cause, self._home = (np.zeros(count, dtype=np.int64) for _ in range(4))
        self._home_until, self._trail_row, self._anchor_day, self._anchor_week = (
            np.zeros(count, dtype=np.int64) for _ in range(4)
        )
        self._held, self._deviation, self._opening, self._trail, self._frozen = (
            np.zeros(count) for _ in range(5)
        )
        self._late = np.zeros((count, len(layout.delays)), dtype=np.int64)
        self._active, self._copied = (np.zeros(count, dtype=np.bool_) for _ in range(2))
        self._recent_z, self._usual = np.empty((count, RECENT)), np.empty(count)
        self._activity = np.empty((count, len(SPREAD_MEMORY_DAYS)))
        self._shares = log_shares(layout)
        self._between = interpolation(layout.horizons)
        self.restart(self._lane, history_kw)

    @property
    def window(self) -> int:
        """Rows of history that are kept."""
        return self._window

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, name).nbytes for name in (*_LARGE, *_SMALL))

    def restart(self, lanes: Integers, history_kw: Floats) -> None:
        """Let some lanes begin anew.

        Args:
            lanes: which.
            history_kw: as at the beginning, of those lanes.
        """
        known = history_kw[:, -self._window :]
        raw = np.full((len(lanes), self._window), np.nan)
        raw[:, : known.shape[1]] = known
        self._raw[lanes], self._believed[lanes] = raw, filled(raw, self._bank.layout.day_rows)
        self._path[lanes] = self._recent_z[lanes] = np.nan
        self._row[lanes] = self._origin[lanes] = self._home[lanes] = known.shape[1] - 1
        self._held[lanes] = self._trail[lanes] = NEVER
        for never in (self._home_until, self._trail_row, self._anchor_day, self._anchor_week):
            never[lanes] = LONG_AGO
        for zero in (self._cause, self._deviation, self._opening, self._frozen, self._late):
            zero[lanes] = 0
        self._active[lanes] = self._copied[lanes] = False
        self._usual[lanes] = self._bank.usual[self._model[lanes], 1]
        self._activity[lanes] = self._bank.ordinary[self._model[lanes]][:, None]

    def resize(self, model: Integers, alarm_day: Floats, alarm_week: Floats) -> None:
        """Make room: all lanes' models and thresholds are given anew; restart the new ones before use."""
        for name in (*_LARGE, *_SMALL):
            setattr(self, name, resized(getattr(self, name), len(model)))
        self._model, self._lane = model, np.arange(len(model))
        self.alarm_day, self.alarm_week = alarm_day, alarm_week

    @contextmanager
    def chosen(self, lanes: Integers) -> Iterator[None]:
        """While open, the state is that of these lanes alone, in this order; each stands there once."""
        everyone = self._lane
        with narrowed(self, _SMALL, lanes):
            self._lane = lanes
            yield
            self._lane = everyone

    def believed_kw(self, rows: int) -> Floats:
        """The last rows of the believed history, oldest first."""
        return self._newest(self._believed, rows)

    def received_kw(self, rows: int) -> Floats:
        """The last rows as they came, oldest first."""
        return self._newest(self._raw, rows)

    def _newest(self, series: Floats, rows: int) -> Floats:
        at = (self._row[:, None] - np.arange(rows)[::-1]) % self._window
        return np.asarray(series[self._lane[:, None], at])

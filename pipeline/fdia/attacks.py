"""Labelled attacks on one channel, for drills and for judging.

Events last 30 minutes to 4 hours (uniform, in rows), lie at least 4 hours apart, fill about 5 % of the
time, come in equal numbers per kind and with random sign.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.fdia.errors import AttackError

Floats = NDArray[np.float64]

SHARE: Final = 0.05
SHORTEST_S: Final = 1_800.0
LONGEST_S: Final = 14_400.0
APART_S: Final = 14_400.0
DAY_S: Final = 86_400.0
PULSE_EVERY: Final = 4
SUB_SIGMA: Final = ("wave", "drift")
"""Kinds that stay within the noise of a single step: what one series cannot show."""
DEFAULT_KINDS: Final = (
    "scale:0.05,bias:0.02,ramp:0.05,ramp:0.15,pulse:0.10,replay,noise:0.03,freeze,wave,drift"
)


@dataclass(frozen=True)
class AttackKind:
    """One kind of false data.

    Attributes:
        name: ``scale``, ``bias``, ``ramp``, ``pulse``, ``noise``, ``replay``, ``freeze``, ``wave``,
            ``drift``; beyond the definitions, never used in tuning: ``swing`` (× (1 ± m·sin), one
            period an hour) and ``delay`` (the rows an hour earlier).
        magnitude: relative size (0.05 is 5 %); of wave and drift in σ (peak, and step); 0 for
            replay and freeze.
    """

    name: str
    magnitude: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}:{self.magnitude:g}" if self.magnitude else self.name


@dataclass(frozen=True)
class AttackEvent:
    """Rows ``start`` to ``end`` (exclusive) are false, by ``kind``; ``sign`` is that of its magnitude."""

    start: int
    end: int
    kind: AttackKind
    sign: int

    @property
    def magnitude(self) -> float:
        """Signed, as labels state it."""
        return self.sign * self.kind.magnitude


@dataclass(frozen=True)
class Signal:
    """What an attacker knows of the channel.

    Attributes:
        values_kw: the true rows; NaN where missing.
        day_rows: rows in 24 hours.
        mean_abs_kw: mean of |channel| before the attacks begin.
        sigma_kw: deviation of the one-step residual before the attacks begin.
    """

    values_kw: Floats
    day_rows: int
    mean_abs_kw: float
    sigma_kw: float


_MAGNITUDES: Final = {
    "scale": 0.05,
    "bias": 0.02,
    "ramp": 0.05,
    "pulse": 0.10,
    "noise": 0.03,
    "replay": 0.0,
    "freeze": 0.0,
    "wave": 1.0,
    "drift": 0.5,
    "swing": 0.05,
    "delay": 0.0,
}


def parse_kinds(text: str) -> tuple[AttackKind, ...]:
    """Read ``scale:0.05,replay``; a kind without a magnitude gets its usual one.

    Raises:
        AttackError: for an unknown kind, a magnitude that is no positive number, or one repeated.
    """
    kinds = tuple(_parse_kind(part.strip()) for part in text.split(",") if part.strip())
    if not kinds or len(set(kinds)) < len(kinds):
        raise AttackError(f"--kinds {text!r}: name each kind once, e.g. scale:0.05,replay")
    return kinds


def _parse_kind(text: str) -> AttackKind:
    name, colon, magnitude = text.partition(":")
    if name not in _MAGNITUDES:
        raise AttackError(f"--kinds {text!r}: unknown kind; choose from {', '.join(_MAGNITUDES)}")
    if not colon:
        return AttackKind(name, _MAGNITUDES[name])
    try:
        value = float(magnitude)
    except ValueError:
        value = float("nan")
    if not 0.0 < value < float("inf") or _MAGNITUDES[name] == 0.0:
        raise AttackError(
            f"--kinds {text!r}: write a magnitude above 0 like scale:0.05; replay, freeze and delay have none"
        )
    return AttackKind(name, value)


def plan_events(
    first: int, rows: int, cadence_s: float, kinds: Sequence[AttackKind], rng: np.random.Generator
) -> list[AttackEvent]:
    """Place events in rows ``first`` to ``rows`` of a regular series.

    Raises:
        AttackError: if not one event of each kind fits.
    """
    shortest, longest = (max(1, round(length / cadence_s)) for length in (SHORTEST_S, LONGEST_S))
    apart = max(1, round(APART_S / cadence_s))
    per_kind = round(SHARE * (rows - first) / ((shortest + longest) / 2.0) / len(kinds))
    count = per_kind * len(kinds)
    lengths = rng.integers(shortest, longest + 1, size=count)
    slack = rows - first - int(lengths.sum()) - apart * (count + 1)
    if count == 0 or slack < 0:
        needed_days = (len(kinds) + 1) * (shortest + longest) / 2.0 / SHARE * cadence_s / DAY_S
        raise AttackError(
            f"--from: {rows - first} rows are too few for one event of each of {len(kinds)} kinds in 5 % of"
            f" the time; give {needed_days:.0f} days or more, or fewer --kinds"
        )
    order = rng.permutation(np.repeat(np.arange(len(kinds)), per_kind))
    breaks = np.sort(rng.integers(0, slack + 1, size=count))
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]]) + apart * np.arange(1, count + 1)
    starts = first + breaks + before
    signs = rng.choice((-1, 1), size=count)
    return [
        AttackEvent(int(start), int(start + length), kinds[kind], int(sign))
        for start, length, kind, sign in zip(starts, lengths, order, signs, strict=True)
    ]


def inject(signal: Signal, events: Sequence[AttackEvent], rng: np.random.Generator) -> Floats:
    """The channel with the events in it; rows outside them, and missing ones, are as they were."""
    attacked = signal.values_kw.copy()
    for event in events:
        rows = slice(event.start, event.end)
        truth = signal.values_kw[rows]
        false = _FALSE[event.kind.name](signal, event, rng)
        attacked[rows] = np.where(np.isnan(truth) | np.isnan(false), truth, false)
    return attacked


def _truth(signal: Signal, event: AttackEvent) -> Floats:
    return signal.values_kw[event.start : event.end]


def _scale(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    return np.asarray(_truth(signal, event) * (1.0 + event.magnitude))


def _bias(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    return np.asarray(_truth(signal, event) + event.magnitude * signal.mean_abs_kw)


def _ramp(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    length = event.end - event.start
    return np.asarray(_truth(signal, event) * (1.0 + event.magnitude * np.arange(1, length + 1) / length))


def _pulse(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    on = np.arange(event.end - event.start) % PULSE_EVERY == 0
    return np.asarray(_truth(signal, event) * np.where(on, 1.0 + event.magnitude, 1.0))


def _noise(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:
    truth = _truth(signal, event)
    return np.asarray(truth * (1.0 + event.magnitude * rng.standard_normal(len(truth))))


def _replay(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    rows = np.arange(event.start, event.end) - signal.day_rows
    return np.where(rows >= 0, signal.values_kw[np.maximum(rows, 0)], np.nan)


def _freeze(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    before = signal.values_kw[: event.start]
    known = before[~np.isnan(before)]
    return np.full(event.end - event.start, known[-1] if len(known) else np.nan)


def _wave(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    length = event.end - event.start
    half_sine = np.sin(np.pi * np.arange(1, length + 1) / (length + 1))
    return np.asarray(_truth(signal, event) + event.magnitude * signal.sigma_kw * half_sine)


def _drift(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    length = event.end - event.start
    steps_away = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))
    return np.asarray(_truth(signal, event) + event.magnitude * signal.sigma_kw * steps_away)


def _swing(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    hour = signal.day_rows / 24
    angle = 2 * np.pi * np.arange(1, event.end - event.start + 1) / max(hour, 4.0)
    return np.asarray(_truth(signal, event) * (1.0 + event.magnitude * np.sin(angle)))


def _delay(signal: Signal, event: AttackEvent, rng: np.random.Generator) -> Floats:  # noqa: ARG001
    rows = np.arange(event.start, event.end) - max(1, signal.day_rows // 24)
    return np.where(rows >= 0, signal.values_kw[np.maximum(rows, 0)], np.nan)


_FALSE: Final[dict[str, Callable[[Signal, AttackEvent, np.random.Generator], Floats]]] = {
    "scale": _scale,
    "bias": _bias,
    "ramp": _ramp,
    "pulse": _pulse,
    "noise": _noise,
    "replay": _replay,
    "freeze": _freeze,
    "wave": _wave,
    "drift": _drift,
    "swing": _swing,
    "delay": _delay,
}

"""How far a consumer group falls behind after a fault, and when it is back; simulated or measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

_SURELY: Final = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What a moment looks like from outside.

    Attributes:
        t_s: seconds.
        arrived: records on the topic since the beginning.
        lag: records between what is committed and the end of the log.
        processed: of those that arrived, how many are finished, each counted once; None where nobody can
            tell.
        unfinished: the others, counted by partition.
        worst: of the partition that has most of those.
    """

    t_s: float
    arrived: int
    lag: int
    processed: int | None = None
    unfinished: int | None = None
    worst: int | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """From a fault until the lag is as it was before.

    Attributes:
        before: largest lag before the fault, in records.
        peak: largest lag.
        mean: mean lag until it is back.
        peak_at_s: seconds from the fault to the peak.
        back_s: seconds from the fault until the lag is at most twice that before; None where it never is.
    """

    before: int
    peak: int
    mean: float
    peak_at_s: float
    back_s: float | None


def recovery(samples: Sequence[Sample], fault_at_s: float) -> Recovery:
    """What the samples say of a fault; there must be some before and after it."""
    before = max(sample.lag for sample in samples if sample.t_s < fault_at_s)
    after = [sample for sample in samples if sample.t_s >= fault_at_s]
    peak = max(after, key=lambda sample: sample.lag)
    enough = _SURELY * before
    ends = (sample.t_s for sample in after if sample.t_s >= peak.t_s and sample.lag <= enough)
    back_at_s = next(ends, None)
    until = [sample.lag for sample in after if back_at_s is None or sample.t_s <= back_at_s]
    return Recovery(
        before,
        peak.lag,
        fmean(until),
        peak.t_s - fault_at_s,
        None if back_at_s is None else back_at_s - fault_at_s,
    )

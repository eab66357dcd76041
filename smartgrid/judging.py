"""Where a detector of false data was fitted: the store and the stream with it."""

import logging
from typing import Final

from grid.telemetry import NATIVE_SITE
from pipeline.fdia.fitted import FittedDetector
from pipeline.judged_reader import JudgedReader
from pipeline.pulse_judge import PulseJudge
from pipeline.store import SeriesReader

logger = logging.getLogger(__name__)

SLOWEST: Final = 1.5
"""In rows of a detector: it cannot judge pulses that come more slowly."""


def judged(reader: SeriesReader, detector: FittedDetector | None) -> SeriesReader:
    """The reader, judging the area's native telemetry where there is a detector.

    The metered site has none: our own dispatches would look like false steps there.
    """
    return reader if detector is None else JudgedReader(reader, {NATIVE_SITE: detector})


def stream_judge(detector: FittedDetector | None, cadence_s: float) -> PulseJudge | None:
    """The same for a stream; None where there is no detector, or none for its pulses.

    Args:
        detector: of the model in use.
        cadence_s: of the stream's pulses, in seconds.
    """
    if detector is None:
        return None
    if cadence_s > SLOWEST * detector.cadence_s:
        logger.warning(
            "false data is not looked for: pulses come every %g s, a detector's rows every %g s; train anew",
            cadence_s,
            detector.cadence_s,
        )
        return None
    return PulseJudge(detector, cadence_s, {NATIVE_SITE})

"""The store as tools and guardrails read it: with a detector of false data where one was fitted."""

from grid.telemetry import NATIVE_SITE
from pipeline.fdia.fitted import FittedDetector
from pipeline.judged_reader import JudgedReader
from pipeline.store import SeriesReader


def judged(reader: SeriesReader, detector: FittedDetector | None) -> SeriesReader:
    """The reader, judging the area's native telemetry where there is a detector.

    The metered site has none: our own dispatches would look like false steps there.
    """
    return reader if detector is None else JudgedReader(reader, {NATIVE_SITE: detector})

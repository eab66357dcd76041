"""What scoring for false data costs in the stream: the bench's engine with a judge of all sites."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from grid.series import BaseSeries
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.learning import learn_detector
from pipeline.pulse_judge import PulseJudge
from smartgrid.bench.stream_engine import work
from smartgrid.bench.stream_load import CADENCE_S
from smartgrid.bench.stream_model import one_piece
from smartgrid.bench.stream_worker import BenchError, Reins, WorkerReport, WorkerTask

_DAYS: Final = 30
_SITE_TZ: Final = "UTC"
_PAST_KW: Final = 50.0
_OTHER: Final = 0.02


def bench_detector(given: Path | None, folder: Path) -> FittedDetector:
    """The detector, saved in ``folder`` beside the model: the given model's, else one of synthetic weeks."""
    found = None if given is None else FittedDetector.load(given)
    detector = found or learn_detector(_weeks(), _SITE_TZ)
    detector.save(folder)
    return detector


def _weeks() -> BaseSeries:
    """Enough for the detector that compares with a week: the synthetic month, and it once more, other."""
    month = one_piece(_DAYS)
    frame = month.frame
    other = 1.0 + _OTHER * np.random.default_rng(0).standard_normal(frame.shape)
    again = (frame * other).shift(freq=pd.Timedelta(days=_DAYS))
    return BaseSeries(pd.concat([frame, again]), month.cadence_s)


def whole_rows(events: int, sites: int, detector: FittedDetector) -> int:
    """The most of so many events that are whole rows of the detector at every site; 0 where none are.

    A site costs the most when a row ends, and all of them end at once.
    """
    row = sites * round(detector.cadence_s / CADENCE_S)
    return events // row * row


def scoring(task: WorkerTask, reins: Reins) -> WorkerReport:
    """As :func:`smartgrid.bench.stream_engine.engine`, and every pulse is scored."""
    detector = FittedDetector.load(task.model_dir)
    if detector is None:
        raise BenchError(f"{task.model_dir}: holds no detector; this is a defect")
    judge = PulseJudge(detector, CADENCE_S)
    return work(task, reins, judge, lambda: _remember_weeks(judge))


def _remember_weeks(judge: PulseJudge) -> None:
    """Give each site a past that the full detector can compare with; to send it would take days."""
    scorer = judge._scorer
    rows = np.arange(scorer.capacity)
    history = np.random.default_rng(0).normal(_PAST_KW, 0.1 * _PAST_KW, (1, 1, scorer._window))
    channels = len(scorer._places)
    for of_model in scorer._sites.values():
        for part in np.array_split(rows, max(1, len(rows) // 1_000)):
            of_model.restart(part, np.broadcast_to(history, (len(part), channels, scorer._window)))
    scorer._kept["judged_rows"][:] = scorer._window

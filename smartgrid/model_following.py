"""The stream's model and detector: those that were put into use last, without stopping the stream."""

import logging
from pathlib import Path

from pipeline.engine import StreamEngine
from pipeline.errors import PipelineError
from pipeline.fdia.fitted import FittedDetector
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.forecasting.versions import ModelWatch, current_folder
from smartgrid.judging import stream_judge

logger = logging.getLogger(__name__)


class ModelFollower:
    """Gives an engine what a model directory has in use; cheap enough to be asked between batches.

    Args:
        directory: of one model, or of versions. Made before the engine's model is loaded, so that no
            version is missed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._watch = ModelWatch(directory)

    def equip(self, engine: StreamEngine) -> None:
        """Let a new engine score by the detector in use.

        Raises:
            DetectorError: if it is damaged.
        """
        folder = current_folder(self._directory)
        engine.judge_by(stream_judge(FittedDetector.load(folder), engine.cadence_s))

    def follow(self, engine: StreamEngine) -> None:
        """Take the version that was put into use; one that does not fit is left, and said so."""
        if not self._watch.changed():
            return
        try:
            folder = current_folder(self._directory)
            found, detector = load_stream_model(folder), FittedDetector.load(folder)
            engine.swap(found)
        except PipelineError as error:
            logger.warning("the new model is not used: %s", error)
        else:
            engine.judge_by(stream_judge(detector, engine.cadence_s))
            logger.info("forecasts by %s from now on", found.name)

"""What can go wrong with attacks and their detection; each text names the value and the fix."""

from pipeline.errors import PipelineError


class AttackError(PipelineError):
    """Attacks cannot be injected as asked: correct the option, or give a longer series."""


class DetectorError(PipelineError):
    """The detector cannot be fitted or judged as asked: give more data before T, or correct the labels."""

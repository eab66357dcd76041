"""What can go wrong in the pipeline; each text names the field, its value and the fix."""


class PipelineError(ValueError):
    """Any error of this package."""


class StoreError(PipelineError):
    """The series store is absent, of another version, or opened for reading only."""


class TransportError(PipelineError):
    """The broker, a topic or the consumer group cannot be used as asked: see to what the text names."""


class DeliveryError(TransportError):
    """Records were not delivered, so nothing is committed: start again, they are read and made once more."""


class EventError(PipelineError):
    """What invoked the function is no event of its topic: see to the event source mapping."""


class KafkaSettingsError(PipelineError):
    """The connection to Kafka is set up wrongly; the text names the setting, never a secret."""


class MessageError(PipelineError):
    """A message cannot be used; ``reason`` says why. It belongs on the dead-letter topic.

    Attributes:
        reason: ``undecodable``, ``schema``, ``non_finite``, ``out_of_range``, ``naive_time``,
            ``from_future``, ``out_of_bounds``, ``conflict``, ``too_late`` or ``too_dense``.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class FeatureError(PipelineError):
    """The features cannot be computed as asked: correct the argument."""


class TrainingError(PipelineError):
    """There is too little to learn from: give more, or longer, series."""


class ModelError(PipelineError):
    """A model cannot be loaded or does not fit this stream: train it again with ``smartgrid train``."""


class BacktestError(PipelineError):
    """A backtest cannot be run as asked: correct the split, or give more data."""

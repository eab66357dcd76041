"""What can go wrong with live data; each text says what to do."""

from smartgrid.errors import SmartGridError


class LiveError(SmartGridError):
    """Any error of live data."""


class UnknownAreaError(LiveError):
    """No operator of that name can be read, or not what was asked of it; the text names those that can."""


class ReaderError(LiveError):
    """The reader's environment cannot be made, or the reader ended; the text says why and what to do."""


class StoppedError(LiveError):
    """The process was told to stop while an answer was awaited."""


class AnswerError(LiveError):
    """The operator's answer cannot be used; nothing was made up in its place."""


class NotThereError(AnswerError):
    """The operator has no such data, or not yet."""


class AwayError(AnswerError):
    """The operator cannot be reached or refuses for now: ask later.

    Attributes:
        retry_after_s: how long the operator asks to wait, in seconds; None where it does not say.
    """

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class ChangedAnswerError(AnswerError):
    """The answer has another layout than this version reads: look whether a newer version is there."""

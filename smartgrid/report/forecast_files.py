"""The picture that a forecast backtest leaves beside its files."""

from pathlib import Path

from pipeline.whole_file import write_whole
from smartgrid.errors import ReportError


def write_picture(directory: Path, png: bytes) -> None:
    """Write ``forecast.png``.

    Args:
        directory: exists.
        png: the picture.

    Raises:
        ReportError: if it cannot be written.
    """
    try:
        write_whole(directory / "forecast.png", png)
    except OSError as error:
        raise ReportError(
            f"--out {directory}: cannot be written ({error.strerror}); choose another"
        ) from error

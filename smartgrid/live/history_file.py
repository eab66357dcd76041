"""The file of an area's past, as every command of the product reads it."""

import csv
import gzip
import io
import zlib
from pathlib import Path

from pipeline.whole_file import write_whole
from smartgrid.live.errors import LiveError
from smartgrid.live.history import History


def require_writable(out: Path, *, force: bool) -> None:
    """Refuse to write over a file that is there, before anybody is asked for a day of it.

    Raises:
        LiveError: if it is there and ``force`` was not given.
    """
    if out.exists() and not force:
        raise LiveError(f"--out {out} is there already; choose another name, or give --force")


def write_csv(history: History, out: Path) -> None:
    """Write the file whole or not at all; packed where its name ends in ``.gz``.

    Raises:
        LiveError: if it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("ts_utc", *history.columns))
    for moment, values in history.rows.items():
        cells = (values.get(channel) for channel in history.columns)
        table.writerow(
            (f"{moment:%Y-%m-%dT%H:%M:%SZ}", *("" if cell is None else f"{cell:.10g}" for cell in cells))
        )
    content = text.getvalue().encode()
    packed = gzip.compress(content, zlib.Z_BEST_COMPRESSION, mtime=0) if out.suffix == ".gz" else content
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, packed)
    except OSError as error:
        raise LiveError(f"--out {out}: cannot be written ({error})") from error

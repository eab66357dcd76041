"""Writes a file so that a reader, or a crash, finds it whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the file, durably, then take its place.

    Raises:
        OSError: if the directory cannot be written.
    """
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)

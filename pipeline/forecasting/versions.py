"""Versions of a model in one directory: written whole, swapped in one step, rolled back.

``versions/<time>-<hash>`` holds a version and is never changed; the file ``current`` names those
that were in use, the one in use last, and is replaced as a whole. A reader that asks for the
current folder first and then reads from it never sees two versions mixed.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grid.units import require_utc
from pipeline.errors import ModelError
from pipeline.whole_file import write_whole

CURRENT_FILE: Final = "current"
VERSIONS_FOLDER: Final = "versions"
KEPT: Final = 10
"""So many versions are kept; older ones that are not in use are removed."""
_PARTIAL: Final = ".part"


class _Pointer(BaseModel):
    """What ``current`` says: which versions were in use, the one in use last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    history: tuple[Annotated[str, Field(pattern=r"^[\w.-]*\w$")], ...] = Field(min_length=1)


class ModelVersions:
    """The versions in a directory.

    Args:
        directory: made with the first version.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def names(self) -> list[str]:
        """All versions that are there, oldest first."""
        folder = self.directory / VERSIONS_FOLDER
        if not folder.is_dir():
            return []
        return sorted(item.name for item in folder.iterdir() if item.is_dir() and item.suffix != _PARTIAL)

    def current(self) -> str | None:
        """The version in use; None before the first.

        Raises:
            ModelError: if the pointer is damaged, or what it names is not there.
        """
        history = self._history()
        if not history:
            return None
        if not self.folder(history[-1]).is_dir():
            raise ModelError(
                f"{self.directory / CURRENT_FILE}: version {history[-1]} is not there; roll back with "
                "'smartgrid train --roll-back', or train again with 'smartgrid train'"
            )
        return history[-1]

    def folder(self, name: str) -> Path:
        """Where a version lies."""
        return self.directory / VERSIONS_FOLDER / name

    def add(self, write: Callable[[Path], None], *, content_hash: str, now: datetime) -> str:
        """Write a version and put it into use.

        Args:
            write: is given an empty folder, and writes the version's files into it.
            content_hash: of what it writes; the name ends with its begin.
            now: wall time, aware; the name begins with it.

        Returns:
            The version's name.

        Raises:
            ModelError: if the pointer is damaged.
            OSError: if the directory cannot be written. What was in use stays so.
        """
        history = self._history()
        stamp = require_utc(now, "now").strftime("%Y%m%dT%H%M%S.%fZ")
        name = f"{stamp}-{content_hash[:12]}"
        partial = self.folder(name + _PARTIAL)
        partial.mkdir(parents=True)
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, partial, ignore_errors=True)
            write(partial)
            _sync(partial)
            partial.rename(self.folder(name))
            undo.pop_all()
        _sync(partial.parent)
        self._point((*history, name))
        self._prune()
        return name

    def roll_back(self) -> str:
        """Put the version back into use that was before the current one.

        Returns:
            Its name.

        Raises:
            ModelError: if there is none, or the pointer is damaged.
        """
        history = self._history()
        earlier = [name for name in history[:-1] if self.folder(name).is_dir()]
        if not earlier:
            raise ModelError(
                f"{self.directory}: no earlier version to roll back to; train one with 'smartgrid train'"
            )
        self._point(tuple(earlier))
        return earlier[-1]

    def _history(self) -> tuple[str, ...]:
        file = self.directory / CURRENT_FILE
        try:
            return _Pointer.model_validate_json(file.read_bytes()).history
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            raise ModelError(
                f"{file}: damaged; remove it and train again with 'smartgrid train' ({error})"
            ) from error

    def _point(self, history: tuple[str, ...]) -> None:
        pointer = _Pointer(history=history[-KEPT:])
        write_whole(self.directory / CURRENT_FILE, pointer.model_dump_json().encode())
        _sync(self.directory)

    def _prune(self) -> None:
        in_use = set(self._history()[-2:])
        for name in self.names()[:-KEPT]:
            if name not in in_use:
                shutil.rmtree(self.folder(name))


def current_folder(directory: Path) -> Path:
    """Where the files of the model in use lie: the current version's folder, or the directory itself.

    Raises:
        ModelError: if the pointer is damaged, or what it names is not there.
    """
    versions = ModelVersions(directory)
    name = versions.current()
    return directory if name is None else versions.folder(name)


class ModelWatch:
    """Tells when another version has come into use; cheap enough to be asked between batches.

    Args:
        directory: of the versions.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen = self._mark()

    def changed(self) -> bool:
        """Whether the pointer was replaced since the last call, or since this watch began."""
        mark = self._mark()
        moved, self._seen = mark != self._seen, mark
        return moved

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = (self._directory / CURRENT_FILE).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _sync(folder: Path) -> None:
    """Make a folder's entries durable, where the platform lets one open a folder."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

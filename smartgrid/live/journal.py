"""What a live site's users should know of its data, beside the stream: one JSON object a line."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from smartgrid.live.errors import LiveError
from smartgrid.live.readings import Remark


class Journal:
    """Appends to a file, so that nothing told is lost with the process.

    Args:
        path: of the file; its directory is made.
        site: of the lines.
    """

    def __init__(self, path: Path, site: str) -> None:
        self._path = path
        self._site = site

    def write(self, remarks: Iterable[Remark], seen_at: datetime) -> None:
        """Append remarks.

        Raises:
            LiveError: if the file cannot be written.
        """
        lines = [self._line(remark, seen_at) for remark in remarks]
        if not lines:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(lines))
        except OSError as error:
            raise LiveError(f"{self._path}: cannot be written ({error}); choose another --state") from error

    def _line(self, remark: Remark, seen_at: datetime) -> str:
        entry = {
            "site": self._site,
            "kind": remark.kind,
            "ts_utc": remark.ts_utc.isoformat(),
            "channel": remark.channel,
            "old": remark.old,
            "new": remark.new,
            "seen_at": seen_at.isoformat(),
        }
        return json.dumps(entry) + "\n"

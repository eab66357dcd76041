"""What the pages of the docs show: files to write, lines to type.

A block of files begins with ``# file: NAME``. A block of lines that a test types stands right after
``<!-- run -->``. After ``<!-- run until TEXT -->`` it is one line of a role, which has said TEXT and goes on
until the page is over, or a block comes that stands after ``<!-- run after stopping -->``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FILES = re.compile(r"```(?:python|toml|yaml)\n# file: (\S+)\n(.*?)```", re.DOTALL)
RUNS = re.compile(r"<!-- run(?: (after stopping)| until (.+?))? -->\n+```sh\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Run:
    """A block of lines to type.

    Attributes:
        until: what a role says once it is ready; None where the lines end by themselves.
        stop_first: whether the roles are told to stop before.
    """

    lines: str
    until: str | None = None
    stop_first: bool = False


def files_in(text: str) -> dict[str, str]:
    """Name → content of the files that a page tells to write."""
    return dict(FILES.findall(text))


def runs_in(text: str) -> list[Run]:
    """What a page tells to type, in order."""
    return [Run(lines, until or None, bool(stop)) for stop, until, lines in RUNS.findall(text)]


def command_lines(text: str) -> list[str]:
    """Each ``smartgrid …`` in the shell blocks of a page: what follows that word, without its comment."""
    blocks = [block for kind, block in FENCED.findall(text) if kind in ("", "sh", "bash")]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    parts = [part for line in lines for part in re.split(r"&&| \| ", re.sub(r"(?:^|\s)#.*", "", line))]
    found = (re.search(r"(?:^|[\s'\"])(?:\.venv/bin/)?smartgrid (.*)", part) for part in parts)
    return [match[1].strip().removesuffix("'") for match in found if match is not None]


def pages(repository: Path) -> list[Path]:
    """Every page that is meant for readers."""
    return sorted((*repository.glob("*.md"), *(repository / "docs").rglob("*.md")))

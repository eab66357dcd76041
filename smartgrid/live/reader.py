"""The reader: gridstatus in an environment of its own, a child process that speaks JSON lines."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any, Final

from smartgrid.live.areas import Area, Feed
from smartgrid.live.errors import (
    AnswerError,
    AwayError,
    ChangedAnswerError,
    NotThereError,
    ReaderError,
    StoppedError,
)

OUTSIDE: Final = Path(__file__).parent / "outside"
REQUIREMENTS: Final = OUTSIDE / "requirements.txt"
START_TIMEOUT_S: Final = 600.0
"""The first time, the environment is made: 250 MB on disk."""
ANSWER_TIMEOUT_S: Final = 600.0
"""The reader's own time-outs end sooner, its waits for its turn included."""
GAP_S: Final = 1.0
_LOOK_S = 0.2
_END_TIMEOUT_S = 2.0
_SAID_LINES = 6

Rows = list[list[Any]]


class Reader:
    """A running reader.

    Args:
        process: with pipes for its input and output.
        said: where it writes what goes wrong.
        stopped: once it is set, no answer is awaited any more.
    """

    def __init__(self, process: "subprocess.Popen[str]", said: IO[str], stopped: Event) -> None:
        assert process.stdin is not None  # noqa: S101  made with pipes
        assert process.stdout is not None  # noqa: S101
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self._said = said
        self._stopped = stopped
        self._lines: queue.Queue[str] = queue.Queue()
        self._listener = Thread(target=self._listen, args=(process.stdout,), daemon=True)
        self._listener.start()

    def wait_ready(self) -> None:
        """Wait until it can be asked.

        Raises:
            ReaderError: if it did not start.
            StoppedError: if told to stop meanwhile.
        """
        if self._next(START_TIMEOUT_S).get("ready") is not True:
            raise ReaderError("the reader of the operators' data spoke before it was ready; install anew")

    def ask(self, area: Area, feed: Feed, day: date) -> Rows:
        """The rows of a feed: each an interval's start as text, and the values of its channels.

        Raises:
            AnswerError: if the operator's answer cannot be used; which kind says whether to ask again.
            ReaderError: if the reader ended.
            StoppedError: if told to stop meanwhile.
        """
        place = None if feed.required else area.price_at
        question = {"area": area.name, "feed": feed.name, "day": day.isoformat(), "place": place}
        self._say(json.dumps(question))
        answer = self._next(ANSWER_TIMEOUT_S)
        if "error" in answer:
            raise _answer_error(f"{area.name} {feed.name} of {day}", answer["error"])
        return list(answer["rows"])

    def close(self) -> None:
        """End it: by itself, since there will be no more questions, or at once where it is busy."""
        with suppress(OSError):  # a question that nobody read
            self._input.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._kill()
        self._listener.join(_END_TIMEOUT_S)
        if self._listener.is_alive():  # uv is gone, and what it had started is not
            self._kill()
            self._listener.join()
        self._output.close()

    def _kill(self) -> None:
        """Uv, and what it started: they are a group of their own."""
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _listen(self, output: Iterable[str]) -> None:
        for line in output:
            self._lines.put(line)
        self._lines.put("")

    def _say(self, line: str) -> None:
        try:
            print(line, file=self._input, flush=True)
        except OSError as error:
            raise self._ended() from error

    def _next(self, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._stopped.is_set():
                raise StoppedError("told to stop")
            try:
                line = self._lines.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if not line:
                raise self._ended()
            return dict(json.loads(line))
        raise ReaderError(f"the reader of the operators' data was silent for {timeout_s:g} s; start again")

    def _ended(self) -> ReaderError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        self._said.seek(0)
        said = " ".join(" ".join(self._said.readlines()[-_SAID_LINES:]).split())
        return ReaderError(
            f"the reader of the operators' data ended with {self._process.returncode}: {said or 'no word'}. "
            "Its environment is made by uv from the package index at the first use: see that uv reaches "
            "one (its proxy and index settings count), then start again"
        )


def find_uv() -> str:
    """The program that makes the reader's environment.

    Raises:
        ReaderError: if it is neither on the path nor beside this interpreter.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which("uv") or shutil.which("uv", path=beside)
    if found is None:
        raise ReaderError(
            f"uv is neither on PATH nor in {beside}; live data needs it to give gridstatus an environment of "
            "its own: install it (https://docs.astral.sh/uv/, or `pip install uv`)"
        )
    return found


def python_outside() -> list[str]:
    """The command that runs Python in the reader's environment, which uv makes where it is not there yet.

    Raises:
        ReaderError: if there is no uv.
    """
    return [
        find_uv(), "tool", "run", "--quiet", "--python", sys.executable,
        "--with-requirements", str(REQUIREMENTS), "--from", "gridstatus", "python",
    ]  # fmt: skip


@contextmanager
def open_reader(
    stopped: Event, *, gap_s: float = GAP_S, environment: Mapping[str, str] | None = None
) -> Iterator[Reader]:
    """A reader that can be asked, until the context ends.

    Args:
        stopped: once it is set, no answer is awaited any more.
        gap_s: seconds between two requests to one host.
        environment: beside this process's own variables.

    Raises:
        ReaderError: if its environment cannot be made.
        StoppedError: if told to stop meanwhile.
    """
    agent = f"smartgrid-ai/{version('smartgrid-ai')} (python-requests, gridstatus)"
    variables = {**os.environ, **(environment or {}), "PYTHONPATH": str(OUTSIDE)}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(  # noqa: S603  our own command; nothing in it comes from outside
            [*python_outside(), "-m", "iso_reader", agent, str(gap_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
            env=variables,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the reader in order
        )
        reader = Reader(process, said, stopped)
        try:
            reader.wait_ready()
            yield reader
        finally:
            reader.close()


def _answer_error(what: str, error: Mapping[str, Any]) -> AnswerError:
    kind, status = error["kind"], error["status"]
    text = f"{what}: {error['text']} [{error['address'] or 'nothing asked'}]"
    if kind == "no_data" or status == 404:
        return NotThereError(f"{text}; the operator has no such data, or not yet")
    if kind in {"network", "status"}:
        return AwayError(text, error["retry_after_s"])
    return ChangedAnswerError(
        f"{text}; the answer has another layout than this version reads: none of it is used. Look whether "
        "the address shows data in a browser, and for a newer version of this program"
    )

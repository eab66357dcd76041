"""An optional language model that writes the shift log beside the supervisor's loops.

It can cause no action: it has no tool, it runs in a thread that no tick waits for, and what it writes is
read by people alone. A model that is slow, that hangs or fails costs entries of the log, and nothing else.
"""

import importlib
import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from grid_supervisor.results import Action, TickResult
from smartgrid.errors import RoleError
from smartgrid.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from smartgrid.supervising import Told

SHIFT_LOG = "shift-log.md"
WAITING_TICKS = 4
"""Ticks that may wait for the model; further ones go unexplained."""
LONGEST_WORDS = 4_000
CLOSING_S = 5.0
"""Of wall time, for the last entry when the role ends."""
TASK = (
    "You write the shift log of a grid area for its operators. The user's message is what the control loops"
    " did in one interval, with their own reasons; powers in kW, positive injects into the grid. Explain it"
    " in two to four plain sentences: what was done, why, and what it cost or spared. Use only the figures"
    " given. You decide nothing and give no orders."
)

logger = logging.getLogger(__name__)


class Advisor:
    """Explains ticks in a thread of its own.

    Args:
        model: the chat model; no tool is bound to it.
        log: file that the entries are appended to, in Markdown.
    """

    def __init__(self, model: "BaseChatModel", log: Path) -> None:
        self._model = model
        self._log = log
        self._ticks: queue.Queue[TickResult | None] = queue.Queue(WAITING_TICKS)
        self._last: object = None
        self.dropped = 0
        # A daemon: a model that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="advisor", daemon=True)
        self._thread.start()

    def tell(self, result: TickResult) -> None:
        """Hand a tick over, without waiting; dropped and counted where the model is too slow."""
        told = [(loop.loop, loop.outcome, loop.reason) for loop in result.loops]
        if told == self._last and not any(loop.actions for loop in result.loops):
            return
        self._last = told
        try:
            self._ticks.put_nowait(result)
        except queue.Full:
            self.dropped += 1
            logger.warning("the advisor is too slow: %d ticks went unexplained", self.dropped)

    def close(self, patience_s: float = CLOSING_S) -> None:
        """End after the ticks that wait, or after ``patience_s``."""
        with suppress(queue.Full):
            self._ticks.put_nowait(None)
        self._thread.join(patience_s)

    def _work(self) -> None:
        while (result := self._ticks.get()) is not None:
            facts = _facts(result)
            entry = f"{facts}\n{_quoted(self._words(facts))}\n"
            try:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(entry)
            except OSError as error:
                logger.warning("the shift log cannot be written: %s", error)

    def _words(self, facts: str) -> str:
        try:
            return str(self._model.invoke([("system", TASK), ("user", facts)]).text)
        except Exception as error:  # noqa: BLE001  a provider may raise anything; the loops must not feel it
            logger.warning("the advisor's model failed: %s", error)
            return f"(no explanation: {type(error).__name__})"


@contextmanager
def open_advisor(name: str | None, settings: Settings) -> "Iterator[tuple[Told, ...]]":
    """Who is to be told of ticks: an advisor where ``name`` is given, nobody where not.

    Args:
        name: ``provider:model``, as langchain's ``init_chat_model`` takes it.
        settings: the shift log lies in its state directory.

    Raises:
        RoleError: if the extra or the provider's package is not installed, or the name is not known.
    """
    if name is None:
        yield ()
        return
    advisor = Advisor(_model(name), settings.state / SHIFT_LOG)
    try:
        yield (advisor.tell,)
    finally:
        advisor.close()


def _model(name: str) -> "BaseChatModel":
    try:
        chat_models = importlib.import_module("langchain.chat_models")
    except ImportError:
        raise RoleError(
            f"--advisor {name}: needs langchain, which is not installed: pip install 'smartgrid-ai[advisor]' "
            "and the provider's package, such as langchain-openai"
        ) from None
    try:
        model: BaseChatModel = chat_models.init_chat_model(name)
    except (ImportError, ValueError) as error:
        raise RoleError(f"--advisor {name}: {error}") from error
    return model


def _facts(result: TickResult) -> str:
    """What the loops did, in their own words, as the log's entry begins."""
    starts = [loop.interval_start for loop in result.loops if loop.interval_start is not None]
    lines = [f"## {starts[0].isoformat() if starts else 'an interval that could not be read'}", ""]
    for loop in result.loops:
        lines.append(f"- {loop.loop}: {loop.outcome}{f', {loop.reason}' if loop.reason else ''}")
        lines += [f"  - {_fact(action)}" for action in loop.actions]
    return "\n".join(lines) + "\n"


def _fact(action: Action) -> str:
    gain = action.expected_gain_usd
    expected = "" if gain is None else f" (expected gain {gain:.2f})"
    return f"{action.asset} {action.power_kw:+.1f} kW, {action.status}: {action.reason}{expected}"


def _quoted(words: str) -> str:
    """As a quotation, so that no text of a model passes for an entry of ours or steers a terminal."""
    lines = words[:LONGEST_WORDS].strip().splitlines()
    return "".join(f"> {''.join(filter(str.isprintable, line))}\n" for line in lines)

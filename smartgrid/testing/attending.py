"""Running a tool under watch: what came of it, and whether it held up the others.

A tool shares the server's event loop with every other call. Here it runs in a loop of its own, whose pulse
is felt from another thread. Waits are counted in ticks of that thread, not by a clock, so that a machine
that stands still for a while blames nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Final

TICK_S: Final = 0.02
BLOCKED_AFTER_TICKS: Final = 50
"""A loop without a pulse for about a second is held up."""
HUNG_AFTER_TICKS: Final = 750
"""A call that takes longer than about 15 seconds is given up."""


@dataclass(frozen=True)
class Attended:
    """What came of a call.

    Attributes:
        answer: None where it failed or hung.
        error: what it raised.
        blocked: it held up the event loop for a second or more.
        hung: it did not end; its thread was left behind.
    """

    answer: Any = None
    error: BaseException | None = None
    blocked: bool = False
    hung: bool = False


@dataclass
class _Pulse:
    beats: int = 0
    ended: Future[Any] = field(default_factory=Future)

    async def beat(self) -> None:
        while True:
            self.beats += 1
            await asyncio.sleep(TICK_S / 2)


def attend(call: Callable[[], Awaitable[Any]]) -> Attended:
    """Run an async call to its end, or until nobody would wait longer."""
    pulse = _Pulse()
    Thread(target=_run, args=(pulse, call), name="attended tool", daemon=True).start()
    blocked, silent, beats = False, 0, 0
    for _ in range(HUNG_AFTER_TICKS):
        try:
            answer = pulse.ended.result(TICK_S)
        except TimeoutError:
            if pulse.ended.done():  # the tool's own
                return Attended(error=pulse.ended.exception(), blocked=blocked)
        except BaseException as error:
            if not pulse.ended.done():  # not the tool's: a person who stops the tests
                raise
            return Attended(error=error, blocked=blocked)
        else:
            return Attended(answer, blocked=blocked)
        silent = 0 if pulse.beats != beats else silent + 1
        beats = pulse.beats
        blocked = blocked or silent >= BLOCKED_AFTER_TICKS
    return Attended(blocked=blocked, hung=True)


def _run(pulse: _Pulse, call: Callable[[], Awaitable[Any]]) -> None:
    async def with_pulse() -> Any:
        beating = asyncio.create_task(pulse.beat())
        try:
            return await call()
        finally:
            beating.cancel()

    try:
        pulse.ended.set_result(asyncio.run(with_pulse()))
    except BaseException as error:  # noqa: BLE001  whatever a tool raises is its result here
        pulse.ended.set_exception(error)

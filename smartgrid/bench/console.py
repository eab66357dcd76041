"""What open pages of the console cost: CPU seconds and memory for each simulated minute, over an hour."""

import asyncio
import json
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

from smartgrid.bench.console_pages import OpenPage, log_in
from smartgrid.bench.stream_worker import BenchError

PATHS = ("", "", "approvals", "decisions", "audit")
"""Two of five pages are Now."""
EARLY = slice(4, 15)
"""Minutes 5 to 15."""
LATE = slice(-10, None)
STEADY = 1.1


@dataclass(frozen=True, slots=True)
class ConsoleBench:
    """What was measured in the process that serves the console.

    Attributes:
        cpu_s: of each simulated minute, all threads; the plant's writing is in it.
        rss_mb: resident memory at the end of each.
        messages, sent_mb: what all pages got.
    """

    sites: int
    pages: int
    cpu_s: tuple[float, ...]
    rss_mb: tuple[float, ...]
    messages: int
    sent_mb: float

    @property
    def cpu_ratio(self) -> float:
        """CPU of the last ten minutes over that of minutes 5 to 15."""
        return mean(self.cpu_s[LATE]) / mean(self.cpu_s[EARLY])

    @property
    def memory_ratio(self) -> float:
        """Memory of the last ten minutes over that of minutes 5 to 15."""
        return mean(self.rss_mb[LATE]) / mean(self.rss_mb[EARLY])

    @property
    def steady(self) -> bool:
        """Whether neither grew by more than a tenth."""
        return max(self.cpu_ratio, self.memory_ratio) <= STEADY


def bench_console(sites: int, pages: int, minutes: int, say: Callable[[str], None]) -> ConsoleBench:
    """Open the pages and let so many simulated minutes pass.

    Args:
        sites: that send a pulse every five seconds, beside the area's two.
        pages: open at once.
        minutes: at least 25, so that early and late ones are others.
        say: told of the progress.

    Raises:
        BenchError: when the worker ends early.
    """
    with TemporaryDirectory(prefix="smartgrid-bench-") as folder:
        return asyncio.run(_measured(Path(folder), sites, pages, minutes, say))


async def _measured(
    state: Path, sites: int, pages: int, minutes: int, say: Callable[[str], None]
) -> ConsoleBench:
    module = "smartgrid.bench.console_worker"
    secret = secrets.token_urlsafe(16)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, str(state), str(sites), str(pages), str(minutes),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert worker.stdin is not None  # noqa: S101  asked for above
        worker.stdin.write(f"{secret}\n".encode())
        base = f"http://127.0.0.1:{(await _line(worker))['port']:.0f}"
        cookie = await log_in(base, secret)
        opened = [OpenPage(base, PATHS[k % len(PATHS)]) for k in range(pages)]
        for page in opened:
            await page.open(cookie)
        found = []
        for _ in range(minutes):
            found.append(await _line(worker))
            minute, cpu_s, rss_mb = (found[-1][name] for name in ("minute", "cpu_s", "rss_mb"))
            say(f"minute {minute:.0f}: {cpu_s:.2f} s CPU, {rss_mb:.0f} MB")
        for page in opened:
            await page.close()
        await worker.wait()
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    return ConsoleBench(
        sites,
        pages,
        tuple(line["cpu_s"] for line in found),
        tuple(line["rss_mb"] for line in found),
        sum(page.messages for page in opened),
        sum(page.bytes for page in opened) / 1e6,
    )


async def _line(worker: asyncio.subprocess.Process) -> dict[str, float]:
    assert worker.stdout is not None  # noqa: S101  asked for above
    line = await worker.stdout.readline()
    if not line:
        raise BenchError(f"the console's worker ended with {await worker.wait()}; its error is above")
    document: dict[str, float] = json.loads(line)
    return document

"""A running day on the terminal: a progress bar over what the plant and the loops do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from grid.telemetry import AREA_SITE, NATIVE_SITE
from smartgrid.day.runner import Progress as DayProgress
from smartgrid.day.runner import Watcher

PLAIN_LINE_EVERY = timedelta(hours=4)


@contextmanager
def watching(console: Console) -> Iterator[Watcher | None]:
    """A watcher for :func:`smartgrid.day.runner.run_day`; plain lines where there is no terminal."""
    if not console.is_terminal:
        yield lambda progress: _plain(console, progress)
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task("", total=1.0)
    with Live(bar, console=console, refresh_per_second=8, transient=True) as live:

        def watch(progress: DayProgress) -> None:
            bar.update(task, completed=progress.share, description=_title(progress))
            live.update(Group(bar, _table(progress)))

        yield watch


def _title(progress: DayProgress) -> str:
    local = progress.now.astimezone(progress.day.scenario.tz)
    return f"{progress.day.scenario.name} {local:%H:%M}"


def _plain(console: Console, progress: DayProgress) -> None:
    since_start = progress.now - progress.day.scenario.start
    if since_start % PLAIN_LINE_EVERY < progress.day.interval:
        battery_kw, peaker_kw = progress.readings.battery.power_kw, progress.readings.peaker.power_kw
        console.print(
            f"{_title(progress)}  {progress.share:4.0%}  {progress.pulses:,} pulses, battery "
            f"{battery_kw:+,.0f} kW at {_soc_pct(progress):.0f} %, peaker {peaker_kw:,.0f} kW",
            highlight=False,
            soft_wrap=True,
        )


def _soc_pct(progress: DayProgress) -> float:
    energy_kwh = progress.day.knowledge.area.limits.battery.energy_kwh
    return 100.0 * progress.readings.battery.soc_kwh / energy_kwh


def _table(progress: DayProgress) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    metered = progress.store.latest(AREA_SITE, 1)
    if metered and metered[0].net_load_kw is not None:
        table.add_row("net load", f"{metered[0].net_load_kw:,.0f} kW metered")
    forecast = progress.store.latest_forecast(NATIVE_SITE)
    if forecast is not None:
        band = f"{forecast.p50_kw:+,.0f} kW ({forecast.p10_kw:+,.0f} to {forecast.p90_kw:+,.0f})"
        table.add_row("in 30 minutes", band)
    battery, peaker = progress.readings.battery, progress.readings.peaker
    table.add_row(
        "battery", f"{progress.readings.battery_setpoint_kw:+,.0f} kW, {_soc_pct(progress):.0f} % stored"
    )
    table.add_row("peaker", f"{progress.readings.peaker_setpoint_kw:,.0f} kW" if peaker.on else "off")
    table.add_row("cycles", f"{battery.cycles(progress.day.knowledge.area.limits.battery):.2f}")
    for loop in progress.tick.loops:
        said = loop.reason or "; ".join(f"{action.status}: {action.reason}" for action in loop.actions)
        table.add_row(loop.loop, Text(said[:150] or "idle"))
    return table

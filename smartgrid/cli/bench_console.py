"""``smartgrid bench console``: what open pages cost, and whether that stays."""

from dataclasses import asdict
from statistics import mean
from typing import Annotated

import typer

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console as terminal
from smartgrid.cli.output import errors, print_json


def console(
    sites: Annotated[int, typer.Option("--sites", help="Sites with a pulse every 5 s.", min=1)] = 100,
    pages: Annotated[int, typer.Option("--pages", help="Pages open at once.", min=1)] = 20,
    minutes: Annotated[int, typer.Option("--minutes", help="Simulated minutes.", min=25)] = 60,
    as_json: JsonOption = False,
) -> None:
    """CPU seconds and memory of a simulated minute with open pages, at its beginning and at its end.

    Exit code 1 when the last ten minutes cost more than 1.1 times what minutes 5 to 15 did.
    """
    from smartgrid.bench.console import EARLY, LATE, bench_console

    found = bench_console(sites, pages, minutes, lambda text: errors.print(text, highlight=False))
    if as_json:
        ratios = {"cpu_ratio": found.cpu_ratio, "memory_ratio": found.memory_ratio, "steady": found.steady}
        print_json({**asdict(found), **ratios})
        raise typer.Exit(0 if found.steady else 1)
    cpu, memory = found.cpu_s, found.rss_mb
    lines = (
        f"{found.pages} open pages, {found.sites} sites at a pulse of 5 s, {len(cpu)} simulated minutes",
        f"CPU a simulated minute: {mean(cpu[EARLY]):.2f} s in minutes 5-15, then {mean(cpu[LATE]):.2f} s in "
        f"the last ten: {found.cpu_ratio:.2f} x",
        f"memory: {mean(memory[EARLY]):.0f} MB, then {mean(memory[LATE]):.0f} MB: {found.memory_ratio:.2f} x",
        f"sent: {found.messages:,} messages, {found.sent_mb:.1f} MB before compression",
        "steady" if found.steady else "NOT steady: more than 1.1 x",
    )
    for line in lines:
        terminal.print(line, highlight=False)
    raise typer.Exit(0 if found.steady else 1)

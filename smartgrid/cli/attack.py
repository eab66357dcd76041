"""``smartgrid attack``: a copy of a CSV with labelled false data, for drills and backtests."""

from pathlib import Path
from typing import Annotated

import typer

from smartgrid.cli.options import JsonOption, MapOption, SiteTzOption, TzOption, zone
from smartgrid.cli.output import console, print_json


def attack(
    file: Annotated[Path, typer.Argument(help="CSV to attack; it is not changed.")],
    channel: Annotated[str, typer.Option("--channel", help="load, solar, wind or net_load.")],
    start: Annotated[str, typer.Option("--from", help="ISO time from which rows are attacked.")],
    out: Annotated[Path, typer.Option("--out", help="Directory of attacked.csv and labels.csv.")],
    kinds: Annotated[
        str | None,
        typer.Option("--kinds", help="KIND or KIND:MAGNITUDE, by commas, e.g. scale:0.05,replay."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of places, lengths, signs and noise.")] = 0,
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    as_json: JsonOption = False,
) -> None:
    """Inject labelled attacks: 5 % of the time, 30 min to 4 h each, 4 h apart, equally many per kind."""
    from grid.csv_columns import parse_mapping
    from pipeline.fdia.attacks import DEFAULT_KINDS, parse_kinds
    from smartgrid.attack_file import labels_of, plan_attacks, write_attacks
    from smartgrid.moments import moment

    chosen, columns = parse_kinds(kinds or DEFAULT_KINDS), parse_mapping(mapping or [])
    plan = plan_attacks(
        file,
        channel=channel,
        kinds=chosen,
        seed=seed,
        start=moment(start, "--from"),
        mapping=columns,
        tz=tz,
        site_tz=zone(site_tz).key,
    )
    write_attacks(plan, file, out, channel=channel, mapping=columns, tz=tz)
    if as_json:
        labels = labels_of(plan, channel).to_dict("records")
        print_json({"file": str(file), "seed": seed, "column": plan.column, "events": labels})
        return
    console.print(
        f"{len(plan.events)} events of {len(chosen)} kinds on {plan.column}: {out / 'attacked.csv'},"
        f" {out / 'labels.csv'}",
        highlight=False,
        soft_wrap=True,
    )

"""``smartgrid demo``: days through the whole chain, simulated or replayed, and their report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from smartgrid.cli.options import (
    JsonOption,
    LimitsOption,
    MapOption,
    SiteTzOption,
    TzOption,
    local_date,
    zone,
)
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smartgrid.day.scenario import Scenario

DEFAULT_SEED = 1000
DEFAULT_OUT = Path("demo-report")


def demo(
    seed: Annotated[
        list[int] | None, typer.Option("--seed", help="Seed of a simulated day. Repeatable.")
    ] = None,
    replay: Annotated[
        str | None, typer.Option("--replay", help="CSV to replay instead, or 'sample' (Luxembourg).")
    ] = None,
    day: Annotated[
        list[str] | None, typer.Option("--day", help="Local date to replay, e.g. 2024-04-15. Repeatable.")
    ] = None,
    then_sample: Annotated[
        bool, typer.Option("--then-sample", help="Replay a day of the sample after the simulated ones.")
    ] = False,
    cadence_s: Annotated[
        float, typer.Option("--cadence", help="Seconds between pulses of a simulated day.")
    ] = 5.0,
    mapping: MapOption = None,
    tz: TzOption = None,
    site_tz: SiteTzOption = None,
    limits: LimitsOption = None,
    operator: Annotated[
        Literal["simulated", "none"],
        typer.Option("--operator", help="Who decides approvals: simulated (after 120 s), or none."),
    ] = "simulated",
    price_seed: Annotated[int, typer.Option("--price-seed", help="Seed of synthetic prices.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory of report.json and report.html (demo-report).")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Keep each day's ledger and store in a folder below this one."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run days through stream, forecast, supervisor, guardrails and plant; then show what they earned.

    With --json the report goes to standard output, and files are written only where --out says so.
    """
    from policies.limits import load_limits
    from smartgrid.cli.live_display import watching
    from smartgrid.day.several import run_days
    from smartgrid.errors import ScenarioError
    from smartgrid.report.files import write_report
    from smartgrid.report.summary import summarise
    from smartgrid.report.terminal import print_report

    chosen = load_limits(limits)
    if replay is None:
        scenarios = _simulated(seed or [], day or [], cadence_s, then_sample)
    elif seed or then_sample:
        raise ScenarioError("--replay goes with --day, not with --seed or --then-sample; leave one out")
    else:
        scenarios = _replayed(replay, day or [], mapping=mapping or [], tz=tz, site_tz=site_tz)
    with watching(errors if as_json else console) as watch:
        results = run_days(
            scenarios,
            chosen,
            price_seed=price_seed,
            with_operator=operator == "simulated",
            state=state,
            watch=watch,
            on_training=_say_training,
        )
    summary = summarise(results)
    target = out if out is not None or as_json else DEFAULT_OUT
    written = None if target is None else write_report(target, results, summary)
    if as_json:
        print_json(summary)
        return
    print_report(console, results, summary)
    if written is not None:
        console.print(f"report: {written[0]} and {written[1]}", highlight=False, soft_wrap=True)


def _say_training(scenario: "Scenario") -> None:
    errors.print(f"{scenario.name}: learning from the rows before it", highlight=False)


def _simulated(
    seeds: "Sequence[int]", days: "Sequence[str]", cadence_s: float, then_sample: bool
) -> "list[Scenario]":
    from smartgrid.day.scenario import SAMPLE_DAY, synthetic_scenario
    from smartgrid.errors import ScenarioError

    if days:
        raise ScenarioError(f"--day {days[0]} needs --replay FILE or --replay sample")
    scenarios = [synthetic_scenario(seed, cadence_s) for seed in seeds or [DEFAULT_SEED]]
    if then_sample:
        scenarios += _replayed("sample", [SAMPLE_DAY.isoformat()])
    return scenarios


def _replayed(
    path: str,
    days: "Sequence[str]",
    *,
    mapping: "Sequence[str]" = (),
    tz: str | None = None,
    site_tz: str | None = None,
) -> "list[Scenario]":
    from grid.csv_columns import parse_mapping
    from smartgrid.day.scenario import SAMPLE_DAY, SAMPLE_TZ, available_days, read_replay, replay_scenario

    series, notes, source = read_replay(path, mapping=parse_mapping(mapping), tz=tz)
    site_zone = zone(site_tz, SAMPLE_TZ if path == "sample" else "UTC")
    chosen = [local_date(text) for text in days]
    if not chosen:
        chosen = [SAMPLE_DAY] if path == "sample" else list(available_days(series, site_zone)[-1:])
    return [replay_scenario(series, day, site_zone, source=source, notes=notes) for day in chosen]

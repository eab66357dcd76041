"""``smartgrid bench day``: a day's accounts on days not used in tuning, and under attack."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.day import BenchRow, JobResult
    from smartgrid.bench.day_attack import AttackedDay, LossRow
    from smartgrid.bench.day_sets import DaySet

ATTACKED_SET = "CAISO"


def day(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", envvar="SMARTGRID_DATA_DIR", help="Folder of recorded days (CAISO, ERCOT, UCSD)."
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", help="One set: synthetic, sample, CAISO, ERCOT or UCSD.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="Processes.", min=1)] = 2,
    attack: Annotated[
        bool, typer.Option("--attack", help="What false telemetry costs, with trust gating on and off.")
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", help="Attacks a day and kind.", min=1)] = 5,
    as_json: JsonOption = False,
) -> None:
    """Value capture and ramp relief on days not used in tuning, beside two simple policies."""
    if attack:
        _attack(_sets(data, only or ATTACKED_SET), seeds, workers, as_json=as_json)
        return
    from smartgrid.bench.day import bench_days

    rows = list(bench_days(_sets(data, only), workers, _say))
    if as_json:
        print_json([_document(row) for row in rows])
    else:
        console.print(_table(rows))


def _attack(sets: "list[DaySet]", seeds: int, workers: int, *, as_json: bool) -> None:
    from smartgrid.bench.day_attack import bench_attacks, loss_rows

    days: list[AttackedDay] = []
    for found in bench_attacks(sets[0], range(seeds), workers):
        counted = sum(attack.counts for attack in found.attacks)
        errors.print(f"{found.name}: {counted} of {len(found.attacks)} attacks count", highlight=False)
        days.append(found)
    rows = loss_rows(days)
    if as_json:
        print_json([_loss_document(row) for row in rows])
    else:
        console.print(_loss_table(rows))
        gating_usd = sum(found.gating_usd for found in days)
        console.print(f"trust gating costs {gating_usd:,.0f} USD on the clean days", highlight=False)


def _loss_document(row: "LossRow") -> dict[str, object]:
    return {
        "kind": row.kind,
        "attacks": row.attacks,
        "counted": row.counted,
        "unguarded_loss_usd": row.unguarded_usd,
        "guarded_loss_usd": row.guarded_usd,
        "ratio": row.ratio,
    }


def _loss_table(rows: "list[LossRow]") -> Table:
    table = Table(title="What false telemetry costs, over the attacks that count", title_justify="left")
    table.add_column("kind")
    for name in ("attacks", "counted", "unguarded loss, USD", "guarded loss, USD", "ratio"):
        table.add_column(name, justify="right")
    for row in rows:
        ratio = "–" if row.ratio is None else f"{row.ratio:.3f}"
        losses = (f"{row.unguarded_usd:,.0f}", f"{row.guarded_usd:,.0f}")
        table.add_row(row.kind, str(row.attacks), str(row.counted), *losses, ratio)
    return table


def _sets(data: Path | None, only: str | None) -> "list[DaySet]":
    from smartgrid.bench.day_sets import recorded_sets, sample_set, synthetic_set
    from smartgrid.errors import ScenarioError

    sets = [synthetic_set(), sample_set(), *(recorded_sets(data) if data is not None else [])]
    if only is None:
        return sets
    chosen = [days for days in sets if days.name.lower() == only.lower()]
    if not chosen:
        known = ", ".join(days.name for days in sets)
        raise ScenarioError(f"--only {only!r}: choose from {known} (recorded ones need --data DIR)")
    return chosen


def _say(day_set: str, result: "JobResult") -> None:
    from smartgrid.bench.day import OURS

    capture = result.accounts[OURS].value_capture
    said = "–" if capture is None else f"{capture:.2f}"
    errors.print(
        f"{day_set} {result.name}: value capture {said}, {result.violations} violations", highlight=False
    )


def _document(row: "BenchRow") -> dict[str, object]:
    figures = row.figures
    return {
        "set": row.day_set,
        "policy": row.policy,
        "days": row.days,
        "value_capture": figures.value_capture,
        "bootstrap_error": figures.bootstrap_error,
        "mean": figures.mean,
        "p10": figures.p10,
        "worst": figures.worst,
        "ramp_relief": figures.ramp_relief,
        "trade_share": figures.trade_share,
        "guardrail_violations": row.violations,
    }


def _table(rows: "list[BenchRow]") -> Table:
    table = Table(title="A day's accounts on days not used in tuning", title_justify="left")
    table.add_column("set")
    table.add_column("policy")
    for name in ("days", "value capture", "±", "P10", "worst", "ramp relief", "trade share", "violations"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = row.figures
        ratios = (figures.value_capture, figures.bootstrap_error, figures.p10, figures.worst)
        shares = (figures.ramp_relief, figures.trade_share)
        table.add_row(
            row.day_set,
            row.policy,
            str(row.days),
            *("–" if value is None else f"{value:.2f}" for value in (*ratios, *shares)),
            "–" if row.violations is None else str(row.violations),
        )
    return table

"""``smartgrid bench knowledge``: regulation lookup beside dense retrieval and beside BM25 alone."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from smartgrid.bench.knowledge import SystemResult


def knowledge(
    data: Annotated[
        Path, typer.Option("--data", envvar="SMARTGRID_DATA_DIR", help="Folder that holds pdfs/.")
    ],
    model: Annotated[
        Path | None, typer.Option("--model", help="Folder of a sentence-embedding model, for rows with it.")
    ] = None,
    split: Annotated[
        Literal["judge", "tune"], typer.Option("--split", help="Part of the questions; tune is for tuning.")
    ] = "judge",
    as_json: JsonOption = False,
) -> None:
    """Pages found, citations, refusals and speed on questions that the retriever was not tuned on."""
    from smartgrid.bench.knowledge import bench_knowledge, document

    with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        results = bench_knowledge(data, model, Path(scratch), split, _say)
    if as_json:
        print_json(document(results))
        return
    console.print(_found_table(results, split))
    console.print(_other_table(results))


def _say(step: str) -> None:
    errors.print(f"{step} …", highlight=False, soft_wrap=True)


def _found_table(results: "list[SystemResult]", split: str) -> Table:
    table = Table(title=f"Pages found, questions of the part {split}", title_justify="left")
    table.add_column("system")
    table.add_column("questions")
    for name in ("n", "recall@1", "recall@5", "MRR"):
        table.add_column(name, justify="right")
    for result in results:
        for kind, score in result.kinds.items():
            figures = (f"{score.recall_1:.2f}", f"{score.recall_5:.2f}", f"{score.mrr:.2f}")
            table.add_row(result.name, kind, str(score.questions), *figures, end_section=kind == "all")
    return table


def _other_table(results: "list[SystemResult]") -> Table:
    table = Table(title="Citations, refusals, speed", title_justify="left")
    table.add_column("system")
    for name in (
        "cited right",
        "cited exactly",
        "refused right",
        "refused wrong",
        "p50 ms",
        "p95 ms",
        "s/1,000 pages",
    ):
        table.add_column(name, justify="right")
    for result in results:
        shares = (result.citations_right, result.citations_exact, result.refused_right, result.refused_wrong)
        table.add_row(
            result.name,
            *(f"{share:.2f}" for share in shares),
            f"{result.p50_ms:.1f}",
            f"{result.p95_ms:.1f}",
            "–" if result.ingest_s is None else f"{result.ingest_s:.0f}",
        )
    return table

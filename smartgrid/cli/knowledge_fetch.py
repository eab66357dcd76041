"""``smartgrid knowledge fetch``: downloads the public documents of the manifest and verifies them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, fail, print_json

if TYPE_CHECKING:
    from knowledge.fetching import Fetched
    from knowledge.manifest import PublicDocument

BETWEEN_DOCUMENTS_S = 2.0


def fetch(
    out: Annotated[Path, typer.Option("--out", help="Folder for the PDFs.")] = Path("regulation"),
    only: Annotated[
        list[str] | None, typer.Option("--only", help="ID of the manifest, e.g. BAL-003-2. Repeatable.")
    ] = None,
    list_only: Annotated[
        bool, typer.Option("--list", help="Show the manifest: what, where, why; download nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Download the public standards and orders that matter here; ingest the folder afterwards.

    What is there and good is left alone; what broke off is continued. Exit code 1 when any failed.
    """
    from knowledge.errors import KnowledgeError
    from knowledge.manifest import documents, find_document

    try:
        chosen = [find_document(name) for name in only] if only else list(documents())
    except KnowledgeError as error:
        fail(str(error))
    if list_only:
        _show(chosen, as_json)
        return
    results = _fetch_all(chosen, out, as_json)
    if as_json:
        print_json([_fetched(result) for result in results])
    failed = [result for result in results if result.status == "failed"]
    if failed:
        fail(f"{len(failed)} of {len(results)} failed: {', '.join(result.document for result in failed)}")
    if not as_json:
        console.print(f"now: smartgrid knowledge ingest {out}", markup=False)


def _fetch_all(chosen: "list[PublicDocument]", out: Path, quiet: bool) -> "list[Fetched]":
    import time

    from knowledge.fetching import fetch as fetch_document

    results: list[Fetched] = []
    for document in chosen:
        if results and results[-1].status != "there":
            time.sleep(BETWEEN_DOCUMENTS_S)
        result = fetch_document(document, out)
        results.append(result)
        if not quiet:
            console.print(f"{result.document}: {result.status} {result.path or result.reason}", markup=False)
    return results


def _fetched(result: "Fetched") -> dict[str, Any]:
    return {
        "document": result.document,
        "status": result.status,
        "path": None if result.path is None else str(result.path),
        "reason": result.reason,
    }


def _show(chosen: "list[PublicDocument]", as_json: bool) -> None:
    rows = [
        {
            "id": document.id,
            "title": document.title,
            "status": None if document.status is None else document.status.words,
            "address": document.addresses[0],
            "why": document.why,
        }
        for document in chosen
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("id", "title", "status", "address", "why")
    for row in rows:
        table.add_row(*(value or "" for value in row.values()))
    console.print(table)

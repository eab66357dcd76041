"""``smartgrid knowledge``: the regulation documents that are searched, and the search itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, errors, fail, print_json

if TYPE_CHECKING:
    from knowledge.index import Passage
    from knowledge.ingest import Outcome
    from knowledge.ingest import Progress as Say

FIRST_INDEX_S = 600.0
"""A command waits for the first index as long as a large embedding model may need for it."""

app = typer.Typer(no_args_is_help=True, help="Regulation documents: ingest them, search them with citations.")


@app.command("ingest")
def ingest(
    sources: Annotated[list[str], typer.Argument(help="PDFs, folders of PDFs, or https addresses of PDFs.")],
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read PDFs into the index; the same file changes nothing, a changed one replaces its passages."""
    from knowledge.ingest import ingest_paths

    with _told(), _progress() as say:
        outcomes = ingest_paths(
            [_local(source, state) for source in sources], _directory(state), progress=say
        )
    if as_json:
        print_json([_outcome(outcome) for outcome in outcomes])
    else:
        _show_outcomes(outcomes)
    if outcomes and all(outcome.status == "skipped" for outcome in outcomes):
        raise typer.Exit(1)


@app.command("list")
def list_documents(state: StateOption = None, as_json: JsonOption = False) -> None:
    """The documents of the index."""
    from rich.table import Table

    from knowledge.generation import Catalogue, current, read_catalogue

    with _told():
        generation = current(_directory(state))
        catalogue = Catalogue() if generation is None else read_catalogue(generation)
    if as_json:
        print_json(
            {
                "vectors": catalogue.model or "learnt from the corpus",
                "documents": [
                    {
                        "document": entry.name,
                        "cited_as": entry.cited_as,
                        "title": entry.title,
                        "pages": entry.pages,
                        "chunks": entry.chunks,
                        "sha256": entry.sha256,
                        "source": entry.source,
                    }
                    for entry in catalogue.documents
                ],
            }
        )
        return
    table = Table("document", "cited as", "title")
    table.add_column("pages", justify="right")
    table.add_column("passages", justify="right")
    for entry in catalogue.documents:
        table.add_row(entry.name, entry.cited_as, entry.title, str(entry.pages), str(entry.chunks))
    console.print(table)
    console.print(f"Vectors: {_vectors(catalogue.model)}", highlight=False, soft_wrap=True)


@app.command("search")
def search(
    question: Annotated[str, typer.Argument(help='In plain words, or an identifier: "CIP-010-4 R1 1.4".')],
    top: Annotated[int, typer.Option("--top", help="Passages at most.", min=1, max=50)] = 5,
    rephrasing: Annotated[
        list[str] | None, typer.Option("--rephrasing", help="Another wording; up to four, repeatable.")
    ] = None,
    document: Annotated[str | None, typer.Option("--document", help="Search this file alone.")] = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """The passages that answer a question, each with its page; says so when there is none.

    Where nothing was ingested, the shipped digest answers.
    """
    from smartgrid.regulation import RegulationLibrary

    with _told():
        index = RegulationLibrary(_directory(state).parent, patience_s=FIRST_INDEX_S)
        index.search(question, top)  # the first search loads the index; the second is what a server does
        start = time.perf_counter()
        passages = index.search(question, top, rephrasings=rephrasing or (), document=document)
        engine_ms = (time.perf_counter() - start) * 1000
    if as_json:
        print_json(
            {
                "found": bool(passages),
                "passages": [_passage(passage) for passage in passages],
                "engine_ms": round(engine_ms, 2),
            }
        )
        return
    if not passages:
        console.print("Nothing relevant found; reword the question in the standards' own terms.")
    for passage in passages:
        status = f" [{passage.status}]" if passage.status else ""
        console.print(f"{passage.score:.2f}  {passage.citation}{status}", style="bold", markup=False)
        console.print(f"      {passage.document}\n{passage.text}\n", markup=False, highlight=False)


@app.command("remove")
def remove(
    documents: Annotated[list[str], typer.Argument(help="File names, as list shows them.")],
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take documents out of the index."""
    from knowledge.ingest import remove_documents

    with _told(), _progress() as say:
        remove_documents(documents, _directory(state), progress=say)
    if as_json:
        print_json({"removed": documents})
        return
    console.print(f"Removed {', '.join(documents)}.", highlight=False)


@app.command("verify")
def verify(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Check that the index holds together; exit code 1 names what does not."""
    from knowledge.verify import verify_index

    with _told():
        found = verify_index(_directory(state))
    if as_json:
        print_json(
            {
                "ok": found.ok,
                "documents": found.documents,
                "chunks": found.chunks,
                "problems": list(found.problems),
                "notes": list(found.notes),
            }
        )
        raise typer.Exit(0 if found.ok else 1)
    for note in found.notes:
        errors.print(note, markup=False, highlight=False, soft_wrap=True)
    if not found.ok:
        fail("index: " + "; ".join(found.problems))
    console.print(f"{found.documents} documents, {found.chunks} passages; all agree.", highlight=False)


@app.command("model")
def model(
    fetch: Annotated[bool, typer.Option("--fetch", help="Download all-MiniLM-L6-v2 (ONNX, 80 MB).")] = False,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Folder of a sentence-embedding model: ONNX, or safetensors + tokenizer."
        ),
    ] = None,
    remove_it: Annotated[bool, typer.Option("--remove", help="Go back to what the corpus teaches.")] = False,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a sentence-embedding model, which finds paraphrases; without options, say which one is used."""
    from knowledge.embedding import install_model, remove_model
    from knowledge.ingest import rebuild
    from knowledge.model_download import download_model

    directory = _directory(state)
    if sum((fetch, source is not None, remove_it)) > 1:
        fail("give one of --fetch, --from DIR and --remove")
    with _told(), _progress() as say:
        if source is not None:
            install_model(directory, source)
        elif fetch:
            with TemporaryDirectory() as temporary:
                install_model(directory, download_model(Path(temporary)))
        elif remove_it:
            remove_model(directory)
        else:
            _show_model(directory, as_json)
            return
        chunks = rebuild(directory, progress=say)
    if as_json:
        print_json({"passages": chunks})
        return
    console.print(f"{chunks} passages have new vectors.", highlight=False)


def _show_model(directory: Path, as_json: bool) -> None:
    from knowledge.embedding import installed_model

    found = installed_model(directory)
    if as_json:
        print_json({"model": found.name if found else None})
        return
    console.print(f"Vectors: {_vectors(found.name if found else '')}", highlight=False, soft_wrap=True)


def _directory(state: Path | None) -> Path:
    from smartgrid.settings import load_settings

    return load_settings(state=state).state / "knowledge"


def _local(source: str, state: Path | None) -> Path:
    """A path as it is; what an address names, downloaded beside the index."""
    if not source.startswith(("https://", "http://")):
        return Path(source)
    from urllib.parse import unquote, urlsplit

    from knowledge.fetching import download

    name = Path(unquote(urlsplit(source).path)).name or "document"
    folder = _directory(state) / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    part, target = (
        folder / f"{name}.part",
        folder / (name if name.lower().endswith(".pdf") else f"{name}.pdf"),
    )
    part.unlink(missing_ok=True)  # of an earlier version, perhaps
    download(source, part)
    part.replace(target)
    return target


@contextmanager
def _told() -> Iterator[None]:
    """Show what the user can mend as one line."""
    from knowledge.errors import KnowledgeError

    try:
        yield
    except KnowledgeError as error:
        fail(str(error))


@contextmanager
def _progress() -> "Iterator[Say]":
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def say(step: str, done: int, of: int) -> None:
            if step not in tasks:
                tasks[step] = shown.add_task(step, total=of)
            shown.update(tasks[step], completed=done, total=of)

        yield say


def _vectors(model_name: str) -> str:
    if model_name:
        return f"of the model {model_name}"
    return (
        "learnt from the corpus; paraphrases are found better with an embedding model:"
        " smartgrid knowledge model --fetch"
    )


def _outcome(outcome: "Outcome") -> dict[str, object]:
    return {
        "document": outcome.document,
        "status": outcome.status,
        "pages": outcome.pages,
        "chunks": outcome.chunks,
        "reason": outcome.reason,
    }


def _show_outcomes(outcomes: "tuple[Outcome, ...]") -> None:
    for outcome in outcomes:
        counts = f"{outcome.pages} pages, {outcome.chunks} passages" if outcome.chunks else ""
        parts = [part for part in (counts, outcome.reason) if part]
        console.print(
            f"{outcome.status}: {outcome.document}  {'; '.join(parts)}", markup=False, highlight=False
        )


def _passage(passage: "Passage") -> dict[str, object]:
    return {
        "document": passage.document,
        "pages": list(passage.pages),
        "citation": passage.citation,
        "score": passage.score,
        "text": passage.text,
        "standard": passage.standard,
        "requirement": passage.requirement,
        "section": list(passage.section),
        "status": passage.status,
    }


# Last, since that command is a module of its own.
from smartgrid.cli.knowledge_fetch import fetch  # noqa: E402

app.command("fetch")(fetch)

"""The tours: what README and docs tell to type works, line by line, for somebody who is new."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from grid.synthetic import training_series
from policies.limits import load_limits
from smartgrid.day.preparation import learn
from smartgrid.simulated_area import TZ
from tests.docs.snippets import files_in, pages, runs_in
from tests.docs.terminal import Reader, clone, newcomer
from tests.smartgrid.roles import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
TOURS = [
    page.relative_to(ROOT).as_posix() for page in pages(ROOT) if runs_in(page.read_text(encoding="utf-8"))
]
"""Every page that tells to type something."""
PROMISED = {
    "docs/tour.md": (
        "127.0.0.1:{port}/console/login#", "p50_change_kw", '"status": "pending_approval"',
        "is approved by", '"status": "accepted",\n  "asset": "peaker"', "entries; chain",
    ),
    "README.md": ("entries; chain",),
    "docs/operations.md": ("entries; chain",),
    "docs/how-to/own-limits.md": ("my-limits.yaml",),
    "docs/how-to/regulation-pdfs.md": ("BAL-002",),
}  # fmt: skip
"""What a reader must have seen."""
PORT = "8765"
DAYS = 6
"""Of the simulated area: enough for a model that forecasts, and quick to train."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as the first start of ``up`` trains it, on fewer days."""
    folder = tmp_path_factory.mktemp("model")
    learn(training_series()[:DAYS], tz=TZ, limits=load_limits(None)).save(folder)
    return folder


@pytest.fixture
def port() -> str:
    """Instead of the usual one: tests run side by side."""
    return str(free_port())


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    return clone(repository, tmp_path / "clone")


@pytest.fixture
def reader(folder: Path, port: str, model: Path, tmp_path: Path) -> Iterator[Reader]:
    """The loops only watch, so that the first request for an approval is the reader's."""
    shutil.copytree(model, tmp_path / "state" / "model")
    settings = {
        "SMARTGRID_STATE": str(tmp_path / "state"),
        "SMARTGRID_HTTP_PORT": port,
        "SMARTGRID_SHADOW": "true",
    }
    made = Reader(folder, newcomer(tmp_path / "home", **settings))
    yield made
    made.leave()


def said_by(page: str, repository: Path, folder: Path, reader: Reader, port: str) -> list[str]:
    """Write the page's files, type its blocks; what each of these said."""
    text = (repository / page).read_text("utf-8").replace(PORT, port)
    for name, content in files_in(text).items():
        (folder / name).write_text(content, encoding="utf-8")
    return [reader.follow(run) for run in runs_in(text)]


@pytest.mark.parametrize("page", TOURS)
def test_every_line_that_a_page_tells_to_type_works(
    page: str, repository: Path, folder: Path, reader: Reader, port: str
) -> None:
    said = "\n".join(said_by(page, repository, folder, reader, port))
    for promised in PROMISED.get(page, ()):
        assert promised.format(port=port) in said


def test_the_pages_that_lead_through_the_product_tell_to_type_something() -> None:
    assert set(PROMISED) <= set(TOURS)


def test_a_line_that_fails_fails_the_page(reader: Reader) -> None:
    (run,) = runs_in("<!-- run -->\n```sh\necho before\nfalse\necho after\n```\n")
    with pytest.raises(AssertionError, match="ended with 1") as raised:
        reader.follow(run)
    assert "before" in str(raised.value)
    assert "after" not in str(raised.value)

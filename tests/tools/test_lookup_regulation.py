from pathlib import Path

from knowledge.index import Passage, open_index
from tests.tools.small_grid import SmallGrid


class OneDocument:
    """An index that knows about frequency response alone."""

    def search(self, question: str, top: int) -> list[Passage]:
        known = [Passage("BAL-003.pdf", (4, 5), "BAL-003-2 R1, p. 4", 0.9 - n / 10, "text") for n in range(9)]
        return known[:top] if "frequency" in question else []


def test_passages_come_best_first_with_document_pages_and_citation(tmp_path: Path) -> None:
    grid = SmallGrid(tmp_path, knowledge=OneDocument())
    answer = grid.ask("lookup_regulation", question="What is the frequency response obligation?", top=2)
    nothing = grid.ask("lookup_regulation", question="How is the weather?")
    grid.close()
    assert (answer.found, answer.message) == (True, "")
    assert [(passage.document, passage.pages) for passage in answer.passages] == [("BAL-003.pdf", [4, 5])] * 2
    assert answer.passages[0].citation == "BAL-003-2 R1, p. 4"
    assert [passage.score for passage in answer.passages] == [0.9, 0.8]
    assert (nothing.found, nothing.passages) == (False, [])
    assert "reword the question" in nothing.message


def test_without_an_index_the_tool_says_so_and_names_the_official_sources(grid: SmallGrid) -> None:
    answer = grid.ask("lookup_regulation", question="BAL-003 R1")
    assert (answer.found, answer.passages) == (False, [])
    assert "no index" in answer.message
    assert "nerc.com" in answer.message


def test_a_fresh_directory_holds_no_index(tmp_path: Path) -> None:
    assert open_index(tmp_path) is None

"""Where the places that a question names are looked for."""

from knowledge.chunk import Chunk
from knowledge.identifiers import find_identifiers
from knowledge.places import Places


def under(*section: str) -> Chunk:
    return Chunk(
        document="a.pdf",
        name="CIP-777-3",
        title="Calm Operation",
        standard="CIP-777-3",
        order="",
        section=section,
        requirement="",
        parts=(),
        paragraph=None,
        footnotes=(),
        kind="text",
        pages=(1,),
        text="Criteria for the rating of assets.",
    )


def test_an_attachment_is_found_under_whichever_heading_names_it() -> None:
    first, second, other = ("Attachment 1", "Criteria"), ("C. Compliance", "Attachment 1"), ("Attachment 10",)
    found = Places([under(*first), under(*second), under(*other)]).find(find_identifiers("Attachment 1"))
    assert found.place.tolist() == [1.0, 1.0, 0.0]

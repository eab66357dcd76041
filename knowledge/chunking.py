"""Pages → chunks: blocks of one owner are packed together, long ones split, each with its pages."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from knowledge.chunk import Chunk
from knowledge.identity import Identity, identify
from knowledge.page_furniture import joined, vocabulary, without_furniture
from knowledge.pdf_lines import Line, PdfText
from knowledge.structure import Block, read_structure
from knowledge.structure_order import read_order_line
from knowledge.structure_other import read_other_line
from knowledge.structure_standard import read_standard_line

TARGET = 900
"""Characters up to which neighbours are packed: less loses context, more blurs the page."""
LONGEST = 1300
"""Characters beyond which one block is split."""
SHORTEST = 40
COMPANIONLESS = 150
"""Characters below which a block is not left alone if a neighbour can take it in."""
PART_ALONE = 300
"""Characters from which a part is not packed with the next."""
LEAD = 220
READERS = {"standard": read_standard_line, "order": read_order_line, "other": read_other_line}


def chunks_of(path: Path, pdf: PdfText) -> list[Chunk]:
    """All chunks of a document, in reading order.

    Args:
        path: of the PDF; its name becomes the document's.
        pdf: what was read of it.
    """
    pages = without_furniture(pdf.pages)
    identity = identify(path.name, pdf.title, pages)
    words = vocabulary(pages)
    blocks = [
        part for block in read_structure(identity, pages, READERS[identity.kind]) for part in _split(block)
    ]
    chunks: list[Chunk] = []
    lead: dict[str, str] = {}
    for group in _packed(blocks):
        text = "\n".join(joined(block.lines, words) for block in group)
        if len(text) < SHORTEST and not group[0].requirement and group[0].paragraph is None:
            continue
        first = group[0]
        if first.kind == "requirement" and first.requirement and not first.part:
            lead[first.requirement] = text[:LEAD]
        above = lead.get(first.requirement, "") if first.part and first.kind == "requirement" else ""
        chunks.append(_chunk(path.name, identity, group, text, above))
    return chunks


def _chunk(document: str, identity: Identity, group: Sequence[Block], text: str, lead: str) -> Chunk:
    first = group[0]
    return Chunk(
        document=document,
        name=identity.name,
        title=identity.title,
        standard=first.standard,
        order=identity.order,
        section=first.section,
        requirement=first.requirement,
        parts=tuple(dict.fromkeys(block.part for block in group if block.part)),
        paragraph=first.paragraph,
        footnotes=tuple(dict.fromkeys(block.footnote for block in group if block.footnote is not None)),
        kind=first.kind,
        pages=tuple(sorted({line.page for block in group for line in block.lines})),
        text=text,
        lead=lead,
    )


def _owner(block: Block) -> tuple[object, ...]:
    return (
        block.section,
        block.standard,
        block.requirement,
        block.kind,
        block.paragraph,
        _page_of_notes(block),
    )


def _page_of_notes(block: Block) -> int:
    return block.lines[0].page if block.footnote is not None else 0


def _packed(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    for _, same in groupby(blocks, key=_owner):
        held: list[Block] = []
        for block in same:
            if held and _parted(held, block):
                yield held
                held = []
            held.append(block)
        yield held


def _parted(held: Sequence[Block], block: Block) -> bool:
    """Whether a block begins a chunk of its own: at a new part (1.4), else where the chunk is full."""
    size = sum(map(_length, held))
    if size < COMPANIONLESS:
        return False
    new_part = block.kind == "requirement" and _outer(block.part) != _outer(held[-1].part)
    overleaf = new_part and block.lines[0].page > held[-1].lines[-1].page
    if overleaf or (new_part and size >= PART_ALONE):
        return True
    same_part = bool(block.part) and not new_part
    return size + _length(block) > (LONGEST if same_part else TARGET)


def _outer(part: str) -> str:
    """1.4 of 1.4.2."""
    return ".".join(part.split(".")[:2])


def _length(block: Block) -> int:
    return sum(len(line.text) + 1 for line in block.lines)


def _split(block: Block) -> Iterator[Block]:
    """A block that is too long, cut where a sentence ends with its line if there is such a place."""
    if _length(block) <= LONGEST:
        yield block
        return
    held: list[Line] = []
    pieces = -(-_length(block) // TARGET)
    least = _length(block) / pieces
    for line in block.lines:
        held.append(line)
        size = sum(len(other.text) + 1 for other in held)
        ends = line.text.rstrip().endswith((".", ";", ":", "or"))
        if size >= least and (ends or size >= LONGEST):
            yield _with_lines(block, held)
            held = []
    if held:
        yield _with_lines(block, held)


def _with_lines(block: Block, lines: Sequence[Line]) -> Block:
    return replace(block, lines=tuple(lines))

"""A chunk: the unit that is searched and cited."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["requirement", "measure", "severity", "guidance", "footnote", "front", "text"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of one document that belongs together.

    Attributes:
        document: file name.
        name: how the document is cited.
        title: of the document, in words.
        standard: with version; empty where the chunk belongs to none.
        order: number of the FERC order; empty where it is none.
        section: headings above it, outermost first.
        requirement: such as R1; empty where there is none.
        parts: such as 1.1, 1.2.
        paragraph: number of a FERC paragraph.
        footnotes: numbers of the footnotes in it.
        kind: what sort of text it is.
        pages: counted from 1.
        text: as printed, furniture taken away.
        lead: the sentence that it continues, for search alone.
    """

    document: str
    name: str
    title: str
    standard: str
    order: str
    section: tuple[str, ...]
    requirement: str
    parts: tuple[str, ...]
    paragraph: int | None
    footnotes: tuple[int, ...]
    kind: Kind
    pages: tuple[int, ...]
    text: str
    lead: str = ""

    @property
    def citation(self) -> str:
        """How to quote it."""
        place = (
            self.name if not self.standard or self.standard in self.name else f"{self.name}: {self.standard}"
        )
        if self.requirement:
            place += f" {'M' + self.requirement[1:] if self.kind == 'measure' else self.requirement}"
        if self.parts:
            place += f" {self.parts[0]}" + (f"–{self.parts[-1]}" if len(self.parts) > 1 else "")
        if self.paragraph is not None:
            place += f" ¶ {self.paragraph}"
        if self.footnotes:
            first, last = self.footnotes[0], self.footnotes[-1]
            place += f" n. {first}" + (f"–{last}" if last > first else "")
        if (
            self.section
            and (self.paragraph is None)
            and not (self.requirement and self.kind == "requirement")
        ):
            place += f", {self.section[-1]}"
        first_page, last_page = self.pages[0], self.pages[-1]
        return f"{place}, " + (
            f"p. {first_page}" if first_page == last_page else f"pp. {first_page}–{last_page}"
        )

    @property
    def indexed(self) -> str:
        """What search reads: names and headings first, so that a short document is found by its title."""
        above = " ".join((self.name, self.title, *self.section, self.requirement, *self.parts, self.lead))
        return f"{above}\n{self.text}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Chunk":
        """From JSON, where tuples are lists."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
        }
        return cls(**plain)

"""Identifiers of the trade, in documents and in questions: CIP-010-4 R1 1.4, Order No. 1920, ¶ 57, § 50.4."""

import re
from dataclasses import dataclass

STANDARD = re.compile(
    r"\b(BAL|CIP|COM|EOP|FAC|INT|IRO|MOD|NUC|PER|PRC|TOP|TPL|VAR)[-\s]?(\d{3})"
    r"((?:-(?:WECC|SERC|NPCC|TRE|RF|MRO|SPP|FRCC|RFC)\b(?:-\w{2,4}\b)?)?)(?:-(\d+(?:\.\d+)*(?:\([ivx]+\))?[a-z]?))?(?![\w-]*\d)",
    re.IGNORECASE,
)
ORDER = re.compile(r"\bOrder(?:\s+No\.?|\s+Number|\s+#)?\s*(\d{3,4}(?:-[A-Z])?)\b", re.IGNORECASE)
REQUIREMENT = re.compile(
    r"\b(?:(?:Requirement\s+|Req\.?\s+)?([RM])\s?|Requirement\s+(?=\d{1,2}\b(?!\.\d)))"
    r"(\d{1,2})(?:\.(\d{1,2}(?:\.\d{1,2})*))?\b",
    re.IGNORECASE,
)
PART = re.compile(r"(?<![\d.$,-])(\d{1,2}(?:\.\d{1,2}){1,4})(?![\d%]|\.\d)")
PARAGRAPH = re.compile(r"(?:¶+|\bP(?:P)?\b|\bpara(?:graph)?s?\.?)\s*(\d{1,4})\b(?!,\d)", re.IGNORECASE)
REPORTER = re.compile(r"\b(\d{2,3})\s+FERC\s*¶\s*(\d{2},\d{3})", re.IGNORECASE)
CFR_SECTION = re.compile(r"(?:§+|\b(?:18\s+)?CFR)\s*(\d{1,3}\.\d{1,3})((?:\([a-z0-9]+\))*)", re.IGNORECASE)
SECTION = re.compile(
    r"(?:§+|\bsection|\b(?:18\s+)?CFR)\s*(\d{1,3}\.\d{1,3})((?:\([a-z0-9]+\))*)", re.IGNORECASE
)
DOCKET = re.compile(r"\b((?:RM|ER|EL|AD|RD|RR)\d{2}-\d{1,4}(?:-\d{3})?)\b", re.IGNORECASE)
FOOTNOTE = re.compile(r"\b(?:footnote|fn\.?|n\.)\s?(\d{1,4})\b", re.IGNORECASE)
ATTACHMENT = re.compile(r"\b(attachment|appendix)\s+(\d{1,2}|[A-H]\b)", re.IGNORECASE)
SECTION_NUMBER = re.compile(r"\bsection\s+(\d{1,2}(?:\.\d{1,2})*)(?![\d.]*\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What a question names exactly.

    Attributes:
        standards: upper case, with the version where one is given.
        orders: numbers of FERC orders.
        requirements: such as R1; a measure counts as its requirement.
        parts: such as 1.4.
        paragraphs: numbers after ¶.
        sections: of the Code of Federal Regulations, such as 50.4.
        footnotes: numbers.
        attachments: such as "attachment 1".
        numbered: numbers of sections, such as 3 of "Section 3".
        cited: reporter citations and dockets, as printed.
        measure: whether a measure was named.
        rest: the question without them.
    """

    standards: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    paragraphs: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    numbered: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    measure: bool = False
    rest: str = ""

    @property
    def names_document(self) -> bool:
        """Whether a document is named."""
        return bool(self.standards or self.orders or self.cited)

    @property
    def names_place(self) -> bool:
        """Whether a place within a document is named."""
        return bool(
            self.requirements or self.parts or self.paragraphs or self.sections or self.footnotes
            or self.attachments or self.numbered
        )  # fmt: skip


def standard_of(match: re.Match[str]) -> str:
    """The standard of a match, in the form CIP-007-6."""
    family, number, region, version = match.groups()
    return f"{family.upper()}-{number}{region.upper()}" + (f"-{version}" if version else "")


def same_standard(named: str, standard: str) -> bool:
    """Whether ``standard`` is the one named; a name without a version fits all versions."""
    return standard == named or standard.startswith(f"{named}-")


def find_identifiers(question: str) -> Identifiers:
    """Take a question's identifiers out of it."""
    rest = question
    found: dict[str, list[str]] = {}

    def take(kind: str, pattern: re.Pattern[str], form: "type[str] | object") -> None:
        nonlocal rest
        for match in pattern.finditer(rest):
            found.setdefault(kind, []).append(form(match))  # type: ignore[operator]
        rest = pattern.sub(" ", rest)

    measure = bool(re.search(r"\bM\s?\d{1,2}\b", rest))
    take("standards", STANDARD, standard_of)
    take("cited", REPORTER, lambda m: f"{m[1]} FERC ¶ {m[2]}")
    take("cited", DOCKET, lambda m: m[1].upper())
    take("orders", ORDER, lambda m: m[1].upper())
    take("sections", CFR_SECTION if "standards" in found else SECTION, lambda m: m[1])
    take("attachments", ATTACHMENT, lambda m: f"{m[1]} {m[2]}".lower())
    take("numbered", SECTION_NUMBER, lambda m: m[1])
    take("paragraphs", PARAGRAPH, lambda m: m[1])
    take("footnotes", FOOTNOTE, lambda m: m[1])
    dotted = [f"{int(match[2])}.{match[3]}" for match in REQUIREMENT.finditer(rest) if match[3]]
    take("requirements", REQUIREMENT, lambda m: f"R{int(m[2])}")
    take("parts", PART, lambda m: m[1])
    found["parts"] = dotted + found.get("parts", [])
    return Identifiers(
        **{kind: tuple(dict.fromkeys(some)) for kind, some in found.items()}, measure=measure, rest=rest
    )

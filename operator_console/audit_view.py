"""The newest entries of the audit, as a page shows them; whether they hold is the verification's word."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dispatch.audit_log import AuditEntry, entries
from dispatch.errors import DispatchError
from operator_console.errors import SourceError
from operator_console.source import ConsoleSource

ENTRIES_SHOWN = 60
LONGEST_TEXT = 300
NOT_FOR_PEOPLE = frozenset({"effect_hash", "idempotency_key"})
"""They bind an entry to its cause; the export has them."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One entry, for people; the time as it is stored, since what was tampered with may be none."""

    seq: int
    at: str
    kind: str
    actor: str
    text: str


def newest_lines(source: ConsoleSource) -> list[AuditLine]:
    """The newest entries, the newest first.

    Raises:
        SourceError: when the ledger cannot be read.
    """
    try:
        with source.ledger.reading() as connection:
            found = entries(connection, last=ENTRIES_SHOWN)
    except DispatchError as error:
        raise SourceError(str(error)) from error
    return [
        AuditLine(entry.seq, entry.at, entry.kind.replace("_", " "), entry.actor, _text(entry))
        for entry in reversed(found)
    ]


def _text(entry: AuditEntry) -> str:
    content = entry.content
    text = ", ".join(_flat(content)) if isinstance(content, Mapping) else entry.payload
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _word(item: object) -> str:
    """An item of a list; of a guardrail's finding its quote."""
    return f"({item['quote']})" if isinstance(item, Mapping) and "quote" in item else str(item)


def _flat(content: Mapping[str, object]) -> Iterator[str]:
    """Names with their values, those of nested content after the plain ones; what is empty is left out."""
    nested = {name: value for name, value in content.items() if isinstance(value, Mapping)}
    for name, value in content.items():
        if name in NOT_FOR_PEOPLE or name in nested or value in (None, [], ""):
            continue
        yield f"{name} {' '.join(map(_word, value)) if isinstance(value, list) else value}"
    for value in nested.values():
        yield from _flat(value)

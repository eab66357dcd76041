"""Which standard is in force when: facts in our own words, from NERC's and FERC's public notices (2025-11).

The table in ``data/standards.csv`` holds the standards and orders that matter to this product, no others;
the authority is nerc.com and the Federal Register.
"""

import csv
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Literal

Status = Literal["in force", "not yet in force", "superseded", "pending approval"]

_STANDARD = re.compile(r"\b([A-Z]{3})[-\s]?(\d{3})(?:-(\d[\w.]*(?:\([ivx]+\))?))?(?![\w-])", re.IGNORECASE)
_ORDER = re.compile(r"\bORDER\s+(?:NO\.?\s*)?(\d{3,4}(?:-[A-Z])?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StandardStatus:
    """A standard, or an order, as it stands on a day.

    Attributes:
        standard: with its version, such as CIP-007-6, or FERC Order No. 841.
        title: in words.
        status: on that day.
        effective_from: first day in force; None while it awaits approval.
        inactive_from: first day no longer in force; None when none is set.
        replaced_by: the version that follows, if one does.
    """

    standard: str
    title: str
    status: Status
    effective_from: date | None
    inactive_from: date | None
    replaced_by: str | None

    @property
    def words(self) -> str:
        """One sentence for people."""
        if self.status == "pending approval":
            return f"{self.standard}: filed, awaits approval"
        if self.status == "not yet in force":
            return f"{self.standard}: in force from {self.effective_from}"
        if self.status == "superseded":
            follows = f", follow {self.replaced_by}" if self.replaced_by else ""
            return f"{self.standard}: no longer in force since {self.inactive_from}{follows}"
        ends = f", until {self.inactive_from}" if self.inactive_from else ""
        return f"{self.standard}: in force since {self.effective_from}{ends}"


@dataclass(frozen=True, slots=True)
class _Row:
    number: str
    title: str
    effective_from: date | None
    inactive_from: date | None
    replaced_by: str | None

    def on(self, day: date) -> StandardStatus:
        """This row as it stands on a day."""
        status: Status = "in force"
        if self.effective_from is None:
            status = "pending approval"
        elif day < self.effective_from:
            status = "not yet in force"
        elif self.inactive_from is not None and day >= self.inactive_from:
            status = "superseded"
        return StandardStatus(
            self.number, self.title, status, self.effective_from, self.inactive_from, self.replaced_by
        )


def status_of(standard: str, on: date | None = None) -> StandardStatus | None:
    """How a standard or an order stands.

    Args:
        standard: such as ``CIP-007-6``, ``BAL-003`` (its version in force) or ``FERC Order No. 841``.
        on: the day; today (UTC) when None.

    Returns:
        None for one that is not in the table.
    """
    day = on or datetime.now(UTC).date()
    name = _named(standard)
    if name is None:
        return None
    if (row := _table().get(name.upper())) is not None:
        return row.on(day)
    versions = [row.on(day) for row in _table().values() if row.number.upper().startswith(f"{name.upper()}-")]
    return next((version for version in versions if version.status == "in force"), None)


def known_standards() -> tuple[str, ...]:
    """The numbers in the table, as they are cited."""
    return tuple(row.number for row in _table().values())


def _named(text: str) -> str | None:
    """The form that the table uses."""
    if found := _ORDER.search(text):
        return f"FERC Order No. {found[1].upper()}"
    if found := _STANDARD.search(text):
        family, number, version = found.groups()
        return f"{family.upper()}-{number}" + (f"-{version}" if version else "")
    return None


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


@cache
def _table() -> dict[str, _Row]:
    text = (files("knowledge") / "data" / "standards.csv").read_text(encoding="utf-8")
    return {
        row["number"].upper(): _Row(
            row["number"],
            row["title"],
            _day(row["effective_from"]),
            _day(row["inactive_from"]),
            row["replaced_by"] or None,
        )
        for row in csv.DictReader(text.splitlines())
    }

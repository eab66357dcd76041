"""Guardrail findings as they are kept in the ledger."""

from collections.abc import Iterable

from policies.verdict import Finding


def to_json(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """As JSON content."""
    return [
        {"rule": item.rule, "quote": item.quote, "effect": item.effect, "power_kw": item.power_kw}
        for item in findings
    ]


def from_json(content: Iterable[dict[str, object]]) -> tuple[Finding, ...]:
    """Back from JSON content."""
    return tuple(Finding(**item) for item in content)  # type: ignore[arg-type]

"""Times as people type them."""

from datetime import UTC, datetime

from smartgrid.errors import ScenarioError


def moment(text: str, option: str) -> datetime:
    """An ISO time; UTC where it names no zone.

    Raises:
        ScenarioError: for anything else.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ScenarioError(f"{option} {text!r} is no ISO time; write it like 2020-11-15T00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found

"""What requests and answers are made of: the bases of their models, and fields that many have."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from grid.units import require_utc


def _usable_utc(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2200:
        raise ValueError("give a year from 1970 to 2200")
    return require_utc(value, "time")


def _no_bare_number(value: Any) -> Any:
    """pydantic takes a number for seconds since 1970: "2024" would be half an hour past its midnight."""
    with suppress(OverflowError):
        try:
            float(value)
        except (TypeError, ValueError):
            return value
    raise ValueError("give ISO-8601 with an offset, such as 2026-01-31T12:00:00Z")


UtcTime = Annotated[AwareDatetime, BeforeValidator(_no_bare_number), AfterValidator(_usable_utc)]
"""A moment: ISO-8601 with an offset at the edge (a naive one or a number is refused), UTC inside."""

SiteName = Annotated[str, Field(description="metered site", min_length=1, max_length=100)]


class ToolInput(BaseModel):
    """Base of every tool's input: unknown fields, NaN, infinities and true as a number are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[info.field_name or ""].annotation
        kinds = (kind, *get_args(kind))
        if isinstance(value, bool) and bool not in kinds and (int in kinds or float in kinds):
            raise ValueError("true and false are no numbers; give a number")
        return value


class ToolOutput(BaseModel):
    """Base of every tool's output: what is missing is None, never NaN and never 0."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

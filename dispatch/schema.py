"""The ledger's tables. Times are UTC, stored as ISO text of fixed width, so that text order is time order."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from grid.units import require_utc


def utc_text(moment: datetime) -> str:
    """An aware moment as UTC text of fixed width."""
    return require_utc(moment, "ledger time").isoformat(timespec="microseconds")


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime as ``2026-03-01T12:00:00.000000+00:00``."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect, /) -> str | None:
        """To text; a naive time is an error."""
        return None if value is None else utc_text(value)

    def process_result_value(self, value: str | None, _dialect: Dialect, /) -> datetime | None:
        """From text."""
        return None if value is None else datetime.fromisoformat(value).astimezone(UTC)


metadata = MetaData()

proposals = Table(
    "proposals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("requester", String(200), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("tool", String(200), nullable=False),
    Column("effect_hash", String(64), nullable=False),
    Column("idempotency_key", String(200), nullable=False),
    Column("asset", String(20), nullable=False),
    Column("asked_kw", Float, nullable=False),
    Column("power_kw", Float, nullable=False),
    Column("lower_kw", Float, nullable=False),
    Column("upper_kw", Float, nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("expected_effect", Text, nullable=False),
    Column("expected_cost_usd", Float),
    Column("forecast_issued_at", String(40)),
    Column("event_id", String(200)),
    Column("approval_id", ForeignKey("approvals.id")),
    Column("findings", JSON, nullable=False),
    # LIVE, then one of EXPIRED, SUPERSEDED, WITHDRAWN
    Column("state", String(12), nullable=False),
    UniqueConstraint("requester", "idempotency_key"),
    Index("proposals_live", "state", "ends_at"),
    Index("proposals_rate", "requester", "starts_at"),
    sqlite_autoincrement=True,
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("effect_hash", String(64), nullable=False),
    Column("requester", String(200), nullable=False),
    Column("tool", String(200), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("asset", String(20), nullable=False),
    Column("power_kw", Float, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("expected_effect", Text, nullable=False),
    Column("expected_cost_usd", Float),
    Column("event_id", String(200)),
    Column("forecast_issued_at", String(40)),
    Column("findings", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    # PENDING, then APPROVED, DENIED or EXPIRED; APPROVED, then CONSUMED or EXPIRED
    Column("state", String(12), nullable=False),
    Column("decided_by", String(200)),
    Column("decided_at", UtcTime),
    Column("decision_reason", Text),
    Column("same_person", Boolean, nullable=False, default=False),
    Index("approvals_hash", "effect_hash", "state"),
    sqlite_autoincrement=True,
)

dispatches = Table(
    "dispatches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("battery_kw", Float, nullable=False),
    Column("peaker_kw", Float, nullable=False),
    Column("battery_proposals", JSON, nullable=False),
    Column("peaker_proposals", JSON, nullable=False),
    Column("event_ids", JSON, nullable=False),
    Column("rules", JSON, nullable=False),
    # INTENT, then APPLIED (receipt), or after a crash: RECONCILED (the device has it) or NOT_APPLIED
    Column("state", String(12), nullable=False),
    Column("receipt_at", UtcTime),
    Index("dispatches_at", "at"),
    sqlite_autoincrement=True,
)

asset_readings = Table(
    "asset_readings",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1: the latest
    Column("at", UtcTime, nullable=False),
    Column("battery_setpoint_kw", Float, nullable=False),
    Column("peaker_setpoint_kw", Float, nullable=False),
    Column("soc_kwh", Float, nullable=False),
    Column("battery_kw", Float, nullable=False),
    Column("charged_kwh", Float, nullable=False),
    Column("discharged_kwh", Float, nullable=False),
    Column("cell_discharged_kwh", Float, nullable=False),
    Column("peaker_kw", Float, nullable=False),
    Column("peaker_on", Boolean, nullable=False),
    Column("peaker_in_state_s", Float, nullable=False),
    Column("peaker_starts", Integer, nullable=False),
    Column("generated_kwh", Float, nullable=False),
    Column("price_usd_per_mwh", Float),
    Column("day", String(10), nullable=False),
    Column("cell_discharged_today_kwh", Float, nullable=False),
    Column("starts_today", Integer, nullable=False),
    Column("spent_today_usd", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", String(64), nullable=False),
)

flags = Table(
    "flags",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", JSON, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("expires_wall_s", Float, nullable=False),
)

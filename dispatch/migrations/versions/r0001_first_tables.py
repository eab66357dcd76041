"""The ledger's tables as the first versions made them, when there were no steps yet."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("effect_hash", sa.String(64), nullable=False),
        sa.Column("requester", sa.String(200), nullable=False),
        sa.Column("tool", sa.String(200), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("asset", sa.String(20), nullable=False),
        sa.Column("power_kw", sa.Float(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expected_effect", sa.Text(), nullable=False),
        sa.Column("expected_cost_usd", sa.Float()),
        sa.Column("event_id", sa.String(200)),
        sa.Column("forecast_issued_at", sa.String(40)),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("decided_by", sa.String(200)),
        sa.Column("decided_at", sa.String(32)),
        sa.Column("decision_reason", sa.Text()),
        sa.Column("same_person", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("approvals_hash", "approvals", ["effect_hash", "state"])
    op.create_table(
        "asset_readings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("battery_setpoint_kw", sa.Float(), nullable=False),
        sa.Column("peaker_setpoint_kw", sa.Float(), nullable=False),
        sa.Column("soc_kwh", sa.Float(), nullable=False),
        sa.Column("battery_kw", sa.Float(), nullable=False),
        sa.Column("charged_kwh", sa.Float(), nullable=False),
        sa.Column("discharged_kwh", sa.Float(), nullable=False),
        sa.Column("cell_discharged_kwh", sa.Float(), nullable=False),
        sa.Column("peaker_kw", sa.Float(), nullable=False),
        sa.Column("peaker_on", sa.Boolean(), nullable=False),
        sa.Column("peaker_in_state_s", sa.Float(), nullable=False),
        sa.Column("peaker_starts", sa.Integer(), nullable=False),
        sa.Column("generated_kwh", sa.Float(), nullable=False),
        sa.Column("price_usd_per_mwh", sa.Float()),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("cell_discharged_today_kwh", sa.Float(), nullable=False),
        sa.Column("starts_today", sa.Integer(), nullable=False),
        sa.Column("spent_today_usd", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "dispatches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("battery_kw", sa.Float(), nullable=False),
        sa.Column("peaker_kw", sa.Float(), nullable=False),
        sa.Column("battery_proposals", sa.JSON(), nullable=False),
        sa.Column("peaker_proposals", sa.JSON(), nullable=False),
        sa.Column("event_ids", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("receipt_at", sa.String(32)),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("dispatches_at", "dispatches", ["at"])
    op.create_table(
        "flags",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("expires_wall_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("requester", sa.String(200), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("tool", sa.String(200), nullable=False),
        sa.Column("effect_hash", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(200), nullable=False),
        sa.Column("asset", sa.String(20), nullable=False),
        sa.Column("asked_kw", sa.Float(), nullable=False),
        sa.Column("power_kw", sa.Float(), nullable=False),
        sa.Column("lower_kw", sa.Float(), nullable=False),
        sa.Column("upper_kw", sa.Float(), nullable=False),
        sa.Column("starts_at", sa.String(32), nullable=False),
        sa.Column("ends_at", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expected_effect", sa.Text(), nullable=False),
        sa.Column("expected_cost_usd", sa.Float()),
        sa.Column("forecast_issued_at", sa.String(40)),
        sa.Column("event_id", sa.String(200)),
        sa.Column("approval_id", sa.Integer()),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("requester", "idempotency_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("proposals_live", "proposals", ["state", "ends_at"])
    op.create_index("proposals_rate", "proposals", ["requester", "starts_at"])

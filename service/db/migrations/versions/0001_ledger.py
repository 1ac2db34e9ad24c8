"""Accounts, apps, packs and the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["account.id"], name=op.f("fk_account_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_index("ix_account_parent_id", "account", ["parent_id"], unique=False)

    op.create_table(
        "usage_hour",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("failed_images", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("body_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "app_id", "capability", "code", name=op.f("pk_usage_hour")),
    )
    op.create_index("ix_usage_hour_account", "usage_hour", ["account_id", "hour"], unique=False)

    op.create_table(
        "usage_record",
        sa.Column("call_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("line", sa.SmallInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("pack_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("first_unit", sa.BigInteger(), nullable=True),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("failed_images", sa.Integer(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("body_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("client_ip", sa.String(length=45), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "line", name=op.f("pk_usage_record")),
        postgresql_partition_by="RANGE (call_id)",
    )
    if op.get_bind().dialect.name == "postgresql":
        # Housekeeping creates the partitions of days ahead; rows outside of them (wrong clock) go to the default one.
        op.execute("CREATE TABLE usage_record_default PARTITION OF usage_record DEFAULT")
    op.create_index("ix_usage_record_meter", "usage_record", ["account_id", "capability", "seq"], unique=False)

    op.create_table(
        "access_key",
        sa.Column("ak", sa.String(length=32), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_access_key_account_id")),
        sa.PrimaryKeyConstraint("ak", name=op.f("pk_access_key")),
    )
    op.create_index("ix_access_key_account_id", "access_key", ["account_id"], unique=False)

    op.create_table(
        "app",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=15), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("appkey", sa.String(length=32), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sm2_public_key", sa.String(length=128), nullable=False),
        sa.Column("sealed_sm2_key", sa.LargeBinary(), nullable=False),
        sa.Column("extras", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_app_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app")),
        sa.UniqueConstraint("appkey", name=op.f("uq_app_appkey")),
    )
    op.create_index("ix_app_account_id", "app", ["account_id"], unique=False)
    op.create_index(
        "uq_app_name_live",
        "app",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )

    op.create_table(
        "meter",
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("archived_lines", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_meter_account_id")),
        sa.PrimaryKeyConstraint("account_id", "capability", name=op.f("pk_meter")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "app_allowed",
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("network", sa.String(length=43), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=op.f("fk_app_allowed_app_id")),
        sa.PrimaryKeyConstraint("app_id", "capability", "network", name=op.f("pk_app_allowed")),
    )
    op.create_table(
        "app_capability",
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("qps", sa.Double(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("qps > 0", name=op.f("ck_app_capability_qps")),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=op.f("fk_app_capability_app_id")),
        sa.PrimaryKeyConstraint("app_id", "capability", name=op.f("pk_app_capability")),
    )
    op.create_table(
        "pack",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("app_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("capability", sa.String(length=16), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("archived", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("exhausted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state = 'active' OR used = 0", name=op.f("ck_pack_refunded_unused")),
        sa.CheckConstraint("(used = total) = (exhausted_at IS NOT NULL)", name=op.f("ck_pack_exhausted")),
        sa.CheckConstraint("0 <= used AND used <= total", name=op.f("ck_pack_used")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_pack_validity")),
        sa.CheckConstraint("total > 0", name=op.f("ck_pack_total")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_pack_account_id")),
        sa.ForeignKeyConstraint(["app_id"], ["app.id"], name=op.f("fk_pack_app_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_pack_account", "pack", ["account_id", "capability", "ordered_at", "id"], unique=False)
    op.create_index(
        "ix_pack_usable",
        "pack",
        ["account_id", "capability", "ordered_at", "id"],
        unique=False,
        sqlite_where=sa.text("exhausted_at IS NULL AND state = 'active'"),
        postgresql_where=sa.text("exhausted_at IS NULL AND state = 'active'"),
    )

    op.create_table(
        "audit_event",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index("ix_audit_event_account", "audit_event", ["account_id", "at"], unique=False)
    op.create_index("ix_audit_event_at", "audit_event", ["at"], unique=False)
    _append_only("audit_event")


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )

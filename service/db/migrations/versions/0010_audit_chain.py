"""The audit trail as a chain of hashes: origin, result and names of an event, its place in the chain, checkpoints.

It only adds. Rows of the release before have no hash until the audit keeper adopts them; the triggers allow that one
change, and the deletion of rows up to an archive checkpoint.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FIXED = ("id", "at", "actor", "action", "subject", "account_id", "detail")
ADDED = ("result", "surface", "address", "session", "subject_name", "account_name")


def upgrade() -> None:
    for name, kind in (
        ("sequence", sa.BigInteger()),
        ("result", sa.String(length=8)),
        ("surface", sa.String(length=8)),
        ("address", sa.String(length=64)),
        ("session", sa.String(length=64)),
        ("subject_name", sa.String(length=120)),
        ("account_name", sa.String(length=64)),
        ("previous_hash", sa.String(length=80)),
        ("hash", sa.String(length=80)),
    ):
        op.add_column("audit_event", sa.Column(name, kind, nullable=True))
    op.create_index("uq_audit_event_sequence", "audit_event", ["sequence"], unique=True)
    _tables()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgres()


def _tables() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("algorithm", sa.String(length=8), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=80), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoint")),
    )
    op.create_table(
        "audit_key",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.String(length=128), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_key")),
    )
    op.create_table(
        "audit_cursor",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_cursor")),
    )


def _guard_sqlite() -> None:
    for change in ("update", "delete"):
        op.execute(f"DROP TRIGGER audit_event_no_{change}")
    for statement in sqlite_triggers():
        op.execute(statement)


def sqlite_triggers() -> list[str]:
    """The statements that make the triggers of SQLite."""
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in FIXED + ADDED)
    return [
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event "
        f"WHEN NOT (OLD.hash IS NULL AND NEW.hash IS NOT NULL AND NEW.sequence IS NOT NULL AND {same}) "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END",
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event "
        "WHEN NOT (coalesce(OLD.sequence <= "
        "(SELECT max(sequence) FROM audit_checkpoint WHERE kind = 'archive'), 0)) "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END",
        *(
            f"CREATE TRIGGER audit_checkpoint_no_{change.lower()} BEFORE {change} ON audit_checkpoint "
            "BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END"
            for change in ("UPDATE", "DELETE")
        ),
    ]


def _guard_postgres() -> None:
    columns = [f"{name}::text" if name == "detail" else name for name in FIXED + ADDED]
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("NEW", "OLD"))
    op.execute(
        "CREATE FUNCTION audit_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608
        "IF TG_OP = 'DELETE' THEN "
        "IF OLD.sequence <= (SELECT max(sequence) FROM audit_checkpoint WHERE kind = 'archive') "
        "THEN RETURN OLD; END IF; "
        "ELSIF OLD.hash IS NULL AND NEW.hash IS NOT NULL AND NEW.sequence IS NOT NULL "
        f"AND ROW({new}) IS NOT DISTINCT FROM ROW({old}) THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION 'audit_event is append-only'; END $$"
    )
    op.execute("DROP TRIGGER audit_event_append_only ON audit_event")
    op.execute(
        "CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event "
        "FOR EACH ROW EXECUTE FUNCTION audit_event_guard()"
    )
    op.execute(
        "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )
    op.execute(
        "CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoint "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
    )

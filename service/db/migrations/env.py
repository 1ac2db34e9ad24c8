"""Alembic's entry. `inkgate.service.db.migrate` opens the connection, takes the lock, and hands it in."""

from __future__ import annotations

from alembic import context

from inkgate.service.db.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,  # the names of constraints come from it; tables are of no use to a migration
    render_as_batch=True,  # SQLite cannot alter a table in place
    transactional_ddl=False,  # the caller's transaction spans all steps, on SQLite too
)
context.run_migrations()

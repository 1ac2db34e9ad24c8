"""Alembic environment. `inkgate.service.db.migrate` opens the connection, takes the lock, and passes it in."""

from __future__ import annotations

from alembic import context

from inkgate.service.db.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,  # for its naming convention; migrations do not use its tables
    render_as_batch=True,  # SQLite cannot alter a table in place
    transactional_ddl=False,  # the caller's transaction spans all steps, on SQLite too
)
context.run_migrations()

"""Queries stand in repositories: services, pages and commands call functions and build no statement themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkgate import service

SERVICE = Path(service.__file__).parent
PACKAGES = ("db", "metering")
"""Packages that may query anywhere: the shared helpers, and the ledger, whose statements are its subject."""

HARMLESS = {
    "sqlalchemy": {"MetaData"},
    "sqlalchemy.ext.asyncio": {"AsyncConnection", "AsyncEngine", "AsyncSession"},
    "sqlalchemy.exc": {"ArgumentError", "SQLAlchemyError"},
    "sqlalchemy.engine": {"make_url"},
    "sqlalchemy.pool": {"QueuePool"},
}
"""What any module may import of SQLAlchemy: types for annotations, errors, and what never makes a statement."""

QUERIES = {
    *("execute", "exec_driver_sql", "stream", "stream_scalars", "scalar", "scalars"),
    *("get", "get_one", "add", "add_all", "merge", "delete"),
}
"""Methods of a session or a connection that read or write rows."""

BOUNDARIES = {"begin", "begin_nested", "commit", "rollback"}


def is_repository(path: Path) -> bool:
    return path.stem == "repository" or path.stem.endswith("_repository")


def may_query(path: Path) -> bool:
    return is_repository(path) or path.stem.rpartition("_")[2] == "models" or path.parts[0] in PACKAGES


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SERVICE.rglob("*.py")):
        yield path.relative_to(SERVICE), ast.parse(path.read_text("utf-8"))


def statements(tree: ast.AST) -> Iterator[str]:
    """What in a module makes or runs a statement: imports from SQLAlchemy, and calls on sessions and connections."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.partition(".")[0] == "sqlalchemy")
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy":
            allowed = HARMLESS.get(node.module or "", set())
            yield from (f"{node.module}.{each.name}" for each in node.names if each.name not in allowed)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in QUERIES:
            receiver = ast.unparse(node.func.value).rpartition(".")[2].strip("_")
            if receiver in ("session", "connection"):
                yield f"{receiver}.{node.func.attr}()"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import sqlalchemy as sa", "sqlalchemy"),
        ("from sqlalchemy import select", "sqlalchemy.select"),
        ("from sqlalchemy.dialects import postgresql", "sqlalchemy.dialects.postgresql"),
        ("from sqlalchemy.orm import aliased", "sqlalchemy.orm.aliased"),
        ("async def f(work): await work.session.scalar(query)", "session.scalar()"),
        ("async def f(self): await self._session.get(Row, 1)", "session.get()"),
        ("async def f(connection): await connection.execute(query)", "connection.execute()"),
    ],
)
def test_a_statement_is_seen(code: str, found: str) -> None:
    assert list(statements(ast.parse(code))) == [found]


def test_types_and_errors_are_no_statements() -> None:
    imports = "from sqlalchemy.exc import SQLAlchemyError\nfrom sqlalchemy.ext.asyncio import AsyncSession\n"
    code = imports + "async def f(work): await work.session.flush()"
    assert list(statements(ast.parse(code))) == []


def test_queries_stand_in_repositories_only() -> None:
    faults = {str(path): found for path, tree in modules() if not may_query(path) and (found := list(statements(tree)))}
    assert faults == {}, "move these into the repository of the package that owns the table"


def test_repositories_leave_the_transaction_to_their_callers() -> None:
    repositories = [(path, tree) for path, tree in modules() if is_repository(path)]
    assert len(repositories) >= 6
    for path, tree in repositories:
        called = {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & BOUNDARIES, path

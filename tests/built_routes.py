"""Routes that FastAPI has built once in a test process, for all applications of one kind."""

from __future__ import annotations

from fastapi import FastAPI

_FIRST: dict[str, FastAPI] = {}  # by title


def with_built_routes(app: FastAPI) -> FastAPI:
    """`app`, which uses the routes of the first application of its title.

    At its first request an application analyses the signatures of all included routes: 0.1 s of CPU time for the
    console and for the admin API, in each test that makes one. Routes know nothing of the application's state.
    """
    first = _FIRST.setdefault(app.title, app)
    assert len(app.router.routes) == len(first.router.routes), "applications of one title with different routes"
    app.router.routes = first.router.routes
    return app

"""The pages, one file a subject. Each has a view-model function, which a test calls alone, and its routes."""

from __future__ import annotations

from fastapi import APIRouter

from inkgate.service.console.pages import (
    apps,
    bills,
    buying,
    callers,
    capabilities,
    entrance,
    keys,
    monitor,
    operator_accounts,
    operator_ledger,
    operator_orders,
    operator_system,
    operator_workers,
    overview,
    reference,
    refunding,
    single,
    tryit,
)

PAGES: tuple[APIRouter, ...] = tuple(
    page.router
    for page in (
        entrance,
        single,
        overview,
        callers,
        capabilities,
        apps,
        monitor,
        tryit,
        buying,
        refunding,
        bills,
        keys,
        reference,
        operator_accounts,
        operator_orders,
        operator_ledger,
        operator_system,
        operator_workers,
    )
)

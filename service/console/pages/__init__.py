"""The pages, one module per subject. Each has a view-model function, which tests call directly, and its routes."""

from __future__ import annotations

from fastapi import APIRouter

from inkgate.service.console.pages import (
    apps,
    bills,
    callers,
    capabilities,
    expenses,
    keys,
    members,
    monitor,
    notices,
    operator_accounts,
    operator_audit,
    operator_import,
    operator_ledger,
    operator_money,
    operator_orders,
    operator_system,
    operator_takeover,
    operator_users,
    operator_workers,
    overview,
    payment,
    purchase,
    reference,
    refunds,
    second_factor,
    sessions,
    sign_in,
    single_sign_on,
    try_it,
)

PAGES: tuple[APIRouter, ...] = tuple(
    page.router
    for page in (
        sign_in,
        single_sign_on,
        second_factor,
        sessions,
        members,
        overview,
        callers,
        capabilities,
        apps,
        monitor,
        try_it,
        purchase,
        payment,
        refunds,
        bills,
        expenses,
        notices,
        keys,
        reference,
        operator_accounts,
        operator_users,
        operator_import,
        operator_orders,
        operator_money,
        operator_ledger,
        operator_audit,
        operator_system,
        operator_workers,
        operator_takeover,
    )
)

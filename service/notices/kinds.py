"""The kinds of notice, the channels, and the thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Value = str | int | float | None


class Kind(StrEnum):
    """What a notice is about."""

    LOW_BALANCE = "low_balance"  # few units left of a capability, or few days at the present rate
    PACK_EXPIRING = "pack_expiring"  # packs with units left end soon
    ORDER_WAITING = "order_waiting"  # an order waits for an operator
    REFUND_WAITING = "refund_waiting"  # a refund waits for an operator
    WORKERS_DOWN = "workers_down"  # no worker is alive
    CERTIFICATE_ENDING = "certificate_ending"
    LEDGER_FAILED = "ledger_failed"  # packs and ledger entries disagree
    HEADS_FAILED = "heads_failed"  # the ledger is not the one whose ends the audit trail has recorded
    HEADS_WAITING = "heads_waiting"  # more ends of the ledger moved than one round records
    AUDIT_FAILED = "audit_failed"  # the verification of the audit trail failed
    TEST = "test"  # sent by hand, to try a channel


CUSTOMER_KINDS = (Kind.LOW_BALANCE, Kind.PACK_EXPIRING)
OPERATOR_KINDS = tuple(kind for kind in Kind if kind is not Kind.TEST)


class ChannelKind(StrEnum):
    """How a channel sends."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    WECOM = "wecom"  # 企业微信
    DINGTALK = "dingtalk"  # 钉钉
    FEISHU = "feishu"  # 飞书


class State(StrEnum):
    """The state of a notice in the outbox."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"  # the last attempt failed
    CANCELLED = "cancelled"  # the condition ended, or the channel was removed, before it was sent


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When an account's balance is low (at most `low_percent` of its valid units or `low_days` at the present rate
    left; 0 switches that rule off) and how many days before its end a pack is announced (0 never)."""

    low_percent: int
    low_days: int
    expiry_days: int


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds now. `key` is the same in every round while it holds; `params` are values for its text."""

    key: str
    kind: Kind
    account_id: str | None
    params: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Found:
    """The conditions of the kinds in `kinds`; those of other kinds are unknown in this round."""

    conditions: tuple[Condition, ...]
    kinds: frozenset[Kind]
    read_at: datetime

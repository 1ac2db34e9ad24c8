"""Validation of names, networks and rates (manual 4.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network

from inkgate.service.contract.app_names import APP_NAME
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import Misuse

KEY_ID = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{15,63}")
"""An AK or AppKey: ours have 32 hex digits, those of other issuers 16 to 64 characters."""

ACCOUNT_NAME_LENGTH = 64
DESCRIPTION_LENGTH = 500
NETWORKS_PER_LIST = 100
MAX_QPS = 100_000.0


def app_name(name: str) -> str:
    """The name, if it follows the manual's rule. Raises Misuse otherwise.

    The rule: 4-15 characters, 汉字, Latin letters, digits and underscores, beginning with a letter or 汉字.
    """
    if APP_NAME.fullmatch(name) is None:
        raise Misuse("app.name_invalid", name=name)
    return name


def account_name(name: str) -> str:
    """The name without blanks around it. Raises Misuse when it is empty, too long or has control characters."""
    name = name.strip()
    if not name or len(name) > ACCOUNT_NAME_LENGTH or not name.isprintable():
        raise Misuse("account.name_invalid", most=ACCOUNT_NAME_LENGTH)
    return name


def storable(text: str) -> bool:
    """Whether all databases accept a text: no NUL (Postgres), no lone surrogates."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def capability(name: str) -> str:
    """The name, if the capability exists. Raises Misuse otherwise."""
    if name not in CAPABILITIES:
        raise Misuse("capability.unknown", capability=name, choices=tuple(CAPABILITIES))
    return name


def networks(texts: Iterable[str]) -> list[str]:
    """Addresses and CIDRs in canonical form, without repeats. Raises Misuse for what is neither or too many."""
    found: dict[str, None] = {}
    for text in texts:
        try:
            if "%" in text:
                raise ValueError("the zone of a link-local address is not supported")
            found[str(ip_network(text.strip(), strict=False))] = None
        except ValueError:
            raise Misuse("network.invalid", network=text) from None
    if len(found) > NETWORKS_PER_LIST:
        raise Misuse("network.limit", most=NETWORKS_PER_LIST)
    return list(found)


def qps(rate: float | None) -> float | None:
    """The rate, None for the default of the installation. Raises Misuse when it is out of range."""
    if rate is not None and not 0 < rate <= MAX_QPS:
        raise Misuse("qps.out_of_range", most=MAX_QPS)
    return rate

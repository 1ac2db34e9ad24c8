"""The client address of a request behind proxies."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from inkgate.service.accounts.directory import Network
from inkgate.service.errors import ConfigurationError

Address = IPv4Address | IPv6Address


def parse_networks(cidrs: Iterable[str]) -> tuple[Network, ...]:
    """The trusted proxies of the settings. Raises ConfigurationError."""
    try:
        return tuple(ip_network(cidr, strict=False) for cidr in cidrs)
    except ValueError as error:
        raise ConfigurationError(
            "INKGATE_SERVER__TRUSTED_PROXIES", str(error), 'Give CIDRs, e.g. ["10.0.0.0/8"].'
        ) from None


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_ip(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str:
    """The last address in `X-Forwarded-For` that is not a trusted proxy, else the peer.

    A client may send any list, to which the trusted proxies append, so it is read from the right.
    """
    hops = [peer, *reversed(forwarded.split(","))] if forwarded else [peer]
    for hop in hops:
        address = _address(hop)
        if address is None:
            break
        found = str(address)
        if not in_networks(found, trusted):
            return found
    return peer if _address(peer) is None else found


def in_networks(ip: str, networks: Iterable[Network]) -> bool:
    """Whether `ip` lies in any of the networks."""
    address = _address(ip)
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )

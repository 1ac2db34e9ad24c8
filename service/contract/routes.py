"""From a request path to a capability (CONTRACT section 1)."""

from __future__ import annotations

from inkgate.service.contract.capabilities import CAPABILITIES, PREFIX, Capability
from inkgate.service.errors import Refused, RequestFault


def _key(path: str) -> str:
    # The manual writes both IdentityCard and identityCard; no other segment may vary in case.
    return "/".join("identitycard" if part.lower() == "identitycard" else part for part in path.split("/"))


_BY_PATH = {_key(path): capability for capability in CAPABILITIES.values() for path in capability.paths}
_BY_SERVICE = {path[len(PREFIX) :].split("/")[0]: c for c in CAPABILITIES.values() for path in c.paths}


def find(path: str) -> tuple[Capability | None, Capability | None]:
    """The capability that `path` spells exactly, and the one whose service id it begins with."""
    service = path[len(PREFIX) :].split("/")[0] if path.startswith(PREFIX) else ""
    return _BY_PATH.get(_key(path)), _BY_SERVICE.get(service)


def resolve(path: str, method: str) -> Capability:
    """The capability called by this method and path.

    Raises RequestFault for a wrong path or method where the capability's own table has a row for it (general,
    ID card), else Refused 50001 (unknown service), 50003 (wrong path) or 40008 (wrong method).
    """
    capability, owner = find(path)
    if owner is None:
        raise Refused(50001)
    if capability is None:
        raise RequestFault(owner.name, "path") if "path" in owner.faults else Refused(50003)
    if method != "POST":
        raise RequestFault(owner.name, "method") if "method" in owner.faults else Refused(40008)
    return capability

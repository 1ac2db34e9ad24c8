"""Routes a request path to a capability (CONTRACT section 1)."""

from __future__ import annotations

from inkgate.service.contract.capabilities import CAPABILITIES, PREFIX, Capability
from inkgate.service.contract.registry import service_id
from inkgate.service.errors import Refused, RequestFault

_CASE_INSENSITIVE_SEGMENTS = frozenset(
    segment for capability in CAPABILITIES.values() for segment in capability.case_insensitive_segments
)


def _key(path: str) -> str:
    """The path with its case-insensitive segments in lower case."""
    return "/".join(part.lower() if part.lower() in _CASE_INSENSITIVE_SEGMENTS else part for part in path.split("/"))


_BY_PATH = {_key(path): capability for capability in CAPABILITIES.values() for path in capability.paths}
_BY_SERVICE = {service_id(path): c for c in CAPABILITIES.values() for path in c.paths}


def match_path(path: str) -> tuple[Capability | None, Capability | None]:
    """The capability with exactly this path, and the capability with its service id."""
    service = service_id(path) if path.startswith(PREFIX) else ""
    return _BY_PATH.get(_key(path)), _BY_SERVICE.get(service)


def resolve(path: str, method: str) -> Capability:
    """The capability called by this method and path.

    Raises RequestFault for a wrong path or method where the capability's own table has a row for it, else Refused 50001
    (unknown service), 50003 (wrong path) or 40008 (wrong method).
    """
    capability, owner = match_path(path)
    if owner is None:
        raise Refused(50001)
    if capability is None:
        raise RequestFault(owner.name, "path") if "path" in owner.faults else Refused(50003)
    if method != "POST":
        raise RequestFault(owner.name, "method") if "method" in owner.faults else Refused(40008)
    return capability

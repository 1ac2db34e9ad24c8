"""The parts list of the environment that runs this, as CycloneDX 1.6 on stdout: TARGET/bin/python deploy/parts.py

Needs nothing but the standard library, since it runs wherever the service is installed. The same environment gives the
same list, octet for octet.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from importlib import metadata

NAMESPACE = uuid.UUID("6f2e2a8e-1d5c-5c0e-9f0b-0d5f4a8f7c11")


def component(found: metadata.Distribution) -> dict[str, object]:
    """One installed package."""
    name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
    reference = f"pkg:pypi/{name}@{found.version}"
    part: dict[str, object] = {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": found.version,
        "purl": reference,
    }
    licence = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    if licence and len(licence) < 80:  # some packages put the whole text there
        part["licenses"] = [{"license": {"name": licence}}]
    return part


def document() -> dict[str, object]:
    """All packages by name, without the service itself."""
    parts = {str(part["name"]): part for part in map(component, metadata.distributions())}
    service = {**parts.pop("inkgate"), "type": "application"}
    listed = [parts[name] for name in sorted(parts)]
    serial = uuid.uuid5(NAMESPACE, json.dumps([service, listed], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": service},
        "components": listed,
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    print()

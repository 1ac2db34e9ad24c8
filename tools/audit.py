"""Check the pinned packages for known vulnerabilities with pip-audit.

python -m tools.audit constraints.txt tools/locks/*.txt

Exit status 1 when a vulnerability is known. The database is public; when it cannot be reached, for example from a
closed network, a message is printed and the exit status is 0, or 1 with `--must`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PIP_AUDIT = Path(sys.executable).with_name("pip-audit")


def query_vulnerabilities(pins: list[str]) -> list[dict[str, Any]] | None:
    """The entries of pip-audit for the pins; None when the database cannot be reached."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins) + "\n")
        file.flush()
        options = ["--format", "json", "--progress-spinner", "off", "--disable-pip", "--no-deps"]
        ran = subprocess.run([PIP_AUDIT, *options, "--requirement", file.name], capture_output=True, text=True)
    try:
        found: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "locks", type=Path, nargs="+", help="files with NAME==VERSION lines; each pin is asked for once"
    )
    parser.add_argument("--must", action="store_true", help="fail when the database cannot be reached")
    options = parser.parse_args()
    lines = [line for path in options.locks for line in path.read_text().splitlines()]
    pins = sorted({line.rstrip(" \\") for line in lines if re.match(r"[^\s#].*==", line)})
    first = query_vulnerabilities(pins[:1])  # fail fast without network access
    found = query_vulnerabilities(pins) if first and "vulns" in first[0] else None
    if found is None:
        print("audit: the vulnerability database cannot be reached from here; nothing was audited")
        return int(options.must)
    vulnerable = [
        (package["name"], package["version"], [entry["id"] for entry in package["vulns"]])
        for package in found
        if package.get("vulns")
    ]
    unknown = [package["name"] for package in found if "vulns" not in package]
    for name, version, identifiers in vulnerable:
        print(f"audit: {name} {version}: {', '.join(identifiers)}")
    if unknown:
        print(f"audit: not in the database: {', '.join(unknown)}")
    print(f"audit: {len(found)} packages, {len(vulnerable)} with known vulnerabilities")
    return int(bool(vulnerable))


if __name__ == "__main__":
    sys.exit(main())

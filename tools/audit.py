"""Known vulnerabilities of the pinned packages, by pip-audit: python -m tools.audit constraints.txt

Ends with 1 when one is known. The database is public and may be out of reach, in a closed network for one: then it says
so and ends with 0, since nothing is known to be wrong; `--must` makes that a failure as well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PIP_AUDIT = Path(sys.executable).with_name("pip-audit")


def ask(pins: list[str]) -> list[dict[str, Any]] | None:
    """What is known of each pin; None when the database gives no answer."""
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
    parser.add_argument("constraints", type=Path)
    parser.add_argument("--must", action="store_true", help="fail when the database is out of reach")
    options = parser.parse_args()
    pins = [line for line in options.constraints.read_text().splitlines() if "==" in line]
    first = ask(pins[:1])  # one question before a hundred
    found = ask(pins) if first and "vulns" in first[0] else None
    if found is None:
        print("audit: the vulnerability database cannot be reached from here; nothing was audited")
        return int(options.must)
    bad = [(each["name"], each["version"], [v["id"] for v in each["vulns"]]) for each in found if each.get("vulns")]
    unknown = [each["name"] for each in found if "vulns" not in each]
    for name, version, names in bad:
        print(f"audit: {name} {version}: {', '.join(names)}")
    if unknown:
        print(f"audit: not in the database: {', '.join(unknown)}")
    print(f"audit: {len(found)} packages, {len(bad)} with known vulnerabilities")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

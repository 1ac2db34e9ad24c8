"""Prints a lock file as Linux on ARM64 with Debian 12's Python takes it.

python -m tests.operations.arm64_lock LOCK ABSENT

Entries whose marker is false there are left out, and those that the regular expression ABSENT matches.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement

PLATFORM = {
    "sys_platform": "linux",
    "platform_machine": "aarch64",
    "python_version": "3.11",
    "python_full_version": "3.11.2",
    "implementation_name": "cpython",
}


def entries(lock: str, absent: str) -> list[str]:
    """The entries of a lock file for that platform, with their hashes and without markers."""
    found = []
    for entry in re.findall(r"(?m)^(\S.*(?:\n .*)*)", lock):
        head, _, hashes = entry.partition("\\\n")
        requirement = Requirement(head.strip())
        applies = requirement.marker is None or requirement.marker.evaluate(PLATFORM)
        if applies and not re.fullmatch(absent, requirement.name):
            found.append(f"{requirement.name}{requirement.specifier} \\\n{hashes}")
    return found


if __name__ == "__main__":
    print("\n".join(entries(Path(sys.argv[1]).read_text(), sys.argv[2])))

"""Fresh Debian root filesystems, made by debootstrap."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Older debootstraps have no script for newer suites; all are the same. "": its default archive.
_ARCHIVE = ("", "/usr/share/debootstrap/scripts/sid")


def debian(root: Path, suite: str, packages: Sequence[str], architecture: str = "") -> Path:
    """A minimal Debian with `packages` in the new folder `root`, for another `architecture` (arm64) with its emulation.

    Raises AssertionError when it cannot be made.
    """
    assert shutil.which("debootstrap"), "debootstrap is missing; on Debian: apt-get install debootstrap"
    options = ["--variant=minbase", *([f"--arch={architecture}"] if architecture else [])]
    command = ["debootstrap", *options, f"--include={','.join(packages)}", suite, str(root), *_ARCHIVE]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return root

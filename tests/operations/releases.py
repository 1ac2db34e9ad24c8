"""The code of earlier releases, from this repository's history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inkgate.service.db import migrate
from tests.operations.page import ROOT


def git(*arguments: str) -> bytes:
    """The output of a git command in this repository."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def unpacked(commit: str, folder: Path) -> Path:
    """The code of a commit, in `folder`. Skips the test when this copy's history does not reach it."""
    try:
        subprocess.run(["tar", "-x", "-C", str(folder)], input=git("archive", commit), check=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{commit} is not in this copy's history: {error.stderr.decode().strip()}")
    return folder


def release_before(folder: Path) -> Path:
    """The code before the newest migration came to this line of history, in `folder`.

    Side branches are left out: a migration is renumbered when they are merged, and has another revision there.
    """
    (newest,) = (migrate.MIGRATIONS / "versions").glob(f"{migrate.head()}_*.py")
    path = str(newest.resolve().relative_to(ROOT))
    added = git("log", "-1", "--first-parent", "-m", "--diff-filter=A", "--format=%H", "--", path)
    return unpacked(f"{added.decode().strip()}^", folder)

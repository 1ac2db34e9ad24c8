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
    """The code before the newest migration, in `folder`."""
    (newest,) = (migrate.MIGRATIONS / "versions").glob(f"{migrate.head()}_*.py")
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", str(newest.resolve().relative_to(ROOT)))
    return unpacked(f"{added.decode().strip()}^", folder)

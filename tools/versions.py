"""The version of the product in files that cannot read it: the one in service/__init__.py decides.

`make reference` writes it into these files, and `python -m tools.reference --check` (part of `make docs`) fails where
one differs. A new release changes `__version__`, runs `make reference`, and records its chart with
`python -m tests.chart.test_upgrade`.
"""

from __future__ import annotations

import re
from pathlib import Path

from inkgate.service import __version__

ROOT = Path(__file__).resolve().parent.parent
_NUMBER = r"\d+\.\d+\.\d+"
# Files, and what stands before the version in them. Other numbers of such a file are left alone.
PLACES: dict[str, str] = {
    "clients/python/pyproject.toml": r'^version = "',
    "deploy/airgap/images.txt": r"^inkgate/[\w-]+:",
    "deploy/compose.yaml": r"\$\{INKGATE_VERSION:-",
    "deploy/init.sh": r"INKGATE_VERSION=",
    "docs/howto/install-airgap.md": r"inkgate/[\w-]+:|chart/inkgate-",
    "docs/howto/install-kubernetes.md": r"inkgate/\$target:",
    "docs/howto/install-one-host.md": r"/opt/inkgate-",
    "helm/inkgate/Chart.yaml": r'^version: |^appVersion: "',
}


def with_version(text: str, before: str, version: str = __version__) -> str:
    """`text` with `version` behind each match of the pattern `before`. Raises ValueError when there is none."""
    changed, places = re.subn(rf"(?P<before>{before}){_NUMBER}", rf"\g<before>{version}", text, flags=re.MULTILINE)
    if not places:
        raise ValueError(f"no version behind {before}")
    return changed


def versioned_files() -> dict[Path, str]:
    """The expected content of every file in PLACES."""
    return {
        ROOT / name: with_version((ROOT / name).read_text(encoding="utf-8"), before) for name, before in PLACES.items()
    }

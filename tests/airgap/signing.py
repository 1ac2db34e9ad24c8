"""A key pair of the maker of a bundle, as docs/howto/install-airgap.md has it made."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Key:
    """The files of a pair (PEM)."""

    private: Path
    public: Path

    @classmethod
    def make(cls, folder: Path) -> Key:
        """A new pair on the curve P-256 in `folder`."""
        made = cls(folder / "bundle.key", folder / "bundle.pub")
        curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        subprocess.run(["openssl", "genpkey", *curve, "-out", str(made.private)], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", str(made.private), "-pubout", "-out", str(made.public)], check=True)
        return made

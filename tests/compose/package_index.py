"""How a build on this machine reaches its package index."""

from __future__ import annotations

import os
import subprocess
import sys


def package_index() -> tuple[dict[str, str], list[str]]:
    """How this machine reaches its package index, as pip's environment, and the certificate files that this names.

    Indexes in folders of this machine are left out: a build elsewhere would not have them.
    """
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    known = {"index-url", "cert", "trusted-host", "default-timeout", "timeout", "retries", "proxy"}
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        if option in known:
            found.setdefault(f"PIP_{option.upper().replace('-', '_')}", value.strip("'"))
    found |= {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return found, [found["PIP_CERT"]] if "PIP_CERT" in found else []

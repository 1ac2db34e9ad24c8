"""An OCR engine in a child process: it reads image paths and answers with text lines and cost (adapters/_loop.py)."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ADAPTERS = Path(__file__).with_name("adapters")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass
class Child:
    """The process of one engine. `environment` is added to that of this process."""

    name: str
    command: list[str]
    child: subprocess.Popen[str] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        environment = {**os.environ, **ONE_THREAD, **self.environment}
        self.child = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def read(self, image: Path) -> dict[str, Any]:
        assert self.child is not None and self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(f"{image}\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: the child process died on {image.name}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        if self.child is not None and self.child.stdin is not None:
            self.child.stdin.close()
            self.child.wait(timeout=30)

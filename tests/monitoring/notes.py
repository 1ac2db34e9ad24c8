"""What `helm install` prints at its end, performed; what kubectl would run in a pod runs on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from tools import ops_tools

CHART = Path(__file__).resolve().parents[2] / "helm" / "inkgate"
_KUBECTL = """#!{python}
import os, sys
if "exec" in sys.argv:
    command = [word.replace("{folder}/body", "{folder}/pod/body") for word in sys.argv[sys.argv.index("--") + 1:]]
    os.execvp(command[0], command)
"""


def steps() -> list[str]:
    """The commands of each numbered step."""
    values = str(CHART / "ci" / "default-values.yaml")
    done = subprocess.run(
        [str(ops_tools.helm()), "install", "ink", str(CHART), "--dry-run=client", "--namespace", "ocr", "-f", values],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    notes = done.stdout.split("\nNOTES:\n")[1].split("\nBack up")[0]
    command = re.compile(r"^   (?:kubectl|export|printf|  ).*\n", re.MULTILINE)
    return ["".join(command.findall(step)) for step in re.split(r"(?m)^\d\. ", notes)][1:]


class Operator:
    """Pastes steps into a shell; `settings` are what the pods of the gateway have."""

    def __init__(self, folder: Path, image: bytes, **settings: str) -> None:
        self._folder = folder
        (folder / "pod").mkdir()
        (folder / "image.jpg").write_bytes(image)
        (folder / "kubectl").write_text(_KUBECTL.format(python=sys.executable, folder=folder))
        (folder / "kubectl").chmod(0o755)
        self._environment = {
            **os.environ,
            **{f"INKGATE_{name}": value for name, value in settings.items()},
            "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def paste(self, step: str, **gaps: str) -> str:
        """The output of a step, its gaps filled in, its /tmp in our folder."""
        script = textwrap.dedent(step).replace("/tmp/body.json", f"{self._folder}/body.json")
        for gap, value in gaps.items():
            script = re.sub(rf"\b{gap}=\S+", f"{gap}={value}", script, count=1)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

"""A separate machine: a fresh Debian with systemd, booted in namespaces by systemd-nspawn, with no network but lo."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import IO

import psutil

NSPAWN = (
    "systemd-nspawn",
    "--quiet",
    "--register=no",
    "--keep-unit",
    "--private-network",
    "--machine=inkgate",
    "--boot",
)
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
_END = "end-of-command"


class Shell:
    """A shell that runs one command at a time; commands and output are recorded in the transcript."""

    def __init__(self, prompt: str, command: list[str], transcript: IO[str], **options: object) -> None:
        self._prompt, self._transcript = prompt, transcript
        self._process = subprocess.Popen(  # type: ignore[call-overload]
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )

    def type(self, command: str) -> str:
        """Run one command and return its output. Raises AssertionError when it fails or ends the shell."""
        self._transcript.write(f"{self._prompt} {command}\n")
        begun = time.monotonic()
        print(command, file=self._process.stdin, flush=True)
        print(f"printf '\\n{_END} %s\\n' $?", file=self._process.stdin, flush=True)
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_END):
                output = "".join(lines).removesuffix("\n")
                self._transcript.write(output + ("\n" if output and not output.endswith("\n") else ""))
                self._transcript.write(f"({time.monotonic() - begun:.1f} s)\n")
                self._transcript.flush()
                assert line.split()[1] == "0", f"{command}\n{output}"
                return output
            lines.append(line)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(lines)}")

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


class Machine:
    """Boots `root`; `shell` is root's."""

    def __init__(self, root: Path, transcript: IO[str]) -> None:
        for program in ("systemd-nspawn", "nsenter"):
            assert shutil.which(program), f"{program} is missing; on Debian: apt-get install systemd-container"
        assert os.geteuid() == 0, "booting a machine needs root"
        self._boot = subprocess.Popen(
            [*NSPAWN, f"--directory={root}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._init = self._first_process()
        self._enter = [
            "nsenter",
            f"--target={self._init}",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--cgroup",
            "--root",
            "--wd",
            "env",
            "-i",
            *(f"{name}={value}" for name, value in ENVIRONMENT.items()),
        ]
        self._wait_until_up()
        self.shell = Shell("#", [*self._enter, "/bin/bash", "-c", "cd && exec /bin/bash --norc"], transcript)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command outside the shell; it is not in the transcript."""
        return subprocess.run([*self._enter, *command], capture_output=True, text=True)

    def _first_process(self) -> int:
        for _ in range(200):
            children = psutil.Process(self._boot.pid).children() if self._boot.poll() is None else []
            for child in children:
                if child.name() == "systemd":
                    return int(child.pid)
            if self._boot.poll() is not None:
                break
            time.sleep(0.05)
        self._boot.kill()
        said = self._boot.stdout.read().decode(errors="replace") if self._boot.stdout else ""
        raise AssertionError(f"the machine did not boot: {said[-2000:]}")

    def _wait_until_up(self) -> None:
        for _ in range(240):
            state = self.run("systemctl", "is-system-running").stdout.strip()
            if state in ("running", "degraded"):
                return
            time.sleep(0.25)
        self._boot.kill()
        raise AssertionError(f"the machine is still {state}")

    def end(self) -> None:
        """Shut down through systemd."""
        self.shell.close()
        self._boot.terminate()
        try:
            self._boot.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._boot.kill()
            self._boot.communicate()

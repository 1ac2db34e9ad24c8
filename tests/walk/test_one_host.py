"""docs/howto/install-one-host.md alone, as a new operator follows it: installation, a signed call, the console through
TLS, then an upgrade. The seconds of each step are in the transcript.

Every command is the page's. What the operator brings is what the page asks for: Debian with the packages it names, an
image, and the keys copied from the commands' own output. The transcript is left in build/walk-one-host.txt.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from inkgate.service.samples import sample
from tests.debian import debian
from tests.walk.machine import Machine, Shell

pytestmark = [pytest.mark.ops, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[2]
TRANSCRIPT = ROOT / "build" / "walk-one-host.txt"
_BLOCK = re.compile(r'^```bash(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(page: str, start: str, end: str) -> list[tuple[str, str]]:
    """(title, commands) of the blocks between two headings of a page in docs/howto."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    return _BLOCK.findall(text[text.index(f"\n## {start}") : text.index(f"\n## {end}")])


PAGE = blocks("install-one-host", "不用容器", "compose")


def commands(block: str) -> list[str]:
    """The commands of a block, with continuation lines joined."""
    return re.findall(r"(?:.*\\\n)*.+", block)


def source_tree(folder: Path) -> Path:
    """The files of this repository, as a checkout elsewhere would have them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():  # src/inkgate has links to folders
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder


@pytest.fixture
def transcript() -> Iterator[IO[str]]:
    TRANSCRIPT.parent.mkdir(exist_ok=True)
    with TRANSCRIPT.open("w") as file:
        yield file
    print(TRANSCRIPT)


@pytest.fixture
def machine(tmp_path: Path, transcript: IO[str]) -> Iterator[Machine]:
    """A host with the packages that the page requires, the release folder of its first step, and an image."""
    (_, install), (_, outside), *_ = PAGE
    tree = source_tree(tmp_path / "source")
    builder = Shell("$", ["/bin/bash", "--norc"], transcript, cwd=tree)
    for command in commands(outside):
        builder.type(command)
    builder.close()

    needed = install.removeprefix("apt-get install ").split()
    packages = ("python3", "python3-venv", "ca-certificates", "systemd", "systemd-sysv", "dbus", *needed)
    root = debian(tmp_path / "machine", "bookworm", packages)
    for folder in ("inkgate-release", "inkgate-next"):  # the next release, as far as an upgrade's commands can tell
        shutil.copytree(tree / "inkgate-release", root / "root" / folder)
    (root / "root" / "image.jpg").write_bytes(sample("general"))
    transcript.write(f"\n(a fresh Debian 12 with {' '.join(needed)}; no network; the folder copied to /root)\n\n")
    started = Machine(root, transcript)
    try:
        yield started
    finally:
        started.end()
        for folder in ("source", "machine"):  # two gigabytes, of which pytest would keep three
            shutil.rmtree(tmp_path / folder)


class Operator:
    """Types the commands of blocks, with the keys it was given and its own image where the page leaves a gap."""

    def __init__(self, shell: Shell) -> None:
        self._shell, self._filled = shell, {"image.jpg": "/root/image.jpg"}

    def type(self, block: str) -> str:
        """The output of a block."""
        said = ""
        for command in commands(block):
            for gap, value in self._filled.items():
                command = command.replace(gap, value)
            said += self._shell.type(command) + "\n"
        for name, value in re.findall(r"^(AK|SK|APPKEY)=(\S+)$", said, re.MULTILINE):
            self._filled[f" {name}=…"] = f" {name}={value}"
        return said


def test_install_signed_call_and_upgrade(machine: Machine) -> None:
    assert machine.run("ls", "/sys/class/net").stdout.split() == ["lo"]
    operator = Operator(machine.shell)
    said = [operator.type(block) for title, block in PAGE[2:] if not title.startswith("没有 systemd")]
    install, *_, ready, keys, call, _doctor, public, console = said
    assert "files are whole" in install
    assert '"status":"ok"' in ready.replace(" ", "")
    assert "APPKEY=" in keys
    for answer in (call, public):
        assert '"statusCode":0' in answer
        assert "图书馆开放通知" in answer
    assert "<title>" in console
    sign_in(machine, "admin", re.search(r"^PASSWORD=(\S+)$", console, re.MULTILINE)[1])
    machine.shell.type("cd /root/inkgate-next")
    ((_, upgrade),) = [found for found in blocks("upgrade", "一台主机", "compose") if found[0]]
    operator.type(upgrade)
    assert machine.run("readlink", "/opt/inkgate").stdout == "/opt/inkgate-1.1.0\n"
    assert "图书馆开放通知" in operator.type(PAGE[-4][1].split("\n", 1)[1])
    assert machine.run("systemctl", "is-enabled", "inkgate").stdout == "enabled\n"


def sign_in(machine: Machine, login: str, password: str) -> None:
    """Sign in to the console through nginx, as a browser does: the answer leads to the change of the password."""
    browser = ("curl", "--insecure", "-fsS", "--cookie", "/root/cookies", "--cookie-jar", "/root/cookies")
    page = machine.run(*browser, "https://127.0.0.1/console/login").stdout
    token = re.search(r'name="csrf" value="([^"]+)"', page)
    assert token, page[-2000:]
    form = {"csrf": token[1], "login": login, "password": password}
    fields = [option for name, value in form.items() for option in ("--data-urlencode", f"{name}={value}")]
    where = ("--location", "--write-out", "\n%{http_code} %{url_effective}")
    done = machine.run(*browser, *where, *fields, "https://127.0.0.1/console/login")
    assert done.stdout.endswith("\n200 https://127.0.0.1/console/password"), done.stdout[-2000:]

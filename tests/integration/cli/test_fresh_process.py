"""The first commands of an operator, each in a process of its own, where a missing import shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def inkgate(folder: Path, *arguments: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "INKGATE_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/ink.db"}
    done = subprocess.run(
        [sys.executable, "-m", "inkgate.service.cli", *arguments], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def test_from_nothing_to_a_paid_app(tmp_path: Path) -> None:
    inkgate(tmp_path, "migrate")
    assert "AK=" in inkgate(tmp_path, "account", "create", "我的公司")
    assert "APPKEY=" in inkgate(tmp_path, "app", "create", "我的公司", "扫描前台")
    inkgate(tmp_path, "app", "open", "扫描前台")
    inkgate(tmp_path, "pack", "grant", "我的公司", "general", "100000")
    assert "100,000" in inkgate(tmp_path, "pack", "list", "我的公司")
    assert "sound" in inkgate(tmp_path, "ledger", "verify")


def test_commands_on_the_database_do_not_import_the_web_framework() -> None:
    """It takes two thirds of the CPU time of a short command."""
    program = (
        "import sys; from inkgate.service.cli import account, admin, apps, migrate, pack, usage;"
        "print(sorted({'fastapi', 'starlette', 'httpx'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")

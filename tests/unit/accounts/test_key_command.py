"""Master keys from a program: bounded in time and output, without a shell, with one line for every fault."""

from __future__ import annotations

import base64
import os
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from inkgate.service.accounts import vault as vaults
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Database, Security

NOWHERE = Database(url="postgresql+asyncpg://localhost/none")
KEYS = [new_key(), new_key()]
PRINTED = "\n".join(base64.b64encode(key).decode() for key in KEYS)


def load(*command: str, seconds: float = 10.0, **more: object) -> Vault:
    security = Security(master_key_command=command, master_key_command_seconds=seconds, **more)  # type: ignore[arg-type]
    return vaults.load(security, NOWHERE)


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def test_keys_are_what_it_prints() -> None:
    vault = load(*python(f"print({PRINTED!r})"), cipher="sm4-gcm")
    assert vault.current == vaults.key_id(KEYS[0]) and vault.has_key(vaults.key_id(KEYS[1]))
    assert vault.head[:1] == vaults.SM4


def test_it_gets_no_shell_no_input_and_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKGATE_DATABASE__URL", "postgresql://user:password@host/db")
    monkeypatch.setenv("KMS_REGION", "cn-east")
    code = (
        "import os, sys; assert not [n for n in os.environ if n.startswith('INKGATE_')]; "
        "assert os.environ['KMS_REGION'] == 'cn-east' and sys.stdin.read() == ''; "
        f"assert sys.argv[1] == '$HOME; echo x'; print({PRINTED!r})"
    )
    assert load(*python(code), "$HOME; echo x").current == vaults.key_id(KEYS[0])


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("/no/such/program",), "cannot run /no/such/program (No such file or directory)"),
        (("/",), "cannot run / (Permission denied)"),
        (("bad\0name",), "arguments cannot be passed"),
        (
            python("import sys; print('the token has ended', file=sys.stderr); sys.exit(3)"),
            "status 3: the token has ended",
        ),
        (python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"), "ended with status -15"),
        (python("print('not a key')"), "not base64 of 32 bytes"),
        (python("pass"), "not base64 of 32 bytes"),
        (python("print('钥匙')"), "other than base64"),
        (python("while True: print('x' * 4096)"), "printed more than 16384 bytes"),
    ],
)
def test_each_fault_is_one_line(command: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(*command)
    assert raised.value.setting == "INKGATE_SECURITY__MASTER_KEY_COMMAND"
    assert problem in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_a_flood_of_errors_does_not_block_it() -> None:
    code = f"import sys; sys.stderr.write('x' * 10**6); print({PRINTED!r})"
    assert load(*python(code)).current == vaults.key_id(KEYS[0])


def test_it_is_ended_with_its_children_when_it_takes_too_long(tmp_path: Path) -> None:
    """Also a child that holds the output open, which would keep a reader waiting."""
    child = tmp_path / "child"
    code = "import subprocess; p = subprocess.Popen(['sleep', '60']); "
    code += f"open({str(child)!r}, 'w').write(str(p.pid)); p.wait()"
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match=r"was not done within 1 s"):
        load(*python(code), seconds=1.0)
    assert time.monotonic() - began < 20
    pid = int(child.read_text())
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            break
        time.sleep(0.05)
    else:
        os.kill(pid, 9)
        pytest.fail("the child still runs")


@pytest.mark.parametrize("other", [{"master_key": SecretStr(PRINTED.splitlines()[0])}, {"master_key_file": Path("/k")}])
def test_it_stands_alone(other: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="is set beside INKGATE_SECURITY__MASTER_KEY"):
        load(*python("print()"), **other)

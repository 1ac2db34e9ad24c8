"""Master keys from a program, such as the client of a KMS or an HSM.

The program gets no shell, no input and none of our settings; its time and its output are bounded. What it prints is
never logged; of its errors one short line is shown.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence

from inkgate.service.errors import ConfigurationError

MAX_OUTPUT_BYTES = 16 * 1024
MAX_REASON_CHARACTERS = 160
SETTINGS_PREFIX = "INKGATE_"
_PIECE_BYTES = 4096


def output(command: Sequence[str], seconds: float, setting: str) -> str:
    """What a program prints. Raises ConfigurationError when it cannot be run, fails, prints too much or something other
    than ASCII, or takes too long; then it is ended together with its children."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_PREFIX)}
    deadline = time.monotonic() + seconds
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own program
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its arguments cannot be passed"
        raise _problem(setting, f"cannot run {command[0]} ({reason})") from None
    with process:
        try:
            said, errors = _read(process, deadline)
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise _problem(setting, f"{command[0]} was not done within {seconds:g} s") from None
        except OverflowError:
            raise _problem(setting, f"{command[0]} printed more than {MAX_OUTPUT_BYTES} bytes") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if status != 0:
        raise _problem(setting, f"{command[0]} ended with status {status}{_reason(errors)}")
    try:
        return said.decode("ascii")
    except UnicodeDecodeError:
        raise _problem(setting, f"{command[0]} printed something other than base64") from None


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    """Both outputs until they are closed; of the errors the beginning. Raises TimeoutError, and OverflowError when the
    output is too long."""
    assert process.stdout is not None and process.stderr is not None
    said, errors = process.stdout.fileno(), process.stderr.fileno()
    found = {said: bytearray(), errors: bytearray()}
    with selectors.DefaultSelector() as waiting:
        for stream in found:
            waiting.register(stream, selectors.EVENT_READ)
        while waiting.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in waiting.select(left):
                piece, text = os.read(key.fd, _PIECE_BYTES), found[key.fd]
                if not piece:
                    waiting.unregister(key.fileobj)
                elif key.fd == said or len(text) < MAX_OUTPUT_BYTES:
                    text += piece
            if len(found[said]) > MAX_OUTPUT_BYTES:
                raise OverflowError
    return bytes(found[said]), bytes(found[errors])


def _reason(errors: bytes) -> str:
    """The first line that the program wrote to its standard error, for the message."""
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    line = "".join(each for each in lines[0] if each.isprintable())[:MAX_REASON_CHARACTERS] if lines else ""
    return f": {line}" if line else ""


def _problem(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError(setting, problem, "It must print master keys (base64 of 32 bytes), one a line.")

"""Runs inside a network namespace that has nothing but a loopback: a bundle into a new, empty engine, up to one call.

unshare --net python -m tests.compose.closed_network BUNDLE PUBLIC_KEY WORK
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.samples import sample
from tests.airgap.inside import loopback_up, prove_there_is_no_way_out
from tests.compose.base_images import docker
from tests.compose.stack import Stack

START_SECONDS = 60


@contextmanager
def engine(work: Path) -> Iterator[None]:
    """A Docker engine of its own with its data in `work`; docker commands of this process go to it."""
    os.environ["DOCKER_HOST"] = f"unix://{work}/docker.sock"
    options = {"host": os.environ["DOCKER_HOST"], "data-root": "data", "exec-root": "exec", "pidfile": "pid"}
    command = [f"--{name}={value if ':' in value else work / value}" for name, value in options.items()]
    with (work / "log").open("w") as log:
        process = subprocess.Popen(["dockerd", *command], stdout=log, stderr=log)
    try:
        end = time.monotonic() + START_SECONDS
        while subprocess.run(["docker", "info"], capture_output=True).returncode:
            assert process.poll() is None and time.monotonic() < end, (work / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(60)


def main() -> None:
    bundle, key, work = (Path(argument) for argument in sys.argv[1:])
    loopback_up()
    prove_there_is_no_way_out()
    with engine(work):
        assert docker("images", "--quiet") == "", "the engine is not empty"
        subprocess.run(["sh", str(bundle / "verify.sh"), str(key)], check=True)
        docker("load", "--input", str(bundle / "images" / "images.tar.gz"))
        stack, _ = Stack.prepare(work, "", 443, bundle)
        try:
            stack.up()
            printed = stack.inkgate("account", "create", "我的公司") + stack.inkgate(
                "app", "create", "我的公司", "扫描前台"
            )
            stack.inkgate("app", "open", "扫描前台")
            stack.inkgate("pack", "grant", "我的公司", "general", "10")
            keys = dict(re.findall(r"^(\w+)=(.+)$", printed, re.MULTILINE))
            status, answer = stack.call(keys, CAPABILITIES["general"], sample("general"))
            print(f"answered {status}, statusCode {answer.get('statusCode')}")
        finally:
            stack.compose("down", "--volumes", "--timeout", "5")


if __name__ == "__main__":
    main()

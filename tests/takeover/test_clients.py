"""Programs written for the public endpoint run unchanged, with the same keys and URL, through every stage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.samples import sample
from inkgate.service.takeover.routes import Mode
from tests.integration.test_clients import bouncycastle
from tests.takeover.clients import CLIENTS, Answer
from tests.takeover.stage import Stage, staged
from tests.takeover.traffic import answers_of, header_lines, units_by_request, used_units

ROOT = Path(__file__).resolve().parents[2]
STAGES = ((Mode.MIRROR, None), (Mode.SPLIT, 10), (Mode.LOCAL, None), (Mode.MIRROR, None))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("takeover")) as made:
        yield made


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("image") / "page.jpg"
    file.write_bytes(sample("general"))
    return str(file)


def test_every_signing_form_through_every_stage(stage: Stage) -> None:
    here = there = 0
    for mode, percent in STAGES:
        stage.route(mode, percent)
        for client in CLIENTS:
            for name in ("idcard", "general"):
                answer = client(stage.base, stage.here.keys, CAPABILITIES[name])
                assert (answer.status, answer.body["statusCode"]) == (200, 0), (mode, client.__name__)
                at_cloud = answer.request_id in answers_of(stage.upstream.proxy)
                units = units_by_request(stage.folder).get(answer.request_id, 0)
                assert (at_cloud, units) in ((True, 0), (False, 1))
                assert mode is Mode.SPLIT or at_cloud == (mode is Mode.MIRROR)
                if at_cloud and answer.head:
                    check_as_sent(stage, answer)
                here, there = here + units, there + at_cloud
    assert here + there == len(STAGES) * len(CLIENTS) * 2 and here and there


def check_as_sent(stage: Stage, answer: Answer) -> None:
    """The cloud got the client's head byte for byte; only the framing of a chunked body is another."""
    received = next(each for each in reversed(stage.upstream.proxy.received) if each.request_id == answer.request_id)
    if b"Transfer-Encoding" in answer.head:
        assert header_lines(received.head) == header_lines(answer.head)
    else:
        assert received.head == answer.head


@pytest.mark.parametrize("mode", [Mode.MIRROR, Mode.LOCAL])
def test_the_published_examples_run_unchanged(stage: Stage, image: str, mode: Mode) -> None:
    stage.route(mode)
    before, used = len(stage.upstream.proxy.received), used_units(stage.folder)
    programs = [[sys.executable, str(ROOT / "examples" / "python" / "minimal.py"), image]]
    if shutil.which("openssl") and shutil.which("curl"):
        programs.append([str(ROOT / "examples" / "curl" / "ocr.sh"), "general", image])
    if go := shutil.which("go"):
        programs.append([go, "run", "-C", str(ROOT / "examples" / "go"), ".", "general", image])
    for program in programs:
        run(program, stage)
    calls = len(programs)
    moved = (len(stage.upstream.proxy.received) - before, used_units(stage.folder) - used)
    assert moved == ((calls, 0) if mode is Mode.MIRROR else (0, calls))


@pytest.mark.skipif(bouncycastle() is None, reason="needs a JDK and BouncyCastle's bcprov jar (BCPROV=…)")
def test_the_sealed_java_example_through_every_stage(stage: Stage, image: str, tmp_path: Path) -> None:
    jar = bouncycastle()
    assert jar is not None
    sources = [str(file) for file in (ROOT / "examples" / "java").glob("*.java")]
    subprocess.run(["javac", "-encoding", "UTF-8", "-cp", jar, "-d", str(tmp_path), *sources], check=True, timeout=120)
    java = ["java", "-Dfile.encoding=UTF-8", "-cp", f"{jar}{os.pathsep}{tmp_path}", "Ocr", "general", image, "--sealed"]
    for mode, percent in STAGES[:3]:
        stage.route(mode, percent)
        read = stage.metric("inkgate_takeover_shadow_total", 'result="read"')
        assert json.loads(run(java, stage))["statusCode"] == 0, mode
        if mode is Mode.MIRROR:  # the key is here: it is read in the shadow
            stage.wait_for(lambda read=read: stage.metric("inkgate_takeover_shadow_total", 'result="read"') > read)  # type: ignore[misc]


def run(program: list[str], stage: Stage) -> str:
    """What a program prints, with the keys of the account and the one URL in its environment."""
    keys = stage.here.keys
    given = {"BASE_URL": stage.base, "AK": keys.ak, "SK": keys.sk, "APPKEY": keys.appkey, "ENCKEY": keys.enckey}
    ran = subprocess.run(
        program, env={**os.environ, **given, "NO_PROXY": "127.0.0.1"}, capture_output=True, text=True, timeout=180,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

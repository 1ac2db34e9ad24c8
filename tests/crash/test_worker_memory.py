"""Memory limit of a worker: an image that would exceed it fails alone, and the process continues."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from inkgate.service.broker.interface import Outcome, Task
from inkgate.service.composition.fleet import embedded_fleet
from inkgate.service.samples import sample
from inkgate.service.settings import Settings, Worker
from tests import image_files

ROOT = Path(__file__).parents[2]
BASELINE = image_files.jpeg(64, 48)
WIDE = {
    "progressive.jpg": image_files.saved(image_files.sample_image(5000, 5000), "JPEG", quality=40, progressive=True),
    "plain.png": cv2.imencode(".png", np.full((5000, 5000, 3), 200, np.uint8))[1].tobytes(),
    "alpha.png": cv2.imencode(".png", np.full((5000, 5000, 4), 60_000, np.uint16))[1].tobytes(),
    "plain.bmp": image_files.bmp(5000, 5000, bits=8, pixels=bytes(25_000_000)),
}


def child(code: str, *arguments: str) -> str:
    """The output of a new interpreter that runs `code`."""
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize("name", WIDE)
def test_a_decoding_failure_keeps_the_process_alive(tmp_path: Path, name: str) -> None:
    """25 megapixels take 75 MiB at least; 40 are allowed."""
    (tmp_path / "wide").write_bytes(WIDE[name])
    (tmp_path / "small").write_bytes(BASELINE)
    said = child(
        """
        import sys
        from pathlib import Path
        from inkgate.engines.errors import DecodeError
        from inkgate.engines.imaging import decode
        from inkgate.service.worker.process import data_mib, set_memory_limit
        wide, small = (Path(path).read_bytes() for path in sys.argv[1:])
        decode(small, 25_100_000)
        held = data_mib()
        assert set_memory_limit(40, at_once=1) == held + 40 or abs(set_memory_limit(40, 1) - held - 40) < 1
        for _ in range(3):
            try:
                decode(wide, 25_100_000)
            except DecodeError as error:
                print("refused")
            assert data_mib() <= held + 41, (data_mib(), held)
            print(decode(small, 25_100_000).shape)
        """,
        str(tmp_path / "wide"),
        str(tmp_path / "small"),
    )
    assert said.split("\n") == ["refused", "(48, 64, 3)"] * 3


def test_no_memory_to_read_is_an_internal_failure() -> None:
    """The image was decoded, so the lack of memory is not a fault of the image."""
    said = child(
        """
        import time
        import numpy as np
        from inkgate.service.broker.interface import Task
        from inkgate.service.settings import Settings
        from inkgate.service.worker.config import WorkerConfig
        from inkgate.service.worker.process import set_memory_limit
        from inkgate.service.worker.reading import read_task
        from inkgate.service.worker.stub import StubReader

        class Greedy(StubReader):
            def read(self, name, data, *, extras=False):
                return np.ones(200 << 20, np.uint8)

        set_memory_limit(64, at_once=1)
        task = Task("call", 0, "general", time.time() + 60, b"image")
        config = WorkerConfig.of(Settings())
        print(read_task(Greedy(), task, config, "w").outcome, read_task(StubReader(), task, config, "w").outcome)
        """
    )
    assert said == f"{Outcome.FAILED} {Outcome.READ}"


def test_limit_is_off_at_zero_and_grows_with_concurrent_images() -> None:
    said = child(
        """
        import resource
        from inkgate.service.worker.process import data_mib, set_memory_limit
        print(set_memory_limit(0, at_once=8), resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY)
        print(round(set_memory_limit(300, at_once=4) - data_mib(), -1))
        resource.setrlimit(resource.RLIMIT_DATA, (500 << 20, 500 << 20))
        print(set_memory_limit(9000, at_once=1))
        """
    )
    assert said.split("\n") == ["inf True", "600.0", "500.0"]


def test_decoder_has_limits_of_its_own(tmp_path: Path) -> None:
    """If header and decoder ever disagree, the decoder refuses before it allocates."""
    (tmp_path / "wide").write_bytes(WIDE["plain.png"])
    said = child(
        """
        import sys
        from pathlib import Path
        from inkgate.service.settings import Engine, Settings
        from inkgate.service.worker.config import WorkerConfig
        from inkgate.service.worker.reading import open_reader
        open_reader(WorkerConfig.of(Settings(engine=Engine(runtime="stub", max_pixels=1_000_000))))
        assert "cv2" not in sys.modules, "OpenCV reads its limits when it is imported"
        import cv2
        import numpy as np
        try:
            cv2.imdecode(np.frombuffer(Path(sys.argv[1]).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:
            print("CV_IO_MAX_IMAGE" in str(error))
        """,
        str(tmp_path / "wide"),
    )
    assert said == "True"


def test_command_line_reads_with_the_same_limits() -> None:
    assert child("import sys, inkgate.service.cli.ocr; print('cv2' in sys.modules)") == "False"


async def test_worker_answers_and_stays_alive() -> None:
    """With the real engine: images that do not fit are undecodable, the next one is read; no process crashes."""
    # Decoding either takes about 150 MiB, reading the sample less than 90.
    settings = Settings(worker=Worker(processes=1, image_mib=105))
    async with embedded_fleet(settings) as broker:
        await broker.wait_ready(1)
        images = [WIDE["progressive.jpg"], WIDE["alpha.png"], sample("general")]
        replies = await broker.submit(
            [Task("call", number, "general", time.time() + 120, image) for number, image in enumerate(images)]
        )
        assert [reply.outcome for reply in replies] == [Outcome.UNDECODABLE] * 2 + [Outcome.READ]
        assert {card.reason for card in (await broker.snapshot()).workers} <= {"", "memory"}, "at most an orderly leave"

"""The systems of the served benchmark: the bare engine, InkGate in two layouts, and the servers of other projects.

A system is a tree of processes that runs for the whole benchmark and reads a list of images on demand.
"""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil

from benchmarks.calls import body, mean_stages, request
from benchmarks.throughput.child import ADAPTERS, ONE_THREAD, Child
from inkgate.service.provision import Keys
from tests.crash.chaos.stack import Stack
from tests.valkey import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
BF16 = "off"  # as in the bare engine; networks that are compiled in the background would also count as CPU time


class Target(Protocol):
    """One system: a tree of processes with `workers` single-threaded readers."""

    name: str
    workers: int

    async def start(self) -> None: ...

    async def read(self, images: Sequence[Path]) -> int:
        """Read all images with enough concurrency to keep the readers busy. Returns the number of text lines.

        Raises SystemExit or an HTTP error when an image fails.
        """

    @property
    def pids(self) -> list[int]:
        """The root processes of the system."""

    @property
    def parts(self) -> dict[str, list[int]]:
        """The same root processes by what they are."""

    async def stages(self) -> dict[str, float]:
        """Mean milliseconds per stage; empty when the system does not report stages."""

    async def stop(self) -> None: ...


def tree(roots: Sequence[int]) -> list[psutil.Process]:
    """The processes and all their descendants. Processes that have ended are left out."""
    found = []
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            found += [process, *process.children(recursive=True)]
    return found


def cpu_seconds(roots: Sequence[int]) -> float:
    """User and system CPU seconds of the trees, including children that have ended."""
    total = 0.0
    for process in tree(roots):
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


class Bare:
    """The engine without HTTP: one process per worker, images from a shared list."""

    def __init__(self, profile: str, workers: int) -> None:
        self.name, self.workers = f"bare engine x{workers}", workers
        self._children = [
            Child(self.name, [sys.executable, str(ADAPTERS / "inkgate_text.py"), profile]) for _ in range(workers)
        ]
        self._threads = ThreadPoolExecutor(workers)

    async def start(self) -> None:
        for child in self._children:
            child.start()

    async def read(self, images: Sequence[Path]) -> int:
        waiting = iter(images)  # `next` on a list's iterator is atomic

        def work(child: Child) -> int:
            return sum(len(child.read(image)["lines"]) for image in waiting)

        loop = asyncio.get_running_loop()
        return sum(
            await asyncio.gather(*(loop.run_in_executor(self._threads, work, child) for child in self._children))
        )

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self._children]

    @property
    def parts(self) -> dict[str, list[int]]:
        return {"engine": self.pids}

    async def stages(self) -> dict[str, float]:
        return {}

    async def stop(self) -> None:
        for child in self._children:
            child.stop()
        self._threads.shutdown()


class _Http:
    """Base of all HTTP servers: twice as many callers as workers, each waiting for its answer."""

    name: str
    workers: int
    _process: subprocess.Popen[bytes] | None = None

    def __init__(self) -> None:
        self.client = httpx.AsyncClient(timeout=120.0)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process

    def call(self, image: Path) -> httpx.Request:
        raise NotImplementedError

    def lines(self, answer: httpx.Response) -> int:
        """The number of text lines in an answer. Raises when the call has failed."""
        raise NotImplementedError

    async def read(self, images: Sequence[Path]) -> int:
        waiting = iter(images)

        async def caller() -> int:
            return sum([self.lines(await self.client.send(self.call(image))) for image in waiting])

        async with asyncio.TaskGroup() as group:
            callers = [group.create_task(caller()) for _ in range(2 * self.workers)]
        return sum(task.result() for task in callers)

    @property
    def pids(self) -> list[int]:
        return [self._process.pid] if self._process else []

    @property
    def parts(self) -> dict[str, list[int]]:
        return {"service": self.pids}

    async def stages(self) -> dict[str, float]:
        return {}

    def spawn(self, command: Sequence[str], **env: str) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **env}, stdout=self._log, stderr=subprocess.STDOUT
        )

    async def wait_until(self, ready: Callable[[], Any]) -> None:
        """Wait until `ready()`, or its awaited value, is true.

        Raises SystemExit with the server's log when the server ends or START_SECONDS have passed.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(httpx.HTTPError):
                answer = ready()
                if await answer if asyncio.iscoroutine(answer) else answer:
                    return
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                raise SystemExit(f"{self.name} did not start: {self._log.read()[-2000:].decode()}")
            await asyncio.sleep(0.2)

    async def stop(self) -> None:
        await self.client.aclose()
        processes = tree(self.pids)
        if self._process is not None:
            self._process.terminate()
        _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 15)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()


class _Ours(_Http):
    """InkGate, with signed and metered calls. Bodies are built once, signatures for every call."""

    base: str
    keys: Keys

    def __init__(self) -> None:
        super().__init__()
        self._bodies: dict[Path, bytes] = {}

    def call(self, image: Path) -> httpx.Request:
        if image not in self._bodies:
            self._bodies[image] = body(image.read_bytes())
        return request(self.base, self.keys, self._bodies[image])

    def lines(self, answer: httpx.Response) -> int:
        document = answer.json()
        if document["statusCode"] != 0 or document["message"] != {"success": 1, "fail": 0}:
            raise SystemExit(f"{self.name}: {document['statusCode']} {document.get('message')}")
        return int(document["returnObj"][0]["text_line"])

    async def stages(self) -> dict[str, float]:
        return await mean_stages(self.client, self.base)


class Embedded(_Ours):
    """`inkgate sandbox`: gateway, console, ledger on SQLite and workers in one process tree."""

    def __init__(self, profile: str, workers: int) -> None:
        super().__init__()
        self.name, self.workers, self._profile = f"embedded x{workers}", workers, profile
        self._folder = tempfile.TemporaryDirectory(prefix="inkgate-served-")

    async def start(self) -> None:
        keys = Path(self._folder.name) / "keys.env"
        command = [sys.executable, "-m", "inkgate.service.cli", "sandbox", "--qps", "10000", "--env-file", str(keys)]
        settings = {"INKGATE_WORKER__PROCESSES": str(self.workers), "INKGATE_ENGINE__BF16": BF16}
        self.spawn([*command, "--profile", self._profile], **settings)
        await self.wait_until(keys.exists)
        values = dict(line.split("=", 1) for line in keys.read_text().splitlines())
        self.base, self.keys = values["BASE_URL"], Keys(values["AK"], values["SK"], values["APPKEY"])
        sample = f"inkgate_worker_ready {float(self.workers)}"
        await self.wait_until(lambda: self._has_metric(sample))

    async def _has_metric(self, line: str) -> bool:
        return line in (await self.client.get(self.base + "/metrics", headers={"accept": "text/plain"})).text

    async def stop(self) -> None:
        await super().stop()
        self._folder.cleanup()


class Distributed(_Ours):
    """A gateway and a worker host over Valkey, with the ledger in Postgres."""

    def __init__(self, profile: str, workers: int) -> None:
        super().__init__()
        self.name, self.workers = f"gateway + worker x{workers}", workers
        engine = {"ENGINE__RUNTIME": "onnx", "ENGINE__PROFILE": profile, "ENGINE__BF16": BF16, "LIMITS__DEADLINE": 60.0}
        self._stack = Stack(gateways=1, hosts=1, processes=workers, **engine)

    async def start(self) -> None:
        self.keys = await self._stack.start()
        self.base = f"http://127.0.0.1:{self._stack.gateways[0].port}"

    @property
    def pids(self) -> list[int]:
        return self._stack.pids

    @property
    def parts(self) -> dict[str, list[int]]:
        stack = self._stack
        assert stack.postgres.pid is not None
        return {
            "gateway": [each.process.pid for each in stack.gateways if each.process is not None],
            "workers": [host.process.pid for host in stack.hosts],
            "redis": [stack.valkey.process.pid] if stack.valkey.process is not None else [],
            "postgres": [stack.postgres.pid],
        }

    async def stop(self) -> None:
        await self.client.aclose()
        findings = await self._stack.findings()
        await self._stack.close()
        if findings:
            raise SystemExit(f"{self.name}: the ledger is inconsistent: {findings[:3]}")


class RapidOcrApi(_Http):
    """rapidocr_api with the same number of workers and the default settings of its engines."""

    def __init__(self, python: str, workers: int) -> None:
        super().__init__()
        self.name, self.workers = f"rapidocr_api x{workers}", workers
        self._python, self._port = python, free_port()

    async def start(self) -> None:
        command = [self._python, "-m", "rapidocr_api.main", "-ip", "127.0.0.1", "-p", str(self._port)]
        self.spawn([*command, "-workers", str(self.workers)], **ONE_THREAD)
        await self.wait_until(lambda: self.client.get(f"http://127.0.0.1:{self._port}/"))

    def call(self, image: Path) -> httpx.Request:
        files = {"image_file": (image.name, image.read_bytes())}
        return self.client.build_request("POST", f"http://127.0.0.1:{self._port}/ocr", files=files)

    def lines(self, answer: httpx.Response) -> int:
        return len(answer.raise_for_status().json())


class PaddlexServe(_Http):
    """`paddlex --serve` over PP-OCRv6 small on ONNX Runtime. One process; it reads one image after the other."""

    def __init__(self, python: str, models: str) -> None:
        super().__init__()
        self.name, self.workers = "paddlex --serve", 1
        self._python, self._models, self._port = python, Path(models), free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="inkgate-paddlex-")

    async def start(self) -> None:
        config = Path(self._folder.name) / "OCR.yaml"
        config.write_text(_PIPELINE.format(models=self._models.resolve()))
        command = [self._python, "-m", "paddlex", "--serve", "--pipeline", str(config), "--engine", "onnxruntime"]
        offline = {"PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True", "PADDLE_PDX_CACHE_HOME": self._folder.name}
        self.spawn([*command, "--host", "127.0.0.1", "--port", str(self._port)], **offline)
        await self.wait_until(lambda: self.client.get(f"http://127.0.0.1:{self._port}/health"))

    def call(self, image: Path) -> httpx.Request:
        document = {"file": base64.b64encode(image.read_bytes()).decode(), "fileType": 1, "visualize": False}
        return self.client.build_request("POST", f"http://127.0.0.1:{self._port}/ocr", json=document)

    def lines(self, answer: httpx.Response) -> int:
        (result,) = answer.raise_for_status().json()["result"]["ocrResults"]
        return len(result["prunedResult"]["rec_texts"])

    async def stop(self) -> None:
        await super().stop()
        self._folder.cleanup()


_PIPELINE = """\
pipeline_name: OCR
text_type: general
use_doc_preprocessor: False
use_textline_orientation: False
SubModules:
  TextDetection:
    module_name: text_detection
    model_name: PP-OCRv6_small_det
    model_dir: {models}/v6_small_det
    limit_side_len: 736
    limit_type: min
    max_side_limit: 4000
    thresh: 0.2
    box_thresh: 0.45
    unclip_ratio: 1.4
  TextRecognition:
    module_name: text_recognition
    model_name: PP-OCRv6_small_rec
    model_dir: {models}/v6_small_rec
    batch_size: 6
    score_thresh: 0.0
"""

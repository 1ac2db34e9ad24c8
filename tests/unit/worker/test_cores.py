"""Cores that workers lend each other: counted together, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from inkgate.service.settings import Engine, Settings, Worker
from inkgate.service.worker import cores as module
from inkgate.service.worker import policy
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.cores import Cores, open_shared_cells
from inkgate.service.worker.process import usable_cores

ROOT = Path(__file__).parents[3]
CHILD = """
import sys
from inkgate.service.worker.cores import Cores
cores = Cores.shared(int(sys.argv[1]), 4, 4)
print(cores.borrow(2), flush=True)
with cores.in_use():
    print("in use", flush=True)
    sys.stdin.readline()
print("done", flush=True)
sys.stdin.readline()
"""


def test_alone_a_page_has_the_other_cores() -> None:
    cores = Cores.alone(4, 3)
    assert cores.most == 2
    assert cores.borrow(2) == 2 and not cores.needed
    cores.give_back(2)


def test_one_core_lends_nothing() -> None:
    for cores in (Cores.alone(1, 4), Cores.alone(4, 1)):
        assert cores.most == 0
    with (alone := Cores.alone(1, 4)).in_use():
        assert alone.borrow(3) == 0 and not alone.needed


def test_no_more_are_lent_than_are_idle() -> None:
    cores = Cores.alone(4, 4)
    with cores.in_use(), cores.in_use():
        assert cores.borrow(3) == 2
        assert cores.borrow(1) == 0
        with cores.in_use():
            assert cores.needed
            cores.give_back(1)
            assert not cores.needed
        cores.give_back(1)
    assert cores.borrow(4) == 4


def test_an_error_while_an_image_is_in_hand_frees_its_core() -> None:
    cores = Cores.alone(2, 2)
    with pytest.raises(MemoryError), cores.in_use():
        raise MemoryError
    assert cores.borrow(2) == 2


def test_threads_that_borrow_at_once_never_get_more_than_there_are() -> None:
    cores, out, largest, lock = Cores.alone(5, 5), 0, 0, threading.Lock()

    def borrow() -> None:
        nonlocal out, largest
        for wanted in range(400):
            lent = cores.borrow(wanted % 4)
            with lock:
                out += lent
                largest = max(largest, out)
            with lock:
                out -= lent
            cores.give_back(lent)

    threads = [threading.Thread(target=borrow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert largest <= 5 and cores.borrow(9) == 5


@pytest.fixture
def fd() -> int:
    return open_shared_cells()  # the locks of this process live as long as it holds the descriptor


def child(fd: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(fd)],
        pass_fds=[fd],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_workers_see_what_the_others_use(fd: int) -> None:
    cores = Cores.shared(fd, 4, 4)
    other = child(fd)
    assert [says(other), says(other)] == ["2", "in use"]
    assert cores.borrow(3) == 1
    with cores.in_use():
        assert cores.needed
    cores.give_back(1)
    go_on(other)
    assert says(other) == "done"
    assert cores.borrow(3) == 2
    cores.give_back(2)
    go_on(other)
    assert other.wait(10) == 0


def test_the_cell_of_a_killed_worker_goes_to_the_next_one(fd: int) -> None:
    cores = Cores.shared(fd, 4, 4)
    for _ in range(3):
        other = child(fd)
        assert [says(other), says(other)] == ["2", "in use"]  # what the last one held is not counted any more
        assert cores.borrow(3) == 1
        cores.give_back(1)
        other.send_signal(signal.SIGKILL)
        other.wait(10)
        for pipe in (other.stdin, other.stdout):
            assert pipe is not None
            pipe.close()


def test_without_a_free_cell_nothing_is_lent(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hold_free_cell", lambda fd: None)
    assert Cores.shared(fd, 8, 8).most == 0


def test_one_look_is_cheap(fd: int) -> None:
    """A look at all cells per line must not show beside the line's milliseconds."""
    cores = Cores.shared(fd, 4, 4)
    began = time.thread_time()
    for _ in range(1000):
        cores.give_back(cores.borrow(1))
    assert time.thread_time() - began < 0.2  # seconds


def test_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "has_gpu", lambda: False)
    assert policy.page_cores(Settings()) == 4
    assert policy.total_cores(Settings()) == usable_cores()
    assert policy.total_cores(Settings(worker=Worker(processes=1))) == 1
    assert policy.page_cores(Settings(worker=Worker(page_cores=1))) == 1
    assert policy.page_cores(Settings(engine=Engine(threads=2))) == 1
    monkeypatch.setattr(policy, "has_gpu", lambda: True)
    assert policy.page_cores(Settings()) == 1


def test_a_supervisor_of_an_older_release_lends_nothing() -> None:
    old = WorkerConfig.of(Settings()).as_dict()
    for name in ("cores_fd", "total_cores", "page_cores"):
        del old[name]
    config = WorkerConfig.from_dict(old)
    assert (config.cores_fd, config.total_cores, config.page_cores) == (-1, 1, 1)

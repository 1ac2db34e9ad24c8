"""A page on borrowed cores: the results of one thread, in order, and every core given back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.engines.imaging import decode
from inkgate.engines.interfaces import IdleCores
from inkgate.engines.networks import SpreadNetwork
from inkgate.engines.registry import open_text_engine
from inkgate.engines.text.cascade import Cascade, ConfidenceThresholds
from inkgate.engines.text.page_threads import PageThreads
from inkgate.engines.text.recognise import Reading, Recogniser
from inkgate.engines.text.scripts import ScriptAwareRecogniser
from inkgate.engines.types import Image

SAMPLES = Path(__file__).parents[4] / "service" / "samples"
WAIT_SECONDS = 20


class Lent:
    """An `IdleCores` that counts; `needed` from outside."""

    def __init__(self, most: int) -> None:
        self.most, self.needed = most, False
        self.out = self.largest = 0
        self._lock = threading.Lock()

    def borrow(self, wanted: int) -> int:
        assert wanted >= 0
        with self._lock:
            count = 0 if self.needed else min(wanted, self.most - self.out)
            self.out += count
            self.largest = max(self.largest, self.out)
            return count

    def give_back(self, count: int) -> None:
        with self._lock:
            self.out -= count
            assert self.out >= 0


def test_a_fake_is_what_the_protocol_asks() -> None:
    cores: IdleCores = Lent(1)
    assert cores.borrow(5) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 4), st.lists(st.sampled_from([0.0, 0.0, 0.001]), min_size=40, max_size=40))
def test_results_come_in_order_and_each_part_runs_once(count: int, most: int, seconds: list[float]) -> None:
    cores, runs = Lent(most), [0] * count

    def work(at: int) -> int:
        runs[at] += 1
        time.sleep(seconds[at])
        return at

    assert list(PageThreads(cores).in_order(work, count)) == list(range(count))
    assert runs == [1] * count
    assert cores.out == 0 and cores.largest <= max(0, count - 1)


def test_parts_run_at_the_same_time_as_far_as_cores_are_lent() -> None:
    together = threading.Barrier(3)
    result = PageThreads(Lent(2)).in_order(lambda at: together.wait(WAIT_SECONDS) >= 0, 3)
    assert list(result) == [True] * 3


def test_without_cores_a_part_runs_when_it_is_asked_for() -> None:
    for threads in (PageThreads(), PageThreads(Lent(0))):
        begun: list[int] = []
        parts = threads.in_order(begun.append, 5)
        next(parts)
        assert begun == [0]


def test_a_needed_core_is_given_back_after_the_part_in_hand() -> None:
    cores, started, release = Lent(1), threading.Event(), threading.Event()
    helped: list[int] = []

    def work(at: int) -> int:
        if threading.current_thread() is not threading.main_thread():
            helped.append(at)
            started.set()
            assert release.wait(WAIT_SECONDS)
        elif not release.is_set():
            assert started.wait(WAIT_SECONDS)
            cores.needed = True
            release.set()
        return at

    assert list(PageThreads(cores).in_order(work, 30)) == list(range(30))
    assert len(helped) == 1 and cores.out == 0


@pytest.mark.parametrize("faulty", [0, 3, 9])
def test_an_error_is_raised_at_its_place_and_every_core_comes_back(faulty: int) -> None:
    cores = Lent(3)

    def work(at: int) -> int:
        if at == faulty:
            raise MemoryError(str(at))
        return at

    seen: list[int] = []
    with pytest.raises(MemoryError, match=str(faulty)):
        seen.extend(PageThreads(cores).in_order(work, 10))
    assert seen == list(range(faulty)) and cores.out == 0


def test_a_page_that_is_left_half_way_gives_every_core_back() -> None:
    cores, runs = Lent(2), []
    parts = PageThreads(cores).in_order(lambda at: runs.append(at) or time.sleep(0.001), 1000)
    next(parts)
    parts.close()  # type: ignore[attr-defined]
    assert cores.out == 0
    ended = len(runs)
    time.sleep(0.02)
    assert len(runs) == ended < 1000


def test_pages_of_several_callers_share_the_helpers() -> None:
    cores = Lent(2)
    threads, results = PageThreads(cores), {}

    def read(page: int) -> None:
        results[page] = list(threads.in_order(lambda at: (page, time.sleep(0.0005))[0] * 100 + at, 20))

    callers = [threading.Thread(target=read, args=(page,)) for page in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(WAIT_SECONDS)
    assert results == {page: [page * 100 + at for at in range(20)] for page in range(4)}
    assert cores.out == 0


def test_a_network_is_wide_only_while_all_its_cores_are_lent() -> None:
    cores = Lent(3)
    network = SpreadNetwork(lambda batch: batch * 0, lambda batch: batch * 0 + cores.out, cores)
    batch = np.ones((1, 1), np.float32)
    assert network(batch) == 3
    cores.borrow(1)
    assert network(batch) == 0
    assert cores.out == 1


class Scripted(Recogniser):
    """Reads the line whose first pixel is its number; each takes another time, as the test says."""

    def __init__(self, texts: list[str], seconds: list[float]) -> None:
        self.texts, self.seconds, self.charset = texts, seconds, [""]

    def recognise_line(self, line: np.ndarray) -> Reading:
        at = round((float(line[0, 0, 0]) + 1) * 127.5)
        time.sleep(self.seconds[at])
        characters = list(self.texts[at])
        return Reading(characters, np.full(len(characters), 0.99, np.float32), np.arange(len(characters)))


class ScriptedAccurate(ScriptAwareRecogniser):
    def __init__(self, recogniser: Scripted) -> None:
        self.recogniser = recogniser

    def recognise_traditional(self, line: np.ndarray) -> Reading:
        reading = self.recogniser.recognise_line(line)
        return Reading([f"<{character}>" for character in reading.characters], reading.scores, reading.columns)


# Characters of one script only, or of both: pages turn traditional, and simplified again.
LINES = st.lists(st.text("書館體學开学书体中文", min_size=0, max_size=9), max_size=20)


@settings(max_examples=80, deadline=None)
@given(LINES, st.lists(st.sampled_from([0.0, 0.0, 0.0005]), min_size=20, max_size=20))
def test_the_cascade_reads_either_script_as_one_thread_does(texts: list[str], seconds: list[float]) -> None:
    crops: list[Image] = [np.full((48, 600, 3), at, np.uint8) for at in range(len(texts))]

    def read(threads: PageThreads | None) -> list[tuple[str, float]]:
        draft = Scripted(texts, seconds)
        return Cascade(draft, ScriptedAccurate(draft), ConfidenceThresholds(0.5, 0.5), threads=threads)(crops)

    cores = Lent(3)
    assert read(PageThreads(cores)) == read(None)
    assert cores.out == 0


@pytest.mark.parametrize("name", ["general.jpg", "licence.jpg"])
@pytest.mark.parametrize("turned", [0, 2])
def test_an_engine_reads_a_page_on_four_threads_as_on_one(name: str, turned: int) -> None:
    image = np.ascontiguousarray(np.rot90(decode((SAMPLES / name).read_bytes(), 10_000_000), turned))
    cores = Lent(3)
    pages = []
    for lent in (None, cores):
        engine = open_text_engine("onnx", "balanced", 1, None, lent)
        pages.append(engine.read(image))
        engine.close()
    assert pages[0].lines == pages[1].lines and pages[0].lines
    assert cores.largest == 3 and cores.out == 0

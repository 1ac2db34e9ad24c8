"""One timer for all images in progress: the first deadline that passes ends the process."""

import subprocess
import sys
import textwrap
import time

import pytest

from inkgate.service.worker.watchdog import Watchdog


def outcome(body: str) -> int:
    program = "import time\nfrom inkgate.service.worker.watchdog import Watchdog\ndog = Watchdog()\n" + textwrap.dedent(
        body
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30).returncode


def test_the_first_to_end_decides() -> None:
    hung = """
        with dog.deadline(time.time() + 60), dog.deadline(time.time() + 0.2):
            time.sleep(20)
    """
    begun = time.monotonic()
    assert outcome(hung) == 1
    assert time.monotonic() - begun < 15


def test_what_is_done_in_time_goes_on() -> None:
    fine = """
        with dog.deadline(time.time() + 60):
            with dog.deadline(time.time() + 0.4):
                pass
            assert dog.in_progress == 1
            time.sleep(0.6)
        time.sleep(0.1)
    """
    assert outcome(fine) == 0


def test_an_end_that_is_past_ends_at_once() -> None:
    assert outcome("with dog.deadline(time.time() - 5): time.sleep(20)") == 1


def test_a_failure_is_not_in_hand_any_more() -> None:
    dog = Watchdog()
    with pytest.raises(KeyError), dog.deadline(time.time() + 60):
        raise KeyError
    assert dog.in_progress == 0

"""Ctrl-C and SIGTERM: the first is a request, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from dltrain.runs.signals import Interruption

PROGRAM = """
import time
from dltrain.runs.signals import Interruption
with Interruption() as interruption:
    print("ready", flush=True)
    while not interruption: time.sleep(0.01)
    print("requested", flush=True)
    try:
        time.sleep(30)
    finally:
        print("cleaned up", flush=True)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_is_a_request(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        assert not interruption
        assert interruption.exit_code == 0
        os.kill(os.getpid(), number)
        assert interruption
        assert interruption.requested == number
    assert interruption.exit_code == code
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_ends_the_process_at_once(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        assert child.stdout.readline() == "requested\n"
        child.send_signal(number)
        out, err = child.communicate(timeout=10)
    assert child.returncode == code
    assert (out, err) == ("", "")


def test_the_request_is_told_once_and_not_within_the_handler() -> None:
    told: list[int] = []
    with Interruption(told.append) as interruption:
        assert not interruption
        os.kill(os.getpid(), signal.SIGTERM)
        assert (interruption.requested, told) == (signal.SIGTERM, [])
        assert interruption
        assert interruption
    assert told == [signal.SIGTERM]


def test_handlers_come_back_after_an_error() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="x"), Interruption():
        raise ValueError("x")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_in_another_thread_it_does_nothing() -> None:
    seen = []

    def work() -> None:
        before = signal.getsignal(signal.SIGINT)
        with Interruption() as interruption:
            seen.append((interruption.requested, signal.getsignal(signal.SIGINT) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(None, True)]

"""What handles SIGINT stays, also where a library's thread replaces it after the work that started it."""

import ctypes
import os
import signal
import sys
import threading
import time
import types

import pytest

from utils.model_utils import signals
from utils.model_utils.signals import HeldException, interrupts_kept
from utils.tests.processes import finish


def ignore_interrupts():
    """As a library in C does it, past Python's own table."""
    ctypes.CDLL(None).signal(signal.SIGINT, ctypes.c_void_p(1))  # SIG_IGN


def handler():
    return signals._interrupt_action()[: signals.HANDLER_BYTES]


def test_a_handler_that_the_block_has_set_goes():
    before = handler()
    with interrupts_kept():
        ignore_interrupts()
        assert handler() != before
    assert handler() == before


def test_a_handler_that_its_thread_sets_later_goes():
    def late():
        for _ in range(3):
            time.sleep(signals.QUIET_SECONDS / 2)
            ignore_interrupts()
        done.wait()

    before, done = handler(), threading.Event()
    thread = threading.Thread(target=late)
    with interrupts_kept():
        thread.start()
    assert handler() == before
    time.sleep(2 * signals.QUIET_SECONDS)
    assert handler() == before
    done.set()
    thread.join()


@pytest.fixture
def held():
    """Ctrl-C as a command takes it; the alarm of the test process is put back."""
    held = HeldException("infer.py")
    before = signal.getsignal(signal.SIGALRM)
    with signals.taken_signals(
        [signal.SIGINT], lambda _number, frame: held.raise_outside_mindspore(KeyboardInterrupt, frame)
    ):
        yield held
    signal.signal(signal.SIGALRM, before)


def library(name="mindspore.graph.api"):
    """A module that is called as one of MindSpore's, with a function that interrupts itself and goes on."""
    module = types.ModuleType(name)
    source = """
def compile(seconds, done, signals=1):
    for _ in range(signals):
        os.kill(os.getpid(), signal.SIGINT)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.005)
    done.append("compiled")
"""
    module.__dict__.update(os=os, signal=signal, time=time)
    exec(source, module.__dict__)
    return module


def after_it():
    """Our own code, which the exception that was held reaches."""
    time.sleep(5)


def test_ctrl_c_waits_until_mindspore_has_done_what_it_does(held):
    done, start = [], time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        library().compile(0.2, done)
        after_it()
    assert done == ["compiled"]
    assert 0.2 <= time.monotonic() - start < 2


def test_a_few_milliseconds_of_our_own_code_between_two_calls_are_enough(held):
    done = []
    with pytest.raises(KeyboardInterrupt):
        library().compile(0.1, done)
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            pass
        library().compile(2, done, signals=0)
    assert done == ["compiled"]


@pytest.mark.parametrize(("name", "count"), [("onnxruntime.session", 1), ("mindspore", 2)])
def test_elsewhere_and_the_second_time_it_is_raised_at_once(held, name, count):
    done = []
    with pytest.raises(KeyboardInterrupt):
        library(name).compile(5, done, signals=count)
    assert not done


def test_it_waits_seconds_at_most_and_says_so(held, monkeypatch, capfd):
    monkeypatch.setattr(signals, "LONGEST_WAIT_SECONDS", 0.3)
    monkeypatch.setattr(signals, "SILENT_SECONDS", 0.1)
    done = []
    with pytest.raises(KeyboardInterrupt):
        library().compile(5, done)
    assert not done
    sentence = "infer.py: ends as soon as MindSpore is done with what it does now, after 0.3 s at the latest\n"
    assert capfd.readouterr().err == sentence


def test_what_was_to_be_broken_off_may_be_done_before(held):
    library().compile(0.01, [])
    held.cancel()
    time.sleep(10 * signals.RETRY_SECONDS)


IMPORTS = """
import os, signal, sys, threading, time
from utils.model_utils.command import run_command

def interrupt():
    while "mindspore" not in sys.modules:
        time.sleep(0.001)
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)

def main():
    threading.Thread(target=interrupt, daemon=True).start()
    import mindspore
    time.sleep(20)

run_command(main, "train.py")
"""


def test_ctrl_c_while_mindspore_is_imported_is_one_line():
    """... and not the end of the interpreter with a core dump."""
    process = finish(sys.executable, "-c", IMPORTS)
    assert process.returncode == 130, process.stderr
    lines = process.stderr.splitlines()  # of which one may say that the import takes long
    assert lines[-1] == "train.py: interrupted" and len(lines) <= 2, lines

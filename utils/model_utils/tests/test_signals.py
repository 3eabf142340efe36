"""What handles SIGINT stays, also where a library's thread replaces it after the work that started it."""

import ctypes
import signal
import threading
import time

import pytest

from utils.model_utils import signals
from utils.model_utils.signals import interrupts_between_graphs, interrupts_kept

MINDSPORE = """
def compile(work):
    return work()

def run(work):
    return work()

def delete(work):
    class Held:
        def __del__(self):
            work()
    Held()
"""


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


@pytest.fixture()
def own_clock():
    """The alarm as a command has it; pytest-timeout uses it."""
    clock, alarm = signal.setitimer(signal.ITIMER_REAL, 0), signal.signal(signal.SIGALRM, signal.SIG_DFL)
    yield
    still_runs = signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, *clock)
    assert still_runs == (0, 0)


def function_of(module, name):
    """Returns a function that calls what it is given, as one of a module of that name."""
    namespace = {"__name__": module}
    exec(MINDSPORE, namespace)
    return namespace[name]


def interrupted(seconds=0.5):
    """Sends SIGINT to this process and goes on for a while."""
    started = time.monotonic()
    signal.raise_signal(signal.SIGINT)
    while time.monotonic() - started < seconds:
        time.sleep(seconds / 100)


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize(("module", "name"), [("mindspore.graph.api", "compile"), ("users.cells", "delete")])
def test_an_interrupt_waits_for_the_end_of_a_compilation_and_of_a_destructor(module, name):
    started = time.monotonic()
    with interrupts_between_graphs(), pytest.raises(KeyboardInterrupt):
        function_of(module, name)(interrupted)
        time.sleep(5)
    assert 0.5 <= time.monotonic() - started < 2
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("own_clock")
def test_an_interrupt_that_still_waits_is_raised_where_the_block_ends():
    with pytest.raises(KeyboardInterrupt), interrupts_between_graphs():
        function_of("mindspore.graph.api", "compile")(lambda: signal.raise_signal(signal.SIGINT))


@pytest.mark.usefixtures("own_clock")
@pytest.mark.parametrize(("module", "name"), [("mindspore.graph.api", "run"), ("users.graph", "compile")])
def test_an_interrupt_elsewhere_raises_at_once(module, name):
    started = time.monotonic()
    with interrupts_between_graphs(), pytest.raises(KeyboardInterrupt):
        function_of(module, name)(interrupted)
    assert time.monotonic() - started < 0.3


@pytest.mark.usefixtures("own_clock")
def test_a_second_interrupt_raises_at_once():
    def twice():
        interrupted(0.15)
        interrupted(5)

    started = time.monotonic()
    with interrupts_between_graphs(), pytest.raises(KeyboardInterrupt):
        function_of("mindspore.graph.api", "compile")(twice)
    assert time.monotonic() - started < 1


@pytest.mark.usefixtures("own_clock")
def test_an_alarm_of_the_user_stays():
    """A clock that is in use is not taken: the interrupt does not wait."""
    signal.signal(signal.SIGALRM, own := lambda *_: None)
    with interrupts_between_graphs(), pytest.raises(KeyboardInterrupt):
        function_of("mindspore.graph.api", "compile")(interrupted)
    assert signal.getsignal(signal.SIGALRM) is own

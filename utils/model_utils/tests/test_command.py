"""How commands end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from utils.model_utils.signals import taken_signals
from utils.tests.processes import finish

ROOT = Path(__file__).resolve().parents[3]
CLOSED = """
import sys
from utils.model_utils.command import run_command

def main():
    for _ in range(100000):
        print("a line of help")

run_command(main, "train.py")
"""


def test_a_reader_that_goes_away_is_no_fault_of_the_program():
    """`train.py --help | head` closes the pipe after ten lines."""
    command = [sys.executable, "-c", CLOSED]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""


MISSES = """
from utils.model_utils.command import run_command
from utils.model_utils.errors import MissedMetricError

def main():
    raise MissedMetricError("mAP is 0.3000, expected was 0.4: the metric is missed")

run_command(main, "eval.py")
"""


def test_a_missed_metric_is_one_sentence_and_code_1():
    finished = finish(sys.executable, "-c", MISSES, cwd=ROOT)
    sentence = "eval.py: error: mAP is 0.3000, expected was 0.4: the metric is missed\n"
    assert (finished.returncode, finished.stderr) == (1, sentence)


SAYS = """
import logging, sys
from pathlib import Path
from utils.model_utils.command import run_command
from utils.training.record.logging_setup import set_up_logging

def main():
    set_up_logging(Path(sys.argv[1]))
    print("赤血球 0.5")
    logging.getLogger("a").info("class %s", "血小板")

run_command(main, "train.py")
"""


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}],
    ids=str,
)
def test_letters_that_the_output_cannot_take_are_written_escaped(variables, tmp_path):
    """The log file is UTF-8 in any case."""
    log, script = tmp_path / "train.log", tmp_path / "script.py"
    script.write_text(SAYS, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run([sys.executable, script, log], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "\\u8d64\\u8840\\u7403 0.5\n"), done.stderr
    assert done.stderr == "class \\u8840\\u5c0f\\u677f\n"
    assert "class 血小板" in log.read_text(encoding="utf-8")


def test_signals_are_taken_for_a_while_but_not_those_that_are_ignored():
    """... as SIGHUP is after `nohup`."""
    taken = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with taken_signals((signal.SIGHUP, signal.SIGUSR1), lambda number, _frame: taken.append(number)):
            for number in (signal.SIGHUP, signal.SIGUSR1):
                os.kill(os.getpid(), number)
        assert taken == [signal.SIGUSR1]
        assert (signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGUSR1)) == (signal.SIG_IGN, signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGHUP, before)


INTERRUPTED = """
import os, signal
from utils.launch.self_start import start_or_join
from utils.model_utils.command import run_command

def main():
    import mindspore as ms
    from mindspore import nn
    from utils.training.stop_requests import StopRequests

    ms.set_context(mode=ms.GRAPH_MODE)
    with StopRequests() as stop:
        nn.ReLU()(ms.Tensor([1.0]))
        os.kill(os.getpid(), signal.SIGINT)
        print(stop.is_pending)
        os.kill(os.getpid(), signal.SIGTERM)
        print(stop.is_pending)
    raise stop.exception()

run_command(main, "train.py")
"""


def test_in_the_background_of_a_script_ctrl_c_is_ignored_and_sigterm_ends_the_command():
    """... though MindSpore puts a handler of its own in place of SIGINT's with each run of a graph."""
    process = finish("bash", "-c", 'trap "" INT; exec "$@"', "bash", sys.executable, "-c", INTERRUPTED)
    assert process.stdout == "False\nTrue\n", process.stderr
    assert process.returncode == 143


IN_MINDSPORE = """
import os, signal, sys, threading, time
from utils.model_utils.command import run_command
from utils.model_utils.signals import _work_in_hand

def send():
    main_thread = threading.main_thread().ident
    while _work_in_hand(sys._current_frames()[main_thread]) != sys.argv[1]:
        time.sleep(0.001)
    os.kill(os.getpid(), int(sys.argv[2]))

def main():
    threading.Thread(target=send, daemon=True).start()
    import mindspore as ms
    from mindspore import nn

    ms.set_context(mode=ms.GRAPH_MODE)
    nn.SequentialCell(*(nn.Dense(4, 4) for _ in range(100))).compile(ms.Tensor([[1.0] * 4]))
    time.sleep(30)

run_command(main, "train.py")
"""


# MindSpore 2.10.0 reads the clock rate through a pipe to sed, which says this where its reader is gone.
PIPE_OF_MINDSPORE = "sed: couldn't flush stdout: Broken pipe\n"


@pytest.mark.parametrize("work", ["<module>", "compile"])
@pytest.mark.parametrize(("number", "end", "code"), [(signal.SIGINT, "interrupted", 130), (15, "terminated", 143)])
def test_a_signal_while_mindspore_is_imported_or_compiles_is_one_line(work, number, end, code, tmp_path):
    """... and leaves nothing where the user is."""
    command = [sys.executable, "-c", IN_MINDSPORE, work, str(int(number))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120)
    assert (done.returncode, done.stderr.replace(PIPE_OF_MINDSPORE, "", 1)) == (code, f"train.py: {end}\n")
    assert not list(tmp_path.iterdir())


LONG = """
from pathlib import Path
from utils.model_utils.command import run_command
run_command(lambda: Path("n" * 256).stat(), "train.py")
"""


def test_a_name_that_the_file_system_does_not_take_is_a_sentence():
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 2
    sentence = "is too long for the file system: choose a shorter one"
    assert done.stderr == f"train.py: error: the path '{'n' * 56}... {sentence}\n"

"""A command of a suite as a child process: its lines are shown here, Ctrl-C reaches it once, its refusal is raised."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from utils.api.suites import suite_folder
from utils.model_utils.command import EXIT_USER_ERROR
from utils.model_utils.errors import BadStateError, BadValueError

_MARK = ": error: "  # between the name of a command and its sentence


def run_command_of(suite: str, script: str, arguments: Sequence[str]) -> None:
    """Runs a command to its end.

    It has a process group of its own, so that a Ctrl-C in a terminal comes to it through here, and once: a second one
    would break off what the first has asked it to bring to an end.

    Args:
        suite: name of the suite.
        script: file name of the command, e.g. "train.py".
        arguments: of the command.

    Raises:
        BadValueError: the command refuses, in its own sentence.
        BadStateError: it has ended in another way.
        KeyboardInterrupt: Ctrl-C, when it has ended.
    """
    process = subprocess.Popen(
        [sys.executable, str(suite_folder(suite) / script), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        sentence, is_interrupted = _follow(process)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if is_interrupted:
        raise KeyboardInterrupt
    if process.returncode == EXIT_USER_ERROR and sentence:
        raise BadValueError(sentence)
    if process.returncode:
        raise BadStateError(
            f"{script} of {suite} has ended with exit code {process.returncode}: its last lines above say why"
        )


def _follow(process: subprocess.Popen) -> tuple[str, bool]:
    """Shows all lines of a process; returns the sentence with which it refuses, and whether it was interrupted."""
    sentence, is_interrupted = "", False
    while True:
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)  # through sys.stdout, so that a notebook shows it
                sentence = line.partition(_MARK)[2].strip() or sentence
            process.wait()
            return sentence, is_interrupted
        except KeyboardInterrupt:
            is_interrupted = True
            process.send_signal(signal.SIGINT)

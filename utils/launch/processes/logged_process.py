"""The process behind a launcher: started apart from the shell, its output in a log, followed as long as wanted."""

import contextlib
import math
import os
import shlex
import signal
import subprocess
import sys
import time
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.model_utils.errors import BadStateError
from utils.model_utils.files import free_space, is_full
from utils.model_utils.signals import taken_signals

POLL_SECONDS = 0.1  # a person sees output at once, and a core is not busy with looking
LAST_LINES = 20  # a traceback with its sentence fits, a screen is not filled
_LAST_BYTES = 65536  # the last lines are looked for in these; a log may be large
# A closed terminal is a wish to stop as well; the command saves a checkpoint on SIGTERM.
FORWARDED = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}
STOPPING = (signal.SIGINT, signal.SIGTERM)  # of a start in the background, which a closed terminal is not meant to end


class LogFile:
    """A log that grows, from where it ended when this object was made.

    Args:
        path: the file, which may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = path.stat().st_size if path.exists() else 0
        self._position = self._start

    @classmethod
    def whole(cls, path: Path) -> "LogFile":
        """Returns a log from its beginning."""
        log = cls(path)
        log._start = log._position = 0
        return log

    def new_output(self) -> bytes:
        """Returns what was written since the last call."""
        content = self._read(self._position)
        self._position += len(content)
        return content

    def last_lines(self) -> str:
        """Returns the last lines that were written since the start."""
        size = self.path.stat().st_size if self.path.exists() else 0
        content = self._read(max(self._start, size - _LAST_BYTES))
        return "\n".join(content.decode(errors="replace").splitlines()[-LAST_LINES:])

    def _read(self, position: int) -> bytes:
        if not self.path.exists():
            return b""
        with self.path.open("rb") as file:
            file.seek(position)
            return file.read()


class LoggedProcess:
    """A process of its own session, so that it survives the shell, with all its output at the end of a log file.

    Args:
        command: program and arguments.
        log: file to append to.
        environment: variables to add to those of this process.

    Raises:
        BadStateError: if the log cannot be written or the program not be started.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self._output = LogFile(log)
        self._is_asked_to_stop = False
        advice = "check the log file's folder and the interpreter"
        self._process = start_apart(command, log, {**os.environ, **environment}, advice)

    def last_lines(self) -> str:
        """Returns the last lines that the process has written."""
        return self._output.last_lines()

    def leave(self, seconds: float) -> int:
        """Watches the start for so many seconds, then leaves the process alone; returns the exit code of the launcher.

        Where the process ends meanwhile, its last lines are shown and the exit code is its own. Ctrl-C and SIGTERM
        are passed on to it and its end is waited for; a closed terminal leaves it running.
        """
        pid, log = self._process.pid, shlex.quote(str(self.log))
        with taken_signals(STOPPING, self._forward):
            code = self._watch(seconds)
            if code is None and self._is_asked_to_stop:
                print(
                    f"process {pid} is asked to stop and waited for, a second Ctrl-C ends it at once; log: {log}",
                    file=sys.stderr,
                    flush=True,
                )
                code = self._watch(math.inf)
        if code is None:
            print(f"running as process {pid}; follow it with: tail -f {log}; stop it with: kill {pid}")
            return 0
        code = shell_code(code)
        print(self.last_lines(), file=sys.stderr if code else sys.stdout)
        print(f"ended with exit code {code}; log: {log}", file=sys.stderr if code else sys.stdout)
        tell_full_disk(self.log, code)
        return code

    def _watch(self, seconds: float) -> int | None:
        """Waits until the process ends, is asked to stop for the first time or the time is over.

        Returns its exit code; None where it is not known to have ended.
        """
        end, was_asked = time.monotonic() + seconds, self._is_asked_to_stop
        while time.monotonic() < end and self._is_asked_to_stop == was_asked:
            code = self._process.poll()
            if code is not None:
                return code
            time.sleep(POLL_SECONDS)
        return None

    def follow(self, is_shown: bool = True) -> int:
        """Waits until the process ends, copying its output to standard output if it is shown; returns its exit code.

        Ctrl-C, SIGTERM and a closed terminal are passed on to the process, which is waited for.
        """
        with taken_signals(FORWARDED, self._forward):
            code = None
            while code is None:
                code = self._process.poll()
                if is_shown:
                    show(self._output.new_output())
                if code is None:
                    time.sleep(POLL_SECONDS)
            tell_full_disk(self.log, code)
            return shell_code(code)

    def _forward(self, signal_number: int, _frame: types.FrameType | None) -> None:
        self._is_asked_to_stop = True
        if self._process.poll() is None:
            self._process.send_signal(FORWARDED[signal.Signals(signal_number)])


def start_apart(command: Sequence[str], log: Path, environment: Mapping[str, str], advice: str) -> subprocess.Popen:
    """Starts a process of its own session, without input and with all its output at the end of a log file.

    Raises:
        BadStateError: the log cannot be written or the program not be started; the sentence ends with the advice.
    """
    try:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
    except OSError as error:
        room = f", {free_space(log.parent)}" if is_full(error) else ""
        raise BadStateError(f"'{error.filename or log}' cannot be used ({error.strerror}{room}); {advice}") from error


def tell_full_disk(log: Path, code: int) -> None:
    """Says of a process that has failed that its last lines may have found no room in its log, where that is so."""
    with contextlib.suppress(OSError):
        if code and not os.statvfs(log.parent).f_bavail:
            print(
                f"error: the disk of '{log}' is full, so that last lines may be missing: free some space, then start "
                "again",
                file=sys.stderr,
                flush=True,
            )


def show(content: bytes) -> None:
    """Writes to standard output; where that was closed (`| head`), or is full, the log alone has the rest."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    except OSError as error:
        if not (isinstance(error, BrokenPipeError) or is_full(error)):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def shell_code(code: int) -> int:
    """Returns what a shell makes of an exit code: 128 + number for a process that a signal has ended."""
    return 128 - code if code < 0 else code

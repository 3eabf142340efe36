"""A training as a process group of its own, that is watched, killed, and looked for afterwards."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from utils.launch.processes.process_search import marked, using, variable
from utils.model_utils.errors import BadStateError
from utils.tools.torture.small_suites import RUN_NAME

LOOK_SECONDS = 0.0005  # a checkpoint of a small network is written in a few milliseconds
START_SECONDS = 600  # far more than a small training takes on a busy machine
GONE_SECONDS = 5  # what a killed process needs until the kernel has done with it


class StuckError(BadStateError):
    """A training that does not come to its end; it has been killed."""


class Watched:
    """A command that runs; a thread puts all its output at the end of a file, whatever limits the command has.

    Args:
        command: program and arguments.
        here: its working directory, which holds the folder of its run.
        log: the file.
    """

    def __init__(self, command: Sequence[str], here: Path, log: Path) -> None:
        self.here, self._log = here, log
        self._said: list[bytes] = []
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("MS_", "RANK_"))}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=here,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """What it has said; after its end all of it."""
        if not self.is_there():
            self._reader.join(GONE_SECONDS)  # a process that has outlived it may still hold the other end
        return b"".join(self._said).decode(errors="replace")

    def _read(self) -> None:
        with self._log.open("ab", buffering=0) as log:
            for line in self.process.stdout or ():
                self._said.append(line)
                with contextlib.suppress(OSError):  # a full disk of the tool's own: the line counts all the same
                    log.write(line)

    def is_there(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait_for(self, condition: Callable[[], bool], interval: float = LOOK_SECONDS) -> bool:
        """Waits until something is so; returns False where the process ends first.

        Raises:
            StuckError: it takes longer than any small training does.
        """
        while not condition():
            if not self.is_there():
                return False
            if time.monotonic() - self.began > START_SECONDS:
                self.kill()
                raise StuckError(f"a training of {START_SECONDS} s does not get on; its output: '{self._log}'")
            time.sleep(interval)
        return True

    def finish(self, seconds: float = START_SECONDS) -> int:
        """Waits for the end; returns the exit code.

        Raises:
            StuckError: it does not end.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise StuckError(f"a training has not ended after {seconds:g} s; its output: '{self._log}'") from None

    def waits(self, seconds: float, longest: float) -> bool:
        """Waits a while; returns whether the process has ended, which it has to after `longest` seconds in all.

        Raises:
            StuckError: it has not.
        """
        if time.monotonic() - self.began > longest:
            self.kill()
            raise StuckError(f"a training has not ended after {longest:g} s; its output: '{self._log}'")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return not self.is_there()

    def kill(self) -> None:
        """Kills the whole group at once, and what has left it but belongs to the run."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(START_SECONDS)

    def workers(self) -> dict[int, int]:
        """Returns the processes that train, by rank."""
        found = {}
        for pid in self._processes():
            if variable(pid, "MS_ROLE") == "MS_WORKER" and (rank := variable(pid, "RANK_ID") or "").isdigit():
                found[int(rank)] = pid
        return found

    def left_over(self) -> list[int]:
        """Returns the processes of the run that are still there a moment after its end."""
        limit = time.monotonic() + GONE_SECONDS
        while (found := self._processes()) and time.monotonic() < limit:
            time.sleep(0.1)
        return found

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves nothing running, whatever has happened."""
        if self.is_there():
            self.kill()
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _processes(self) -> list[int]:
        """Returns all processes of the run: those that name its folder, and those that carry the mark of its job."""
        run = self.here / RUN_NAME
        return sorted({*using(run), *marked(f"{run}#")})

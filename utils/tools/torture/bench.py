"""Where the tries of a suite are made: its data, its undisturbed trainings, and what each try has to come to."""

import contextlib
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from utils.model_utils.errors import BadStateError, os_errors_as
from utils.model_utils.in_use import claim
from utils.tools.torture.compare import differences, facts_of, unfinished_files, unreadable_files
from utils.tools.torture.moments import STEP, condition_of
from utils.tools.torture.small_suites import BATCH_SIZE, DATA_NAME, EPOCHS, TRAINING, SmallSuite
from utils.tools.torture.watched import START_SECONDS, StuckError, Watched

MARK = ".torture"  # in a folder that may be emptied
SHOWN_DIFFERENCES = 3
EPOCH_SECONDS = 30  # of three steps and a checkpoint: far more than they take on a busy machine
MOST_HURTS = 5  # more give no new moments, and the end of the training is compared the later


@contextlib.contextmanager
def taken_folder(folder: Path) -> Iterator[Path]:
    """Empties a folder that an earlier call has left, or makes it, and keeps other calls from it meanwhile.

    Raises:
        BadStateError: it holds something else, or another call is at work in it.
    """
    mark = folder / MARK
    if folder.exists() and not mark.is_file():
        raise BadStateError(f"'{folder}' is not of this tool and stays as it is; choose another folder with --work")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    taken = claim(mark)
    if taken is None:
        raise BadStateError(f"another call is at work in '{folder}'; wait for it, or choose another folder with --work")
    with taken:
        for path in folder.iterdir():
            if path != mark:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield folder


@dataclass
class Try:
    """A training that was hurt, and what became of it.

    Attributes:
        suite: name of its suite.
        kind: how it was hurt.
        number: counts the tries of the suite.
        moments: each time that it was hurt, with what was seen.
        lost: what is not as it has to be; empty where the training has survived.
        seconds: how long the try took.
    """

    suite: str
    kind: str
    number: int
    moments: list[dict[str, object]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Reference:
    """An undisturbed training: the folder, what it has left, and seconds from its start to its first step."""

    here: Path
    facts: dict[str, object]
    start_seconds: float


class Bench:
    """The tries of one suite.

    Args:
        suite: which.
        folder: for everything; the data is in it.
        draws: all that is random in the tries.
        most_hurts: how often a training is hurt at most.
        epochs: of a long training.

    Attributes:
        patience: seconds after which a training that nobody hurts is stuck.
    """

    def __init__(
        self,
        suite: SmallSuite,
        folder: Path,
        draws: random.Random,
        most_hurts: int = MOST_HURTS,
        epochs: int = EPOCHS,
    ) -> None:
        self.suite, self.folder, self.draws, self._most_hurts, self.epochs = suite, folder, draws, most_hurts, epochs
        self.patience = START_SECONDS + EPOCH_SECONDS * epochs
        self._references: dict[tuple[str, ...], Reference] = {}
        self._number = 0

    def new_try(self, kind: str) -> tuple[Try, Path]:
        """Returns a try, and the name of its folder, which is not there yet."""
        self._number += 1
        return Try(self.suite.name, kind, self._number), self.folder / f"try{self._number}"

    def stuck_try(self, kind: str, error: StuckError) -> Try:
        """Returns the try that was begun last, which has not come to its end."""
        return Try(self.suite.name, kind, self._number, lost=[str(error)])

    def remove(self, tried: Try) -> None:
        """Removes all that a try has left."""
        for path in self.folder.glob(f"try{tried.number}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def draw_count(self) -> int:
        """Returns how often the next training is to be hurt."""
        return self.draws.randint(1, self._most_hurts)

    def fill(self, here: Path, data: Path | None = None) -> Path:
        """Makes the folder of a training, with a copy of the data; by default of the pictures as they were drawn.

        Raises:
            BadStateError: it cannot be made.
        """
        with os_errors_as(BadStateError, f"'{here}' cannot be made", "; free some space, or choose another --work"):
            shutil.copytree(data or self.folder / DATA_NAME, here / DATA_NAME)
        return here

    def keep(self, here: Path) -> None:
        """Copies the folder of a try that was lost from the disk in memory, which goes with all that is on it."""
        with os_errors_as(BadStateError, f"'{here}' cannot be kept", "; free some space, or choose another --work"):
            shutil.copytree(here, here.with_name(f"{here.name}lost"))

    def start(self, here: Path, *arguments: str) -> Watched:
        """Starts a training, or goes on with the one in the folder."""
        return Watched(
            self.suite.command(here, *TRAINING, self.suite.rows_every(1), *arguments), here, self.log_of(here)
        )

    def log_of(self, here: Path) -> Path:
        """Returns the file with the output of all trainings in a folder; it lies beside, where there is always room."""
        return self.folder / f"{here.name}.log"

    def reference(self, *arguments: str) -> Reference:
        """Returns the undisturbed training with these arguments, which is made once.

        Raises:
            BadStateError: it has failed.
        """
        if arguments not in self._references:
            here = self.fill(self.folder / f"reference{len(self._references)}")
            with self.start(here, *arguments) as training:
                training.wait_for(condition_of(STEP, self.suite, here))
                seconds = time.monotonic() - training.began
                code = training.finish(self.patience)
            if code:
                raise BadStateError(
                    f"an undisturbed training ends with exit code {code}; its output: '{self.log_of(here)}'"
                )
            self._references[arguments] = Reference(here, facts_of(self.suite, here), seconds)
        return self._references[arguments]

    def complete(self, tried: Try, here: Path, *arguments: str) -> None:
        """Lets a hurt training come to its end, and notes where it is not what the undisturbed one is."""
        reference = self.reference(*arguments)
        with self.start(here, *arguments) as training:
            code = training.finish(self.patience)
            output = training.output
        if code:
            tried.lost.append(f"goes not on, exit code {code}: {last_line(output)}")
            return
        if "Traceback" in output:
            tried.lost.append("a traceback while it goes on")
        found = differences(facts_of(self.suite, here), reference.facts)
        tried.lost += found[:SHOWN_DIFFERENCES] + [f"{len(found)} differences in all"] * (
            len(found) > SHOWN_DIFFERENCES
        )
        tried.lost += [f"'{name}' is left" for name in unfinished_files(here)]

    def broken(self, here: Path) -> list[str]:
        """Returns what stands half-written in a folder under a name that says that it is whole."""
        return [f"half-written: {name}" for name in unreadable_files(self.suite, here)]


def two_workers() -> tuple[str, ...]:
    """Returns the arguments of a job of two workers, whose steps have the images of one worker's."""
    return ("--run_distribute=True", "--device_num=2", f"--batch_size={BATCH_SIZE // 2}")


def last_line(output: str) -> str:
    """Returns the last line of an output, the sentence of a command that has refused."""
    return next((line for line in reversed(output.splitlines()) if line.strip()), "no output")

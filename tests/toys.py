"""A toy of each suite: trained, evaluated and exported once by the commands that users type, for all tests that ask."""

from functools import cached_property
from pathlib import Path

from tests.suites import Suite


class Toy:
    """A folder with an odd name that holds `my data`, a run on it, and what eval.py and export.py make of that.

    Attributes:
        suite: whose toy it is.
        here: the folder, where the launchers are called.
        run: folder of the run.
        epochs: of the run.
        steps: of an epoch.
    """

    def __init__(self, suite: Suite, folder: Path) -> None:
        # MindSpore's profiler, which one of them runs, refuses quotes in a path
        self.suite, self.here = suite, folder / ("a folder" if suite.name == "nas_fpn" else 'it\'s "here"')
        self.here.mkdir()
        self.data = suite.tiny.write_toy_data(self.here / "my data")
        self.epochs, self.steps = suite.tiny.TOY_EPOCHS, suite.tiny.TOY_STEPS
        launcher, run, log = suite.train
        suite.launch(*launcher, *suite.tiny.TOY, *suite.tiny.TOY_TRAINING, cwd=self.here)
        self.run = self.here / run
        self.log = (self.run / log).read_text()

    def checkpoint(self, epoch: int | str = 0) -> Path:
        """Returns the checkpoint of an epoch, by default the last."""
        return self.run / self.suite.checkpoint.format(epoch=epoch or self.epochs, step=self.steps)

    def loaded_by(self, script: str, checkpoint: Path | None = None) -> str:
        """Returns the argument that gives a command a checkpoint."""
        return f"--{self.suite.checkpoints[script]}={checkpoint or self.checkpoint()}"

    @cached_property
    def evaluated(self) -> Path:
        """The folder that the launcher of eval.py has left."""
        launcher, folder, _ = self.suite.evaluate
        arguments = [str(self.checkpoint()) if word == "CHECKPOINT" else word for word in launcher]
        self.suite.launch(*arguments, *self.suite.tiny.TOY, *self.suite.tiny.TOY_EVALUATION, cwd=self.here)
        return self.here / folder

    @cached_property
    def exported(self) -> Path:
        """The MindIR, beside which its JSON lies and nothing else."""
        folder = self.here / "exported"
        folder.mkdir()
        named = () if self.suite.name == "segformer" else ("--file_name", "toy", "--file_format", "MINDIR")
        self.exporting = self.suite.succeed(
            "export.py",
            *self.suite.tiny.TOY,
            *named,
            f"--{self.suite.checkpoints['export.py']}",
            self.checkpoint(),
            cwd=folder,
        )
        return folder / ("custom.mindir" if self.suite.name == "segformer" else "toy.mindir")

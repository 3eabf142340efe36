"""The commands by name: what each does, and what runs it."""

from dataclasses import dataclass

from utils.api.suites import SUITES

CONVERTER = "SUITE's own"


@dataclass(frozen=True)
class Command:
    """A command of the console.

    Attributes:
        does: its line of the help.
        script: entry script of a suite; empty where the command is none of a suite.
        module: module whose `main` takes the arguments; empty where a script does.
    """

    does: str
    script: str = ""
    module: str = ""

    def script_of(self, suite: str) -> str:
        """Returns the script of a suite, relative to its folder."""
        if self.script != CONVERTER:
            return self.script
        from utils.models.conversion import COMMANDS  # the one command that needs it

        return COMMANDS[suite].converter


COMMANDS = {
    "train": Command("train a network", script="train.py"),
    "eval": Command("evaluate a checkpoint on a data set", script="eval.py"),
    "infer": Command("predict pictures and draw what was found", script="infer.py"),
    "export": Command("write a checkpoint as MINDIR, AIR or ONNX", script="export.py"),
    "convert": Command("make a checkpoint of weights of PyTorch", script=CONVERTER),
    "average": Command("average the weights of a run's last checkpoints", module="utils.training.averaging.command"),
    "doctor": Command("say what is installed, whether it works, and what to mend", module="utils.doctor.__main__"),
    "data": Command("convert, check and show a data set of your own", module="utils.tools.data.__main__"),
    "compare": Command(
        "show runs side by side: numbers, curves, keys that differ", module="utils.tools.compare.__main__"
    ),
    "models": Command("list published weights, and get one as a checkpoint", module="utils.tools.models"),
}
SUITES_SAID = ", ".join(SUITES)

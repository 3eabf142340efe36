"""Converts, checks and shows a data set of one's own.

python -m utils.tools.data convert SOURCE --out FOLDER
python -m utils.tools.data check SUITE [--key=value]...
python -m utils.tools.data show SUITE [--key=value]...
"""

import pkgutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from utils.installation import console_command, module_name
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadValueError, unknown_word

HELP = ("--help", "-h", "help")


@dataclass(frozen=True)
class Action:
    """What can be done to a data set: its line of the help, and the module whose `main` takes the arguments."""

    does: str
    module: str


ACTIONS: dict[str, Action] = {
    "convert": Action("convert a data set to a layout that the suites read", "utils.tools.data.convert"),
    "check": Action("look at a data set and list all that is wrong with it", "utils.tools.data.check"),
    "show": Action("show what the network is fed: pictures, classes, sizes of boxes", "utils.tools.data.show"),
}


def main(arguments: Sequence[str] | None = None) -> int | None:
    """Does what the command line asks for; None takes the arguments of the process.

    Returns:
        The exit code of the action; None for 0.

    Raises:
        BadValueError: there is no such action.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in HELP:
        print(help_text())
        return None
    name, *others = given
    if name not in ACTIONS:
        raise BadValueError(unknown_word("action", name, ACTIONS))
    return pkgutil.resolve_name(f"{module_name(ACTIONS[name].module)}:main")(others)


def help_text() -> str:
    """Returns what `--help` prints."""
    width = max(map(len, ACTIONS), default=0)
    return "\n".join(
        [
            f"usage: {console_command('data', 'ACTION', '...')}",
            *(f"  {name:{width}}  {action.does}" for name, action in ACTIONS.items()),
            "",
            f"What an action takes: {console_command('data', 'ACTION', '--help')}",
        ]
    )


if __name__ == "__main__":
    run_command(main, "data")

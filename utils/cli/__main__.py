"""Runs a command by name.

mszoo COMMAND SUITE [--key=value]...    train, eval, infer, export, convert
mszoo COMMAND [ARGUMENT]...             data, compare, models, doctor

A command of a suite is its entry script: this process becomes it, so that arguments, output, signals and exit code are
the script's own.
"""

import os
import pkgutil
import sys
from collections.abc import Sequence

from utils.api.suites import SUITES
from utils.cli.table import COMMANDS, SUITES_SAID, Command
from utils.installation import ROOT, console_command, module_name, version
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadValueError, unknown_word

HELP = ("--help", "-h")


def main(arguments: Sequence[str]) -> int | None:
    """Runs the command that the arguments begin with; does not return where that is a suite's.

    Raises:
        BadValueError: there is no such command, or no such suite.
    """
    if not arguments or arguments[0] in (*HELP, "help"):
        print(help_text())
        return None
    name, *others = arguments
    if name == "--version":
        print(f"mszoo {version()}")
        return None
    if name not in COMMANDS:
        raise BadValueError(unknown_word("command", name, COMMANDS))
    command = COMMANDS[name]
    if command.module:
        return pkgutil.resolve_name(f"{module_name(command.module)}:main")(others)
    _run_script(name, command, others)
    return None


def _run_script(name: str, command: Command, arguments: Sequence[str]) -> None:
    usage = console_command(name, "SUITE", "[--key=value]...")
    if arguments and arguments[0] in HELP:
        print(f"{usage}\n{command.does}; SUITE is one of {SUITES_SAID}, and SUITE --help shows the keys")
        return
    if not arguments:
        raise BadValueError(f"'{name}' needs a suite, wanted one of: {SUITES_SAID} ({usage})")
    suite, *others = arguments
    if suite not in SUITES:
        raise BadValueError(unknown_word("suite", suite, SUITES))
    script = ROOT / suite / command.script_of(suite)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, str(script), *others])


def help_text() -> str:
    """Returns what `--help` prints."""
    width = max(map(len, COMMANDS))
    of_suites, others = ([(n, c) for n, c in COMMANDS.items() if bool(c.script) is is_of] for is_of in (True, False))
    return "\n".join(
        [
            f"usage: {console_command('COMMAND', 'SUITE', '[--key=value]...')}",
            *(f"  {name:{width}}  {command.does}" for name, command in of_suites),
            f"usage: {console_command('COMMAND', '[ARGUMENT]...')}",
            *(f"  {name:{width}}  {command.does}" for name, command in others),
            "",
            f"SUITE: {SUITES_SAID}",
            f"The keys of a command: {console_command('infer', 'segformer', '--help')}",
            f"Launchers, for several devices and the C++ program: bash {ROOT}/SUITE/scripts/NAME.sh",
        ]
    )


def run() -> None:
    """Runs the command of the process."""
    run_command(lambda: main(sys.argv[1:]), "mszoo")


if __name__ == "__main__":
    run()

"""What the launcher of a suite says of itself on its one line, and what its user may ask of every launcher."""

import argparse
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.launch.user_arguments import Launcher, Positional
from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.numbers import number_or_nan

DRY_RUN = "--dry_run"


def read_launcher(argv: Sequence[str]) -> tuple[Launcher, list[str]]:
    """Splits what the launcher says from what its user has typed, which stands after `--`."""
    cut = list(argv).index("--")
    parser = argparse.ArgumentParser()
    for name, kind in (("--program", str), ("--command", Path), ("--folder", str), ("--log", str)):
        parser.add_argument(name, type=kind, required=True)
    parser.add_argument("--device_target", default="")
    parser.add_argument("--devices", dest="leading", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--quiet", dest="is_quiet", action="store_true")
    parser.add_argument("--needs", action="append", default=[])
    parser.add_argument("--takes", action="append", default=[])
    values = vars(parser.parse_args(argv[:cut]))
    positionals = (
        *(Positional.parse(text, is_optional=False) for text in values.pop("needs")),
        *(Positional.parse(text, is_optional=True) for text in values.pop("takes")),
    )
    return Launcher(**values, positionals=positionals), list(argv[cut + 1 :])


def take_dry_run(given: Sequence[str]) -> tuple[bool, list[str]]:
    """Says whether a user only wants to see what would be started; returns the other arguments too.

    Those are spelled alike: `--run-dir X` is `--run_dir=X`, as it is for the commands.

    Raises:
        BadValueError: --dry_run has a value.
    """
    rest = []
    for text in given:
        name, has_value, _ = text.partition("=")
        if name.replace("-", "_") != DRY_RUN.replace("-", "_"):
            rest.append(text)
        elif has_value:
            raise BadValueError(f"'{text}', wanted {DRY_RUN}")
    return len(rest) < len(given), _spelled_alike(rest)


def _spelled_alike(given: Sequence[str]) -> list[str]:
    """Returns arguments with each option in one piece, and underscores in its name."""
    result: list[str] = []
    for text in given:
        name, has_value, value = text.partition("=")
        if name.startswith("--"):
            result.append(f"--{name[2:].replace('-', '_')}{has_value}{value}")
        elif result and result[-1].startswith("--") and "=" not in result[-1]:
            result[-1] += f"={text}"
        else:
            result.append(text)
    return result


def spelled(command: Sequence[str], variables: Mapping[str, str]) -> str:
    """Returns a command with variables of its own as one types it in a shell."""
    return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), shlex.join(command)])


def is_set(variable: str) -> bool:
    """Returns whether an environment variable is 1.

    Raises:
        BadValueError: it is neither 1 nor 0.
    """
    text = os.environ.get(variable, "")
    if text not in ("", "0", "1"):
        raise BadValueError(f"environment variable {variable} is {short(text)}, wanted 1 or 0: correct or unset it")
    return text == "1"


def startup_seconds(default: float) -> float:
    """Returns how long a background start is watched, STARTUP_SECONDS of the environment.

    Raises:
        BadValueError: that is no number of seconds.
    """
    text = os.environ.get("STARTUP_SECONDS", "")
    seconds = number_or_nan(text) if text else default
    if not 0 <= seconds < float("inf"):
        raise BadValueError(
            f"environment variable STARTUP_SECONDS is {short(text)}, wanted a number of seconds: correct or unset it"
        )
    return seconds

"""What the launcher of a suite says of itself on its one line, and the variables that its user may set."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from utils.launch.user_arguments import Launcher, Positional
from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.numbers import number_or_nan


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

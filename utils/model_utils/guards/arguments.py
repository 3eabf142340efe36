"""Arguments of the commands that have no configuration, refused in one sentence."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.numbers import is_whole_number, number_or_nan


class SentenceParser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the many arguments that argparse writes before it."""

    def error(self, message: str) -> NoReturn:
        """Raises the sentence that argparse would print."""
        raise BadValueError(f"command line: {message}; --help lists the arguments")


def share(text: str) -> float:
    """Returns a share of something that cannot be all of it.

    Raises:
        ArgumentTypeError: it is none.
    """
    value = number_or_nan(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{short(text)}, wanted a number from 0 to below 1")
    return value


def whole_number(least: int = 0) -> Callable[[str], int]:
    """Returns what reads a whole number that is not below `least`, or raises ArgumentTypeError."""

    def read(text: str) -> int:
        if not is_whole_number(text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{short(text)}, wanted a whole number from {least} on")
        return int(text)

    return read


def truth(text: str) -> bool:
    """Returns what True or False says, in any case.

    Raises:
        ArgumentTypeError: it is neither.
    """
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{short(text)} is neither True nor False")
    return text.lower() == "true"

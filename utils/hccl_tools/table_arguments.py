"""Arguments that the commands on a finished table share."""

import argparse
import math
from pathlib import Path

from utils.model_utils.errors import short
from utils.model_utils.guards.numbers import number_or_nan

WAIT_SECONDS = 60.0  # ModelArts completes a table some seconds after the containers have started


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds FILE and --wait_seconds."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="rank table, or the folder in which ModelArts writes jobstart_hccl.json"
    )
    parser.add_argument(
        "--wait_seconds",
        type=_seconds,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help='how long a table may be pending (status "initializing"), %(default)g if not given',
    )


def _seconds(text: str) -> float:
    seconds = number_or_nan(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{short(text)}, wanted a number of seconds, 0 or more")
    return seconds

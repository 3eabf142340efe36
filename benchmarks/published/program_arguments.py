"""The arguments that the programs of `openmmlab.py` share."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def program_parser(program: str, description: str, use: str, names: Sequence[str]) -> argparse.ArgumentParser:
    """Returns a parser of COMMAND NAME WEIGHTS, the photographs, and where the results go.

    Args:
        program: name of its file, without the ending.
        description: of the program.
        use: the command beside `make`.
        names: of what it runs.
    """
    parser = argparse.ArgumentParser(
        prog=f"openmmlab.py {program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("make", use))
    parser.add_argument("name", choices=names)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--photos", nargs="+", required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the random weights")
    parser.add_argument("--threads", type=int, default=2)
    return parser

"""Lists the operators of a graph, and whether the installed mindspore names them in its libraries for Ascend.

python -m utils.tools.ascend_check FILE.mindir
python -m utils.tools.ascend_check SUITE          (its graphs of training, evaluation and export, in small)
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.api.suites import SUITES, open_small_graphs
from utils.exporting.ascend_libraries import ADAPTERS, KERNELS, AscendNames, read_ascend_names
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError

MEANING = f"""
kernel: {KERNELS} names the operator, as a class of its own or as a function of CANN.
adapter: {ADAPTERS}, which hands whole graphs to CANN, names it.
A name shows that this mindspore was built with the operator in mind. It does not show that a device takes it with these
types and shapes, nor that MindSpore Lite of another version does; only a run there shows that. What neither names may
still be there under another name: look it up before you count on it."""


def main(argv: Sequence[str]) -> int:
    """Prints a table for each graph."""
    if len(argv) != 1 or argv[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    names = read_ascend_names()
    if names is None:
        raise BadStateError(
            f"the installed mindspore has no {KERNELS} and no {ADAPTERS}: install one of PyPI's wheels for Linux"
        )
    for title, primitives in graphs_of(argv[0]).items():
        print(format_table(title, primitives, names))
    print(MEANING)
    return 0


def graphs_of(wanted: str) -> Mapping[str, Counter[str]]:
    """Returns the primitives of a file, or of each graph of a suite.

    Raises:
        BadValueError: it is neither.
    """
    if wanted in SUITES:
        return open_small_graphs(wanted)
    if not Path(wanted).is_file():
        raise BadValueError(f"'{wanted}' is no file and no suite: give a MindIR or one of {', '.join(SUITES)}")
    from utils.exporting.primitives import primitives_of  # imports MindSpore

    return {wanted: primitives_of(Path(wanted))}


def format_table(title: str, primitives: Counter[str], names: AscendNames) -> str:
    """Returns a line for each primitive, by name."""
    width = max((len(name) for name in primitives), default=0)
    lines = [f"{title}: {sum(primitives.values())} operators of {len(primitives)} kinds"]
    for name, count in sorted(primitives.items()):
        places = (names.has_kernel(name) and "kernel", names.has_adapter(name) and "adapter")
        found = ", ".join(place for place in places if place) or "NOT NAMED"
        lines.append(f"  {name:{width}} {count:5}  {found}")
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(lambda: main(sys.argv[1:]), "ascend_check.py")

"""Averages the weights of checkpoints of one run into a file of weights.

python -m utils.cli average CHECKPOINT CHECKPOINT ... --out FILE
python -m utils.cli average --run RUN --last N [--out FILE]
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.installation import console_command
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.files import make_writable_folder
from utils.model_utils.guards.arguments import SentenceParser, whole_number
from utils.words import agreed, counted

# Epoch and step, or epoch alone, at the end of a checkpoint's name; what stands before them is the same in a run.
# resnet50.ckpt has none.
_PLACE = re.compile(r"(?P<name>.*?)[-_](?P<first>\d+)(?:_(?P<second>\d+))?\.ckpt", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> None:
    """Does what the command line asks for; None takes the arguments of the process.

    Raises:
        UserError: arguments contradict each other, a file is missing, is of another network, or is in the way.
    """
    given = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    if bool(given.checkpoints) == bool(given.run):
        raise BadValueError("name the checkpoints, or a run with --run=RUN and --last=N: one of the two")
    if given.run and given.last is None:
        raise BadValueError("--run needs --last=N, the number of its last checkpoints")
    if given.checkpoints and not given.out:
        raise BadValueError("the file to write is not given: name it with --out=FILE")
    paths = [Path(path) for path in given.checkpoints] or last_checkpoints(Path(given.run), given.last)
    output = Path(given.out) if given.out else paths[-1].with_name(f"average_of_{len(paths)}.ckpt")
    if output.is_dir():
        raise BadStateError(f"output '{output}' is a folder; give the name of a file, e.g. --out={output}/average.ckpt")
    if any(output.exists() and path.exists() and output.samefile(path) for path in paths):
        raise BadStateError(f"output '{output}' is one of the checkpoints; choose another --out")
    if output.exists() and not given.overwrite:
        raise BadStateError(f"output '{output}' is there already; choose another --out, or replace it with --overwrite")
    from utils.training.averaging.average import average_checkpoints  # MindSpore takes seconds to import
    from utils.training.checkpoints.checkpoint import save_checkpoint

    state = average_checkpoints(paths)
    make_writable_folder(output.parent, "--out")
    save_checkpoint(output, state)
    for path in paths:
        print(path)
    print(f"averaged {counted(len(state.arrays), 'parameter')} of {counted(len(paths), 'checkpoint')}: {output}")


def last_checkpoints(run: Path, count: int) -> list[Path]:
    """Returns the last checkpoints of a run, the oldest first; the best one, which is one of them, does not count.

    Args:
        run: folder of the run.
        count: how many.

    Raises:
        MissingPathError: there is no such folder.
        BadValueError: it has fewer checkpoints, or has them in several folders or of several names.
    """
    if not run.is_dir():
        raise MissingPathError(f"run folder '{run}' is not there: give the folder of a training")
    found, names = [], set()
    for path in run.rglob("*.ckpt"):
        place = _PLACE.fullmatch(path.name)
        if place and not path.name.startswith((".", "average_of_")):
            found.append((int(place["first"]), int(place["second"] or 0), path))
            names.add(place["name"])
    folders = sorted({str(path.parent) for *_, path in found})
    if len(folders) > 1:
        raise BadValueError(
            f"'{run}' has checkpoints in {len(folders)} folders, such as {folders[0]} and {folders[1]}: give one of "
            "them with --run"
        )
    if len(names) > 1:
        raise BadValueError(
            f"'{run}' has checkpoints of {len(names)} names, {' and '.join(map(repr, sorted(names)[:2]))}: give the "
            "files themselves in place of --run"
        )
    if len(found) < count:
        raise BadValueError(
            f"'{run}' has {counted(len(found), 'checkpoint')} of epochs and --last is {count}: lower it; "
            f"keep_checkpoint_max says how many {agreed(count, 'is', 'are')} kept"
        )
    return [path for *_, path in sorted(found)[-count:]]


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog=console_command("average"),
        description="Averages the weights of checkpoints of one run, the oldest first, into a file of weights that "
        "eval.py, infer.py and export.py take.",
        allow_abbrev=False,
    )
    parser.add_argument("checkpoints", nargs="*", metavar="CHECKPOINT", help="two files or more")
    parser.add_argument("--run", default="", help="average the last checkpoints of the run in this folder")
    parser.add_argument("--last", type=whole_number(2), metavar="N", help="how many of them, two or more")
    parser.add_argument(
        "--out", default="", metavar="FILE", help="file to write; with --run, average_of_N.ckpt beside the others"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    return parser


if __name__ == "__main__":
    run_command(main, "average")

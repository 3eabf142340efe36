"""Shows what a network is fed: pictures after augmentation with what it is to learn of them, and what they hold.

python -m utils.tools.data show SUITE [--key=value]... [--out FOLDER] [--pictures 16] [--epoch 1]
"""

import argparse
import itertools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from utils.api.suites import SUITES, open_build, open_config
from utils.drawing.guard import guard_drawing
from utils.images import write_image
from utils.installation import console_command
from utils.model_utils.command import run_command
from utils.model_utils.errors import BadValueError
from utils.model_utils.files import GO_ON, check_writable_folder, write_file
from utils.model_utils.guards.arguments import SentenceParser, whole_number
from utils.progress import track
from utils.training.pictures.batch_view import MOST_PICTURES, Batch, BatchView, draw_sheet
from utils.training.record.logging_setup import set_up_logging

FOLDER = "data_show"
MOST_SURVEYED = 500  # pictures that are counted: enough for shares of a few percent, and read within seconds

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Shows the training set of a suite as its configuration has it.

    Args:
        arguments: of the command line; None for those of the process.

    Raises:
        UserError: a key, the data or the folder cannot be used.
    """
    given, keys = _parser().parse_known_args(arguments)
    set_up_logging()
    config = open_config(given.suite).load(keys, "train.py")
    folder = given.out or config.results_folder() / FOLDER
    check_writable_folder(folder, "--out")
    with open_build(given.suite).open_batch_view(config) as view:
        if view.source.steps_per_epoch < 1:
            raise BadValueError(
                f"the training set has fewer images than one step takes ({view.source.images_per_step}): lower "
                "--batch_size or add images"
            )
        show(view, folder, given.epoch, given.pictures)


def show(view: BatchView, folder: Path, epoch: int, num_pictures: int) -> None:
    """Writes a sheet of pictures and figures of what they hold; prints where they are, and what was counted.

    Args:
        view: shows the batches.
        folder: takes the files.
        epoch: whose pictures are shown, from 1.
        num_pictures: on the sheet.
    """
    survey = view.survey()
    shown: list[Batch] = []
    names: list[str] = []
    for step, batch in enumerate(_batches(view, epoch)):
        if len(names) < num_pictures:
            shown.append(batch)
            names += view.names(epoch, step)
        survey.add(_without_fillers(view, batch, epoch, step))
    sheet_batch = tuple(np.concatenate(columns)[:num_pictures] for columns in zip(*shown, strict=True))
    paths = [folder / "pictures.png"]
    write_image(paths[0], draw_sheet(view, sheet_batch, names[:num_pictures], f"epoch {epoch}"))
    with guard_drawing(f"the figures in '{folder}'"):
        for name, content in survey.figures().items():
            paths.append(folder / name)
            write_file(paths[-1], content, GO_ON)
    print("\n".join([*survey.lines(), *map(str, paths)]))


def _batches(view: BatchView, epoch: int) -> Iterator[Batch]:
    """Yields the first batches of an epoch, as many as are counted."""
    source = view.source
    count = min(source.steps_per_epoch, -(-MOST_SURVEYED // source.images_per_step))
    return track(itertools.islice(source.batches(epoch), count), count, "reading batches")


def _without_fillers(view: BatchView, batch: Batch, epoch: int, step: int) -> Batch:
    """Leaves out the pictures that only fill the last batch of an epoch."""
    is_filler = view.source.epochs.own_items(epoch, step)[1][0]
    return tuple(array[~is_filler] for array in batch) if is_filler.any() else batch


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(
        prog=console_command("data", "show"),
        usage=f"{console_command('data', 'show', 'SUITE')} [--key=value]... [--out FOLDER] [--pictures N] [--epoch N]",
        description="Shows what the network is fed, after augmentation: pictures, classes, sizes of boxes. SUITE is "
        f"one of {', '.join(SUITES)}. Its keys are those of train.py: `{console_command('train', 'SUITE')} --help` "
        "lists them.",
        allow_abbrev=False,
    )
    parser.add_argument("suite", metavar="SUITE", help=argparse.SUPPRESS)
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help=f"folder for the pictures; by default '{FOLDER}' in run_dir"
    )
    parser.add_argument(
        "--pictures",
        type=whole_number(1),
        default=MOST_PICTURES,
        metavar="N",
        help="pictures on the sheet; %(default)s by default",
    )
    parser.add_argument(
        "--epoch",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="epoch whose augmentation is shown; %(default)s by default",
    )
    return parser


if __name__ == "__main__":
    run_command(main, "data show")

"""Draws street scenes with labels: one data set in the layouts of COCO 2017 and Cityscapes, in one folder.

python utils/sample_data/toy_town.py OUT [--train 96] [--val 32] [--height 512] [--width 1024] [--seed 1]
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

if not __package__:  # run as a file: this folder is on the path in the repository root's stead
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    import utils  # noqa: F401  (refuses another Python, which has no OpenCV)

import cv2
import filelock
from rich.progress import track

from utils.model_utils.command import run_command
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.in_use import claim_all
from utils.sample_data import write_cityscapes, write_coco
from utils.sample_data.files import write_json
from utils.sample_data.labels import targets
from utils.sample_data.render import SPLITS, draw_picture

LAYOUTS = {"coco": write_coco, "cityscapes": write_cityscapes}
MARKER, LOCK = "toy_town.json", ".toy_town.lock"
VERSION = 4  # raised when the same seed gives other pictures, so that old folders are drawn again
SIDES = (64, 4096)  # pixels
WIDEST, NARROWEST = 4.0, 0.5  # width / height
SUFFIXES = (".jpg", ".png", ".json")


@dataclass(frozen=True)
class Options:
    """What decides the content of a data set.

    Args:
        train: number of training pictures.
        val: number of validation pictures.
        height: rows.
        width: columns.
        seed: not negative.
        layouts: of LAYOUTS, in its order.
        version: of the drawing.
    """

    train: int = 96
    val: int = 32
    height: int = 512
    width: int = 1024
    seed: int = 1
    layouts: tuple[str, ...] = ("coco", "cityscapes")
    version: int = VERSION

    def check(self) -> None:
        """Raises BadValueError, with one sentence, for what cannot be drawn."""
        for name in ("train", "val", "seed"):
            if getattr(self, name) < 0:
                raise BadValueError(f"--{name} is {getattr(self, name)}, but must be 0 or more")
        if self.train + self.val == 0:
            raise BadValueError("--train and --val are both 0, so there is nothing to draw; give at least one picture")
        for name in ("height", "width"):
            if not SIDES[0] <= getattr(self, name) <= SIDES[1]:
                raise BadValueError(f"--{name} is {getattr(self, name)}, but must be {SIDES[0]} to {SIDES[1]} pixels")
        if not NARROWEST <= self.width / self.height <= WIDEST:
            raise BadValueError(
                f"--width {self.width} and --height {self.height} give a picture {self.width / self.height:.2f} "
                f"times as wide as high, but {NARROWEST} to {WIDEST} can be drawn"
            )
        unknown = [name for name in self.layouts if name not in LAYOUTS]
        if unknown or not self.layouts:
            raise BadValueError(f"--layouts names '{','.join(unknown)}', but the layouts are {', '.join(LAYOUTS)}")


def make_toy_town(root: Path, options: Options, workers: int = 2) -> bool:
    """Draws a data set, or keeps the finished one that is there.

    Args:
        root: folder for it; made where it is missing.
        options: what to draw.
        workers: processes; the pictures do not depend on it.

    Returns:
        Whether anything was drawn.

    Raises:
        BadValueError: when an option cannot be used.
        MissingPathError: when `root` is not a folder.
        BadStateError: when `root` holds other files, is in use, or cannot be written.
    """
    options.check()
    if workers < 1:
        raise BadValueError(f"--workers is {workers}, but must be 1 or more")
    if root.exists() and not root.is_dir():
        raise MissingPathError(f"'{root}' is a file, but a folder is needed for the data set; give another name")
    try:
        if (finished := _finished_options(root)) == asdict(options) | {"layouts": list(options.layouts)}:
            return False
        if finished:
            print(f"toy_town: '{root}' was drawn with other options, or by another version: it is drawn anew")
        root.mkdir(parents=True, exist_ok=True)
        if not (root / MARKER).exists() and any(path.name != LOCK for path in root.iterdir()):
            raise BadStateError(f"'{root}' holds files that toy_town did not write; give an empty or new folder")
        with filelock.FileLock(root / LOCK, timeout=0), _claim_labels(root):
            _draw_all(root, options, min(workers, os.cpu_count() or 1))
    except filelock.Timeout:
        raise BadStateError(f"'{root}' is being written by another process; wait or give another folder") from None
    except OSError as error:
        raise BadStateError(
            f"cannot write the data set to '{root}': {error.strerror or error}; free some space or give another folder"
        ) from error
    return True


def _finished_options(root: Path) -> dict | None:
    """The options of the finished data set in a folder, None when there is none."""
    try:
        marker = json.loads((root / MARKER).read_text())
    except (OSError, ValueError):
        return None
    return marker.get("options") if isinstance(marker, dict) and marker.get("finished") is True else None


def _claim_labels(root: Path) -> ExitStack:
    """Makes sure that nobody trains on the labels that are there, until what it returns is closed.

    A training of SegFormer holds the folder of its split and reads pictures and labels anew in each epoch. (A detector
    reads its MindRecord files, which stay.)

    Raises:
        BadStateError: somebody does.
    """

    def refusal(folder: Path) -> BadStateError:
        return BadStateError(
            f"'{folder}' is being read by a training or an evaluation: wait until it has ended, or give another folder"
        )

    return claim_all(filter(Path.is_dir, (root / write_cityscapes.LABELS / split for split in SPLITS)), refusal)


def _draw_all(root: Path, options: Options, workers: int) -> None:
    """Draws every picture; the marker says finished only at the end."""
    content = {"options": asdict(options), "finished": False}
    write_json(root / MARKER, content)
    _clear(root)
    jobs = [(str(root), options, split, index) for split in SPLITS for index in range(getattr(options, split))]
    records = list(_shown(_run(jobs, workers), len(jobs)))
    if "coco" in options.layouts:
        write_coco.write_annotations(root, "train", records[: options.train])
        write_coco.write_annotations(root, "val", records[options.train :])
    write_json(root / MARKER, content | {"finished": True})


def _clear(root: Path) -> None:
    """Removes the pictures and labels of an earlier data set, and nothing else."""
    for folder in [root / name for layout in LAYOUTS.values() for name in layout.folder_names()]:
        for path in folder.rglob("*") if folder.is_dir() and not folder.is_symlink() else ():
            if path.suffix in (*SUFFIXES, ".tmp") and path.is_file():
                path.unlink()


def _run(jobs: list[tuple], workers: int) -> Iterator[dict | None]:
    """Runs the jobs here or in a pool; results come in the order of the jobs."""
    if workers == 1:
        yield from map(_draw_one, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        try:
            yield from pool.map(_draw_one, jobs, chunksize=2)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _draw_one(job: tuple[str, Options, str, int]) -> dict | None:
    """Draws and writes one picture; returns its COCO records when that layout is wanted."""
    root, options, split, index = job
    picture = draw_picture(options.seed, split, index, options.height, options.width)
    if "cityscapes" in options.layouts:
        write_cityscapes.write_picture(Path(root), split, index, picture.image, picture.outlines, picture.indices)
    if "coco" not in options.layouts:
        return None
    found = targets(picture.outlines, picture.indices)
    return write_coco.write_picture(Path(root), split, index, picture.image, found)


def _shown(results: Iterable, total: int) -> Iterator:
    """Passes results on, with a progress bar on a terminal and a line every tenth elsewhere."""
    if sys.stdout.isatty():
        yield from track(results, "drawing toy_town", total)
        return
    for count, result in enumerate(results, 1):
        if count * 10 // total > (count - 1) * 10 // total:
            print(f"toy_town: {count} of {total} pictures", flush=True)
        yield result


def main() -> int:
    """Reads the command line and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the data set")
    for name, text in (
        ("train", "number of training pictures"),
        ("val", "number of validation pictures"),
        ("height", "rows of a picture"),
        ("width", "columns of a picture"),
        ("seed", "another seed draws another town"),
    ):
        parser.add_argument(f"--{name}", type=int, default=getattr(Options, name), help=text)
    parser.add_argument("--layouts", default="coco,cityscapes", help="which layouts to write")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.layouts.split(",") if name.strip()]
    layouts = tuple(sorted(set(names), key=lambda name: [*LAYOUTS, name].index(name)))
    options = Options(arguments.train, arguments.val, arguments.height, arguments.width, arguments.seed, layouts)
    drawn = make_toy_town(arguments.out, options, arguments.workers)
    pictures = f"{options.train} train and {options.val} val pictures of {options.height}x{options.width}"
    print(f"toy_town: {'drew' if drawn else 'kept'} {pictures} in {arguments.out}")
    return 0


if __name__ == "__main__":
    run_command(main, "toy_town.py")

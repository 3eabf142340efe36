"""From the annotations of Cityscapes to labels of train ids, file by file and in several processes."""

import contextlib
import io
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.preparation.json2labelImg import createLabelImage

from utils.image_files import evenly_spread
from utils.model_utils.device_adapter import available_cores
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, UserError
from utils.model_utils.files import write_file
from utils.model_utils.guards.pixel_limit import check_pixels, most_megapixels, set_most_megapixels
from utils.progress import track
from utils.words import agreed, counted

from .classes import CITYSCAPES_CLASS_NAMES, LARGEST_ID, train_id_table
from .files import claim_labels, is_finished_label, read_label
from .sources import FOLDER, IDS_ENDING, LABEL_ENDING, POLYGONS_ENDING

_LOOKED_AT = 8  # annotations that are drawn to see whether their labels are old, a second of Cityscapes' pictures
_LEFTOVER_SECONDS = 60.0  # a file is under its temporary name for milliseconds, on a slow disk for seconds
# What reading an annotation raises on wrong content; each is the file's fault, not the program's.
_CONTENT_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
                   MemoryError)  # fmt: skip

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion came to.

    Attributes:
        from_ids: labels made from labelIds files.
        from_polygons: labels drawn from polygons.
        skipped: labels that were there already.
        failed: annotations that could not be converted.
        seconds: it took.
    """

    from_ids: int
    from_polygons: int
    skipped: int
    failed: int
    seconds: float

    def check(self) -> None:
        """Raises BadValueError if a file could not be converted."""
        if self.failed:
            raise BadValueError(
                f"{self.failed} annotations, named above, could not be converted; mend them, or move them away, and "
                "give the command again: it goes on with what is missing"
            )


@dataclass(frozen=True)
class _Outcome:
    """What came of one annotation.

    Attributes:
        fault: what is wrong with it, "" where a label was made.
        has_class: whether a pixel of the label has a class.
    """

    fault: str = ""
    has_class: bool = True


def format_report(report: ConversionReport) -> str:
    """Returns e.g. `made 3 labels (2 from labelIds, 1 from polygons) in 0.2 s; 0 were there already, 0 failed`."""
    return (
        f"made {counted(report.from_ids + report.from_polygons, 'label')} ({report.from_ids:,} from labelIds, "
        f"{report.from_polygons:,} from polygons) in {report.seconds:.1f} s; {report.skipped:,} "
        f"{agreed(report.skipped, 'was', 'were')} there already, {report.failed:,} failed"
    )


def convert_labels(root: Path, processes: int, *, prefers_polygons: bool = False) -> ConversionReport:
    """Makes the labels of all splits that are missing or damaged.

    Each is written under a temporary name and renamed. An annotation that cannot be converted is named in the log, and
    the others are converted all the same.

    Args:
        root: folder that holds gtFine.
        processes: to work in; never more than cores, or than labels to make.
        prefers_polygons: draw the polygons where there are both; see `find_annotations`.

    Raises:
        BadValueError: `processes` is not positive.
        MissingPathError: there is no folder gtFine, or it holds no annotations.
        BadStateError: a label cannot be written, or one that would be replaced is being read.
    """
    started = time.perf_counter()
    if processes < 1:
        raise BadValueError(f"--nproc is {processes}, wanted 1 or more processes")
    sources = find_annotations(root, prefers_polygons=prefers_polygons)
    jobs = [source for source in sources if not is_finished_label(target_of(source))]
    processes = min(processes, available_cores(), max(1, len(jobs)))
    num_ids, done = sum(_ending(source) == IDS_ENDING for source in jobs), len(sources) - len(jobs)
    logger.info(
        "%s to make with %s, %d from labelIds and %d from polygons%s; %d %s there already",
        counted(len(jobs), "label"),
        counted(processes, "process"),
        num_ids,
        len(jobs) - num_ids,
        "" if prefers_polygons else ", which are drawn where there are no labelIds",
        done,
        agreed(done, "is", "are"),
    )
    made = {POLYGONS_ENDING: 0, IDS_ENDING: 0}
    void: list[Path] = []
    with claim_labels(root, [target_of(source) for source in jobs if target_of(source).exists()]):
        for source, outcome in zip(jobs, track(_run(jobs, processes), len(jobs), "making labels"), strict=True):
            if outcome.fault:
                logger.warning("%s", outcome.fault)
                continue
            made[_ending(source)] += 1
            if _ending(source) == IDS_ENDING and not outcome.has_class:
                void.append(source)
    _warn_of_other_ids(void, made[IDS_ENDING])
    _warn_of_old_labels(sorted(set(sources).difference(jobs)))
    if prefers_polygons and done:
        logger.warning(
            "%s there already, of whatever kind, %s as %s: remove %s to have the polygons drawn",
            counted(done, "label"),
            agreed(done, "stays", "stay"),
            agreed(done, "it is", "they are"),
            agreed(done, "it", "them"),
        )
    return ConversionReport(
        from_polygons=made[POLYGONS_ENDING],
        from_ids=made[IDS_ENDING],
        skipped=len(sources) - len(jobs),
        failed=len(jobs) - sum(made.values()),
        seconds=time.perf_counter() - started,
    )


def find_annotations(root: Path, *, prefers_polygons: bool = False) -> list[Path]:
    """Returns the labelIds files of `root`/gtFine, and the polygons where there are none, sorted.

    Leftovers of a conversion that was killed are removed. Where there are both, the labelIds are the published ground
    truth; polygons drawn again differ from it in 0.3 to 0.6 % of the pixels.

    Args:
        root: folder that holds gtFine.
        prefers_polygons: take the polygons where there are both.

    Raises:
        MissingPathError: there is no folder gtFine, or it holds no annotations.
    """
    folder = Path(root) / FOLDER
    if not folder.is_dir():
        raise MissingPathError(
            f"'{folder}' is not a folder; give the folder that holds gtFine, as in: convert_dataset.py data/cityscapes"
        )
    chosen: dict[str, Path] = {}
    preferred = POLYGONS_ENDING if prefers_polygons else IDS_ENDING
    for where, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(where) / name
            ending = _ending(path)
            if ending and not name.startswith("."):
                stem = str(path)[: -len(ending)]
                chosen[stem] = path if ending == preferred else chosen.get(stem, path)
            elif _is_leftover(path):
                path.unlink(missing_ok=True)
    if not chosen:
        raise MissingPathError(
            f"'{folder}' holds no annotation; wanted files like train/<city>/<name>{POLYGONS_ENDING} or "
            f"<name>{IDS_ENDING}"
        )
    return sorted(chosen.values())


def target_of(source: Path) -> Path:
    """Returns the label that belongs to an annotation."""
    return source.with_name(source.name[: -len(_ending(source))] + LABEL_ENDING)


def label_from_polygons(path: Path) -> np.ndarray:
    """Draws the polygons of a file with cityscapesscripts.

    Returns:
        uint8[H, W], train ids.

    Raises:
        MissingPathError: the file cannot be read.
        BadValueError: it is no annotation of Cityscapes, has a class that is none of theirs, or no pixels.
    """
    said = io.StringIO()
    try:
        annotation = Annotation()
        annotation.fromJsonText(path.read_text(encoding="utf-8"))
        check_pixels(annotation.imgHeight, annotation.imgWidth, f"annotation '{path}'")
        with contextlib.redirect_stdout(said):
            label = createLabelImage(annotation, "trainIds")
        label = np.array(label)
    except OSError as error:
        raise MissingPathError(
            f"annotation '{path}' cannot be read ({error.strerror}); check its permissions"
        ) from error
    except BadValueError:
        raise
    except _CONTENT_ERRORS as error:
        raise BadValueError(
            f"annotation '{path}' is broken ({type(error).__name__}: {error}); get the file anew, or its labelIds "
            "file, which is taken in its place"
        ) from error
    except SystemExit as error:  # this is how cityscapesscripts answers to a class that it does not know
        reason = said.getvalue().partition("\n")[0].removeprefix("ERROR: ")
        raise BadValueError(f"annotation '{path}' has a class that is none of Cityscapes: {reason}") from error
    if label.size == 0:
        raise BadValueError(f"annotation '{path}' has imgHeight or imgWidth 0; get the file anew")
    return label


def label_from_ids(path: Path) -> np.ndarray:
    """Turns a labelIds file, uint8[H, W], into train ids.

    Raises:
        MissingPathError: the file cannot be read.
        BadValueError: it is no grey 8-bit PNG file, is damaged, or has values that are no ids.
    """
    ids = read_label(path, fix="get the file anew")
    if ids.max() > LARGEST_ID:
        raise BadValueError(f"'{path}' holds {ids.max()}, but ids end at {LARGEST_ID}; get the file anew")
    return cv2.LUT(ids, train_id_table())


def _warn_of_other_ids(void: Sequence[Path], count: int) -> None:
    """Says which labelIds files have none of the classes: annotation tools number a user's own classes from 0 or 1."""
    if void:
        logger.warning(
            "%d of the %d labels made from labelIds have no pixel of Cityscapes' %d classes, first of '%s'; its test "
            "split has none. Files that number other classes are no labelIds: save those as *%s, with classes from 0",
            len(void),
            count,
            len(CITYSCAPES_CLASS_NAMES),
            void[0],
            LABEL_ENDING,
        )


def _warn_of_old_labels(sources: Sequence[Path]) -> None:
    """Says which annotations were edited after their labels were made; every copy changes times, so some are drawn."""
    newer = [source for source in sources if _written(source) > _written(target_of(source))]
    looked_at = evenly_spread(newer, _LOOKED_AT)
    changed = [source for source in looked_at if _gives_another_label(source)]
    if changed:
        logger.warning(
            "%d of %d annotations are newer than their labels, which are kept; of %d looked at %d would give other "
            "labels now, first '%s': remove the labels that are old and give the command again",
            len(newer),
            len(sources),
            len(looked_at),
            len(changed),
            changed[0],
        )


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # just removed
        return 0


def _gives_another_label(source: Path) -> bool:
    try:
        return not np.array_equal(_label_from(source), read_label(target_of(source)))
    except UserError:
        return True


def _label_from(source: Path) -> np.ndarray:
    return label_from_polygons(source) if _ending(source) == POLYGONS_ENDING else label_from_ids(source)


def _convert(source: Path) -> _Outcome:
    """Makes one label."""
    try:
        label = _label_from(source)
    except UserError as error:
        return _Outcome(fault=str(error))
    advice = "free some space or make its folder writable, and give the command again: it goes on with what is missing"
    write_file(target_of(source), cv2.imencode(".png", label)[1].tobytes(), advice, "label")
    return _Outcome(has_class=bool((label < len(CITYSCAPES_CLASS_NAMES)).any()))


def _run(jobs: Sequence[Path], processes: int) -> Iterator[_Outcome]:
    """Makes the labels here or in a pool; answers come in the order of the jobs."""
    if processes == 1:
        yield from map(_convert, jobs)
        return
    # not forked: the parent has threads of OpenCV by then
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_start_worker, initargs=(most_megapixels(),)
    ) as pool:
        try:
            yield from pool.map(_convert, jobs)
        except BrokenProcessPool as error:
            raise BadStateError(
                "a process that made labels was killed, perhaps for want of memory; give the command again with a "
                "lower --nproc: it goes on with what is missing"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _start_worker(megapixels: float) -> None:
    """Leaves Ctrl-C to the parent, so that a file in work is finished, and ends when the parent is gone."""
    set_most_megapixels(megapixels)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _ending(path: Path) -> str:
    return next((ending for ending in (POLYGONS_ENDING, IDS_ENDING) if path.name.endswith(ending)), "")


def _is_leftover(path: Path) -> bool:
    """Tells whether this is a temporary file of `write_file` that nobody will rename: it is there for milliseconds."""
    if not (path.name.startswith(".") and f"{LABEL_ENDING}." in path.name and path.suffix == ".tmp"):
        return False
    with contextlib.suppress(OSError):
        return time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS
    return False

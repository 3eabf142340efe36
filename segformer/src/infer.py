"""The inference command: images and videos in; grey, coloured, overlaid and original pictures out."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from utils.data_sets.reading_ahead import map_ahead
from utils.drawing.writing_behind import WritingBehind
from utils.image_search import ImageFile
from utils.images import read_image
from utils.model_utils.config.loading import require
from utils.model_utils.config.stored import naming_source
from utils.model_utils.errors import BadValueError, UserError
from utils.model_utils.files import check_writable_folder
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging
from utils.videos.search import Inputs, find_inputs
from utils.words import agreed, counted

from .builders.classes import colours_of_classes
from .builders.data import build_layout
from .builders.scales import log_scale_of, log_scales
from .config import SegformerConfig
from .dataset import find_images
from .labels.patterns import Layout
from .models.opening import open_model
from .picture_scale import PictureScale
from .results.files import Outputs, refuse_overwriting, result_bases, write_results
from .results.inference import Predictor, in_order_of_canvas
from .results.videos import VideoSegmentation, plan_videos

logger = logging.getLogger(__name__)

READING_THREADS = 1  # the next image is read while the network works on one; more would take its cores


@dataclass(frozen=True)
class Inference:
    """What a run of `infer` did.

    Attributes:
        num_written: images with results.
        num_unreadable: images that were left out.
        seconds: how long it took.
    """

    num_written: int
    num_unreadable: int
    seconds: float


def infer(config: SegformerConfig) -> None:
    """Predicts the images and videos of `data_path`; leaves the pictures in `infer_output_path`.

    Raises:
        UserError: a path or the checkpoint cannot be used, or none of the images and videos can be read.
    """
    set_up_logging()
    with open_job(config, "infer_output_path") as folder:
        model = open_model(config, require(config, "infer_ckpt_path", "file"))
        config = model.config
        with naming_source(config, ("data_path",)):
            inputs = open_inputs(require(config, "data_path"), config.eval_split, folder, build_layout(config))
        files = inputs.pictures
        outputs = choose_outputs(config)
        bases = result_bases(files, outputs)
        refuse_overwriting(files, bases, outputs, folder)
        videos = plan_videos(inputs, outputs, folder)
        check_writable_folder(folder, "--infer_output_path")
        predictor, colours = model.load(), colours_of_classes(config)
        logger.info("%s", format_start(len(files) + len(videos), folder))
        _log_scales(config, inputs, model.trained)
        start = time.monotonic()
        if files:
            _infer_files(predictor, inputs, bases, folder, outputs, colours, config.infer_log_interval)
        for source, paths in videos:
            logger.info("%s", VideoSegmentation(predictor, colours).run(source, paths))
        sizes = counted(len(predictor.input_sizes), "input size")
        logger.info("%s; the network was compiled for %s", predictor.describe(), sizes)
        logger.info("%s", format_total(time.monotonic() - start))


def choose_outputs(config: SegformerConfig) -> Outputs:
    """Returns which pictures infer.py writes.

    Raises:
        BadValueError: it would write none.
    """
    outputs = Outputs(
        gray=config.infer_save_gray_img,
        color=config.infer_save_color_img,
        overlap=config.infer_save_overlap_img,
        original=config.infer_copy_original_img,
    )
    if not any((outputs.gray, outputs.color, outputs.overlap, outputs.original)):
        raise BadValueError(
            "infer.py would write nothing: set one of infer_save_gray_img, infer_save_color_img, "
            "infer_save_overlap_img and infer_copy_original_img to true"
        )
    return outputs


def _log_scales(config: SegformerConfig, inputs: Inputs, trained: PictureScale | None) -> None:
    """Says at what size the network sees most pictures, or frames where there are no pictures."""
    if inputs.pictures:
        log_scales(config, [file.path for file in inputs.pictures], "inference", trained)
        return
    sizes = Counter((each.video.height, each.video.width) for each in inputs.videos)
    log_scale_of(config, sizes.most_common(1)[0][0], len(sizes), "inference", trained)


def _infer_files(
    predictor: Predictor,
    inputs: Inputs,
    bases: Sequence[PurePosixPath],
    folder: Path,
    outputs: Outputs,
    colours: np.ndarray,
    log_interval: int,
) -> None:
    """Predicts the images and says how many could not be read; where there are videos, it may be all."""
    num_files = len(inputs.pictures)
    try:
        done = run(
            predictor, inputs.pictures, bases, folder, outputs=outputs, colours=colours, log_interval=log_interval
        )
    except BadValueError as error:
        if not inputs.videos:
            raise
        logger.warning("%s", error)
        return
    if done.num_unreadable:
        logger.warning(
            "%d of %s could not be read and %s no result (each is named above)",
            done.num_unreadable,
            counted(num_files, "image"),
            agreed(done.num_unreadable, "has", "have"),
        )


def open_inputs(path: Path, split: str, output: Path, layout: Layout | None = None) -> Inputs:
    """Returns the images and videos to predict: as `find_inputs` takes a path, or a split of a data set.

    Args:
        path: what `find_inputs` takes, or the root of a data set in the layout of Cityscapes, of which only
            leftImg8bit/`split` is taken, or in `layout`, of which only the images of `split` are.
        split: of a data set.
        output: folder of the results; what it holds from earlier runs is no input.
        layout: of the data set that the network was trained on; None for that of Cityscapes.

    Raises:
        MissingPathError: there is nothing, or no image.
        BadValueError: there are videos alone, and none can be opened.
    """
    if layout is not None and layout.has_images(path, split):
        images = layout.find_images(path, split).values()
        return Inputs(tuple(ImageFile(file, PurePosixPath(file.relative_to(path).as_posix())) for file in images))
    if not (path / "leftImg8bit").is_dir():
        return find_inputs(path, flag="--data_path", leave_out=output)
    found = find_images(path, split)
    return Inputs(
        tuple(ImageFile(file, PurePosixPath(file.relative_to(path / "leftImg8bit").as_posix())) for file in found)
    )


def run(
    predictor: Predictor,
    files: Sequence[ImageFile],
    bases: Sequence[PurePosixPath],
    folder: Path,
    *,
    outputs: Outputs,
    colours: np.ndarray,
    log_interval: int,
) -> Inference:
    """Predicts images one after the other, in the order of their canvases; writes their pictures at their own size.

    Args:
        predictor: from an image to its classes.
        files: the images; one that cannot be read is named in the log and left out.
        bases: as `result_bases` gives them.
        folder: takes the pictures.
        outputs: which pictures.
        colours: uint8[256, 3], RGB.
        log_interval: images between lines of the log.

    Raises:
        BadValueError: none of the images can be read.
        BadStateError: a result cannot be written.
    """
    start = last = time.monotonic()
    num_written = 0
    items = in_order_of_canvas(predictor, list(zip(files, bases, strict=True)), lambda item: item[0].path)
    with WritingBehind() as writer:
        for done, (file, base, image) in enumerate(map_ahead(_read, items, READING_THREADS, extra=0), start=1):
            if isinstance(image, UserError):
                logger.warning("left out: %s", image)
            else:
                found = predictor.predict(image)
                writer.run(write_results, folder / base, file.path, image, found, outputs, colours)
                num_written += 1
            if done % log_interval == 0:
                now = time.monotonic()
                logger.info("%s", format_progress(done, len(files), (now - last) / log_interval))
                last = now
    if not num_written:
        if len(files) == 1:
            raise BadValueError("the picture cannot be read (it is named above): replace it")
        raise BadValueError(f"none of the {len(files)} pictures can be read (each is named above): replace them")
    return Inference(num_written, len(files) - num_written, time.monotonic() - start)


def _read(item: tuple[ImageFile, PurePosixPath]) -> tuple[ImageFile, PurePosixPath, np.ndarray | UserError]:
    """Reads an image in a thread; what is wrong with it is returned, so that the others go on."""
    file, base = item
    try:
        return file, base, read_image(file.path)
    except UserError as error:
        return file, base, error


def format_start(num_images: int, folder: Path) -> str:
    """Returns e.g. `get image size:398, infer result will save to /segformer/infer_result`."""
    return f"get image size:{num_images}, infer result will save to {folder}"


def format_progress(done: int, total: int, seconds: float) -> str:
    """Returns e.g. `infer 100/398 done, step cost:1958ms`; the mean time of the images since the last such line."""
    return f"infer {done}/{total} done, step cost:{seconds * 1000:.0f}ms"


def format_total(seconds: float) -> str:
    """Returns e.g. `all infer process done, cost:819s`."""
    return f"all infer process done, cost:{seconds:.0f}s"

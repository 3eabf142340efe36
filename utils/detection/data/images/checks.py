"""Looks at every image of a split before it is used: whether it can be decoded, and whether it is as annotated."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from utils.detection.data.ground_truth import rows_of_record
from utils.detection.data.record_types import SKIP_ADVICE, DetectionDataset, ImageRecord, LeftOutImage, relative_name
from utils.image_files import ImageFolder, SourceImages, source_name
from utils.images import decode_image, decode_ordinary, encode_png, read_bytes, read_header
from utils.model_utils.device_adapter import available_cores
from utils.model_utils.errors import MAX_EXAMPLES, BadValueError, MissingPathError
from utils.progress import track
from utils.words import agreed, counted, first_of

MAX_PAGE_BYTES = 2**28  # of a MindRecord file, the highest that it takes
MAX_CHECK_THREADS = 8  # each holds a decoded image, up to hundreds of megabytes of one photograph

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckedImage:
    """What the check of one image found.

    Attributes:
        num_bytes: at most so many bytes are stored; 0 where there is a problem.
        file_bytes: of the file.
        is_ordinary: the file's own bytes are stored, not a copy as PNG.
        problem: why the image cannot be used, "" where it can.
        lies: its EXIF orientation would set it upright and is not applied, since its annotated size is that of the
            stored pixels.
    """

    num_bytes: int
    is_ordinary: bool
    problem: str = ""
    lies: bool = False
    file_bytes: int = -1


def sources_of(dataset: DetectionDataset) -> SourceImages:
    """Returns the image files of a split, those that were left out behind the others."""
    names = [source_name(record.file_path, dataset.image_dir) for record in dataset.records]
    names += [image.file_name for image in dataset.left_out]
    return SourceImages(tuple(names), ImageFolder(dataset.image_dir).sizes(names))


def check_images(dataset: DetectionDataset, *, skip_bad_images: bool) -> list[CheckedImage]:
    """Decodes every image once and returns what was found; an image that cannot be used is an error, unless skipped."""
    with ThreadPoolExecutor(min(MAX_CHECK_THREADS, available_cores())) as pool:
        found = list(track(pool.map(check_image, dataset.records), len(dataset.records), "checking images"))
    problems = [image.problem for image in found if image.problem]
    if problems and not (skip_bad_images and len(problems) < len(found)):
        shown = first_of(problems, MAX_EXAMPLES, "; ")
        raise BadValueError(
            f"{len(problems)} of {counted(len(found), 'image')} of '{dataset.source}' cannot be used: {shown}; "
            f"repair them, or remove them from the annotations{'' if skip_bad_images else SKIP_ADVICE}"
        )
    _warn_of_lying_images([record for record, image in zip(dataset.records, found, strict=True) if image.lies], dataset)
    return found


def without_bad_images(dataset: DetectionDataset, problems: Sequence[str], sources: SourceImages) -> DetectionDataset:
    """Returns the data set without the images that have a problem, which are among `left_out` then.

    Args:
        dataset: the split.
        problems: of each record, "" for none.
        sources: sizes of the files of the records, then of those that were left out before.
    """
    sizes = sources.sizes.tolist()
    count = len(dataset.records)
    earlier = [replace(image, num_bytes=size) for image, size in zip(dataset.left_out, sizes[count:], strict=True)]
    bad = [
        (record, problem, size)
        for record, problem, size in zip(dataset.records, problems, sizes[:count], strict=True)
        if problem
    ]
    left_out = tuple(
        LeftOutImage(
            record.image_id,
            record.height,
            record.width,
            relative_name(record.file_path, dataset.image_dir),
            rows_of_record(record).tolist(),
            problem,
            size,
        )
        for record, problem, size in bad
    )
    kept = tuple(record for record, problem in zip(dataset.records, problems, strict=True) if not problem)
    return replace(dataset, records=kept, left_out=(*earlier, *left_out))


def ordinary_copy(data: bytes, record: ImageRecord) -> bytes:
    """Returns a file that is not ordinary as one that is: a PNG of its pixels."""
    return encode_png(decode_image(data, str(record.file_path), (record.height, record.width)))


def _warn_of_lying_images(lying: Sequence[ImageRecord], dataset: DetectionDataset) -> None:
    """Says which images are taken unturned: some programs write the stored size to boxes drawn on the upright image."""
    if lying:
        logger.warning(
            "%d of %s %s an EXIF orientation that is not applied, first '%s', because '%s' has the size of %s "
            "stored pixels; if boxes were drawn on the upright images, exchange their height and width there",
            len(lying),
            counted(len(dataset.records), "image"),
            agreed(len(lying), "has", "have"),
            lying[0].file_path,
            dataset.source,
            agreed(len(lying), "its", "their"),
        )


def check_image(record: ImageRecord) -> CheckedImage:
    """Decodes an image, and compares its size with the annotated one."""
    name = str(record.file_path)
    try:
        data = read_bytes(record.file_path)
        header = read_header(data, name)
        pixels = decode_image(data, name, (record.height, record.width))
    except (BadValueError, MissingPathError) as error:
        return CheckedImage(0, False, str(error))
    if pixels.shape[:2] != (record.height, record.width):
        found, wanted = (f"{height} x {width}" for height, width in (pixels.shape[:2], (record.height, record.width)))
        problem = f"image '{name}' is {found} (height x width) but annotated as {wanted}"
        return CheckedImage(0, False, problem, file_bytes=len(data))
    is_ordinary = header.is_ordinary and _is_read_fast(data, pixels)
    num_bytes = len(data) if is_ordinary else pixels.size + 2**16  # a PNG is hardly larger than its pixels
    if num_bytes > MAX_PAGE_BYTES * 3 // 4:
        return CheckedImage(0, False, f"image '{name}' needs {num_bytes / 1e6:.0f} MB, more than a page holds")
    lies = header.is_rotated and (header.height, header.width) != (record.height, record.width)
    return CheckedImage(num_bytes, is_ordinary, lies=lies, file_bytes=len(data))


def _is_read_fast(data: bytes, pixels: np.ndarray) -> bool:
    """Returns whether the fast decoder, which reads the rows later, gives the same pixels; it is stricter."""
    try:
        return np.array_equal(decode_ordinary(data, ""), pixels)
    except BadValueError:
        return False

"""Images and labels from their folders to the arrays that training and evaluation take.

What is drawn for an image is a function of (seed, epoch, index of the image) alone, so that workers and a resumed run
change nothing.
"""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from utils.data_sets.reading_ahead import map_ahead
from utils.image_files import evenly_spread
from utils.image_search import log_passed_over
from utils.images import IMAGE_SUFFIXES, read_image
from utils.installation import console_command
from utils.model_utils.errors import BadValueError, MissingPathError, UserError
from utils.model_utils.near_paths import near_path
from utils.pixels import size_of
from utils.randomness import generator
from utils.sharding import BatchSource
from utils.words import agreed, counted

from .base_dataset import AugmentSettings, prepare
from .image_cache import ImageCache
from .labels.codings import LabelCoding
from .labels.files import (
    SET_KEYS,
    ImagePair,
    check_labels,
    check_values,
    hold_labels,
    image_header,
    read_classes,
    size_error,
)
from .labels.patterns import Layout, log_of
from .labels.sources import LABEL_ENDING, how_to_get

IMAGE_ENDINGS = tuple(f"_leftimg8bit{suffix}" for suffix in IMAGE_SUFFIXES)  # in any case
_IMAGE_MARK = "_leftImg8bit"
_AUGMENT_STREAM, _PATH_STREAM, _CHANNEL_STREAM = range(3)

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def find_images(root: Path, split: str) -> tuple[Path, ...]:
    """Returns the images of `root`/leftImg8bit/`split`/<city>/, sorted.

    Raises:
        MissingPathError: a folder is missing, or there are no images.
    """
    folder = Path(root) / "leftImg8bit" / split
    if not folder.is_dir():
        raise MissingPathError(_missing_folder(Path(root), folder))
    files = sorted(Path(where) / name for where, _, names in os.walk(folder, followlinks=True) for name in names)
    images = [file for file in files if is_image_name(file.name)]
    if not images:
        raise MissingPathError(
            f"'{folder}' holds no image (other files: {len(files)}); wanted files like "
            f"{split}/<city>/<name>{_IMAGE_MARK}.png (or {', '.join(IMAGE_SUFFIXES)})"
        )
    log_passed_over([file for file in files if not is_image_name(file.name)], folder)
    return tuple(images)


def is_image_name(name: str) -> bool:
    """Whether a file in leftImg8bit is an image by its name."""
    return name.lower().endswith(IMAGE_ENDINGS) and not name.startswith(".")


def list_pairs(
    root: Path, split: str, layout: Layout | None = None, coding: LabelCoding | None = None
) -> tuple[ImagePair, ...]:
    """Returns the images of a split with the paths of their labels, which may be missing.

    Arguments as for `open_pairs`.

    Raises:
        MissingPathError: a folder is missing, or there are no images.
    """
    if layout is not None:
        return tuple(replace(pair, coding=coding) for pair in layout.listed(root, split))
    labels = ((image, _label_of(Path(root), image)) for image in find_images(root, split))
    return tuple(ImagePair(image, label, coding=coding) for image, label in labels)


def find_pairs(root: Path, split: str) -> tuple[ImagePair, ...]:
    """Returns the images of a split with their labels `root`/gtFine/`split`/<city>/*_gtFine_labelTrainIds.png, sorted.

    Raises:
        MissingPathError: a folder or a label is missing, or there are no images.
        BadValueError: two images share a label.
    """
    root = Path(root)
    pairs = list_pairs(root, split)
    missing = [pair for pair in pairs if not pair.label.is_file()]
    if missing:
        raise MissingPathError(
            f"{len(missing)} of {counted(len(pairs), 'image')} in '{root / 'leftImg8bit' / split}' "
            f"{agreed(len(missing), 'has', 'have')} no label, first '{missing[0].label}'{near_path(missing[0].label)}; "
            f"{how_to_get(root, [pair.label for pair in missing])}"
        )
    first_with: dict[Path, Path] = {}
    for pair in pairs:
        other = first_with.setdefault(pair.label, pair.image)
        if other != pair.image:
            raise BadValueError(
                f"images '{other}' and '{pair.image}' share the label '{pair.label}'; move one of them "
                "out of the data set"
            )
    return pairs


def open_pairs(
    root: Path,
    split: str,
    num_classes: int,
    ignore_label: int,
    names: Sequence[str] = (),
    *,
    layout: Layout | None = None,
    coding: LabelCoding | None = None,
    for_training: bool = False,
) -> tuple[ImagePair, ...]:
    """Finds the pairs of a split and checks their labels; see `find_pairs`, `hold_labels` and `check_labels`.

    Args:
        root: folder of the data set.
        split: name of the split.
        num_classes: classes are 0..num_classes-1.
        ignore_label: value of pixels without a class.
        names: of the classes, if they have any.
        layout: where images and labels lie; None for the layout of Cityscapes.
        coding: what values or colours of labels stand for; None where they are the class numbers.
        for_training: refuse a split in which nothing can be learned.
    """
    if layout is None:
        pairs, held = find_pairs(root, split), hold_labels(root, split)
    else:
        pairs, held = layout.pairs(root, split), None
        logger.info("%s", log_of(layout, root, split, pairs))
    pairs = tuple(replace(pair, hold=held, coding=coding) for pair in pairs)
    check_labels(pairs, num_classes, ignore_label, names, for_training=for_training)
    return pairs


def read_pair(pair: ImagePair, num_classes: int, ignore_label: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads and checks an image and its label.

    Returns:
        uint8[H, W, 3] RGB and uint8[H, W].

    Raises:
        MissingPathError: a file is missing or cannot be read.
        BadValueError: a file is damaged, the sizes differ, or the label has values or colours that are no classes.
    """
    label = read_classes(pair.label, pair.coding)
    check_values(label, pair.label, num_classes, ignore_label, SET_KEYS)
    image = read_image(pair.image, size_of(label))
    if image.shape[:2] != label.shape:
        raise size_error(pair, size_of(image), size_of(label))
    return image, label


def usual_size(images: Sequence[Path], sample: int = 64) -> tuple[tuple[int, int], int]:
    """Returns (height, width) of most of the images looked at, which are evenly spread, and how many sizes these have.

    Only their first bytes are read; those that cannot be read are left out, and are named where they are decoded.

    Raises:
        UserError: none of them can be read.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    chosen = evenly_spread(images, sample)
    for path in chosen:
        with contextlib.suppress(UserError):
            header = image_header(path)
            sizes[header.height, header.width] += 1
    if not sizes:
        image_header(chosen[0])  # says why
    return sizes.most_common(1)[0][0], len(sizes)


@dataclass(frozen=True, eq=False)
class CityscapesSource(BatchSource):
    """The batches of a run, read from images and labels.

    Images are read by threads: nearly all of their time is spent in OpenCV and zlib, which leave the interpreter free.

    Attributes:
        images: images and labels of the split.
        augmentation: what is done to an image.
        path_drop_rates: float[D], probability that each residual branch of the network is left out of an image.
        channels: of the network's head.
        channel_drop_rate: probability that a channel of the head is set to zero in an image.
        num_loaders: threads that prepare images.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = ("images", "labels", "path_scale", "channel_scale")

    images: ImageCache
    augmentation: AugmentSettings
    path_drop_rates: np.ndarray
    channels: int
    channel_drop_rate: float
    num_loaders: int

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields this worker's batches of an epoch from `start_step` on; the images before it are not read.

        An image that only fills the last step of an epoch is without labels.

        Yields:
            As `COLUMNS` names them: float32[N, 3, H, W], int32[N, H, W], float32[N, D] and float32[N, C]. A scale is 0
            for what is left out and 1 / (1 - rate) for what stays.
        """
        indices, fillers = self.epochs.own_items(epoch, start_step)
        items = zip(indices.reshape(-1).tolist(), fillers.reshape(-1).tolist(), strict=True)
        samples = map_ahead(lambda item: self.sample(epoch, *item), items, self.num_loaders, indices.shape[1])
        try:
            for of_step in indices:
                rows = [next(samples) for _ in of_step]
                yield tuple(np.stack(column) for column in zip(*rows, strict=True))
        finally:
            samples.close()

    def sample(self, epoch: int, index: int, is_filler: bool = False) -> tuple[np.ndarray, ...]:
        """Prepares image `index` of the split for an epoch: a row of each array of `batches`, a filler's unlabelled."""
        seed = self.epochs.seed
        image, label = prepare(*self.images[index], self.augmentation, generator(seed, epoch, index, _AUGMENT_STREAM))
        if is_filler:
            label = np.full_like(label, self.augmentation.ignore_label)
        path_scale = keep_scale(self.path_drop_rates, generator(seed, epoch, index, _PATH_STREAM))
        channel_rates = np.full(self.channels, self.channel_drop_rate)
        return image, label, path_scale, keep_scale(channel_rates, generator(seed, epoch, index, _CHANNEL_STREAM))


def keep_scale(drop_rates: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Draws what is left out: float[D] rates below 1 -> float32[D], 0 with that probability, else 1 / (1 - rate)."""
    rates = np.asarray(drop_rates, np.float64)
    return np.where(draws.uniform(size=rates.shape) < rates, 0.0, 1.0 / (1.0 - rates)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class EvaluationImage:
    """An image of the evaluation split, as it is stored.

    Attributes:
        pair: its files.
        image: uint8[H, W, 3], RGB.
        label: uint8[H, W], train ids.
    """

    pair: ImagePair
    image: np.ndarray
    label: np.ndarray


def evaluation_images(
    pairs: Sequence[ImagePair], num_classes: int, ignore_label: int, num_loaders: int
) -> Iterator[EvaluationImage]:
    """Yields every pair once, in order; a few images are read ahead.

    Raises:
        UserError: as `read_pair`.
    """
    return map_ahead(
        lambda pair: EvaluationImage(pair, *read_pair(pair, num_classes, ignore_label)), pairs, num_loaders, extra=1
    )


def _label_of(root: Path, image: Path) -> Path:
    relative = image.relative_to(root / "leftImg8bit")
    return root / "gtFine" / relative.parent / label_name(relative.name)


def label_name(image_name: str) -> str:
    """Returns the file name of the label of an image `<name>_leftImg8bit.png`, or of any other `<name>.png`."""
    stem = Path(image_name).stem
    is_marked = stem.lower().endswith(_IMAGE_MARK.lower())
    return (stem[: -len(_IMAGE_MARK)] if is_marked else stem) + LABEL_ENDING


def _missing_folder(root: Path, folder: Path) -> str:
    if not root.is_dir():
        return f"data_path '{root}' is not a folder; set --data_path to the folder that holds leftImg8bit and gtFine"
    images = root / "leftImg8bit"
    if not images.is_dir():
        return (
            f"data_path '{root}' holds no folder leftImg8bit; set --data_path to the folder that holds it and gtFine, "
            "or say with --image_pattern and --label_pattern where images and labels are; "
            f"`{console_command('data', 'convert')}` converts outlines and other labels"
        )
    splits = ", ".join(sorted(item.name for item in images.iterdir() if item.is_dir())) or "none"
    return f"'{folder}' is not a folder; splits that are there: {splits}"

"""Splits to evaluate on: of MindRecord files, and of image files, for a process without MindSpore."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from utils.detection.annotations.sides import Side
from utils.detection.data.class_names import ClassTable
from utils.detection.data.coco_file import read_ground_truth
from utils.detection.data.ground_truth import what_counts
from utils.detection.data.layouts.split_paths import SplitPaths
from utils.detection.data.splits import CheckClasses, Split, checked, load_split, say_what_is_left_out, whole_truth
from utils.detection.evaluated.file_images import FileImages, open_files
from utils.detection.evaluated.record_images import RecordImages


@dataclass(frozen=True, eq=False)
class RecordSplit:
    """A `ReadableSplit` of MindRecord files.

    Attributes:
        split: the files and their annotations.
    """

    split: Split

    @property
    def name(self) -> str:
        """What the split is called in messages: its annotations."""
        return self.split.name

    @property
    def classes(self) -> ClassTable:
        """The classes of the split, with its own category ids."""
        return self.split.classes

    @property
    def images(self) -> RecordImages:
        """The images of the split."""
        return RecordImages(self.split.records)

    @property
    def ground_truth(self) -> dict:
        """The annotations in COCO's form; errors as `Split.ground_truth` has them."""
        return self.split.ground_truth


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """A `ReadableSplit` of image files.

    Attributes:
        images: the files.
        annotation_file: what they were annotated in.
        read_truth: reads the annotations in COCO's form.
    """

    images: FileImages
    annotation_file: Path
    read_truth: Callable[[], dict]

    @property
    def name(self) -> str:
        """What the split is called in messages: its annotations."""
        return f"'{self.annotation_file}'"

    @property
    def classes(self) -> ClassTable:
        """The classes of the split, with its own category ids."""
        return ClassTable(self.images.dataset.class_names, self.images.dataset.category_ids)

    @cached_property
    def ground_truth(self) -> dict:
        """The annotations in COCO's form, as the file has them."""
        return self.read_truth()


def open_image_files(
    paths: SplitPaths,
    class_names: Sequence[str | int] | None,
    *,
    skip_bad_images: bool,
    check_classes: CheckClasses,
) -> ImageSplit:
    """Opens a split, having looked at every image once.

    Args:
        paths: where it lies; both annotations and images are given.
        class_names: names to use, None for all of the annotations.
        skip_bad_images: leave images out that cannot be used, instead of refusing them.
        check_classes: called with the classes of the annotations and their name first; it may refuse them.

    Raises:
        MissingPathError: annotations or images are missing.
        BadValueError: they cannot be used.
    """
    assert paths.annotation_file is not None and paths.image_dir is not None, "both are given"
    file, side = paths.annotation_file, paths.side
    dataset = checked(
        lambda: load_split(paths, class_names, for_training=False, skip_bad_images=skip_bad_images), check_classes
    )()
    images = open_files(dataset, skip_bad_images=skip_bad_images)
    say_what_is_left_out(images.dataset.left_out, images.num_images, file)

    def read_truth() -> dict:
        return _coco_truth(file, side) if paths.form == "coco" else whole_truth(images.dataset)

    return ImageSplit(images, file, read_truth)


def _coco_truth(file: Path, side: Side | None) -> dict:
    return what_counts(read_ground_truth(file, side))

"""Opens a split: its annotations, and its MindRecord files, which are made where they are missing."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from utils.detection.annotations.box_forms import check_corners_form
from utils.detection.annotations.coco_content import read_coco_content
from utils.detection.data.class_names import ClassTable, list_names
from utils.detection.data.coco_file import ContentReader, load_coco, read_ground_truth
from utils.detection.data.ground_truth import NUM_FIELDS, to_coco_ground_truth, what_counts
from utils.detection.data.layouts.sides import check_side, side_of, side_option
from utils.detection.data.layouts.split_paths import SplitPaths
from utils.detection.data.mindrecord import (
    ensure_mindrecord,
    open_mindrecord,
    unpack_annotation,
    unpack_as_annotated,
    warn_of_changed_images,
)
from utils.detection.data.mindrecord_info import MindRecordInfo, digest_of
from utils.detection.data.mindrecord_places import check_contents, hold_mindrecord
from utils.detection.data.record_types import DetectionDataset, ImageRecord, LeftOutImage
from utils.detection.data.txt_file import FormCheck, LineReader, load_txt, read_lines
from utils.image_files import ImageFolder
from utils.model_utils.errors import MAX_EXAMPLES, BadStateError, BadValueError, MissingPathError, short
from utils.words import agreed, counted

CheckClasses: TypeAlias = Callable[[ClassTable, str], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Readers:
    """What reads annotation files, and refuses them at the first fault; others may gather the faults.

    Attributes:
        content: of a COCO file.
        lines: of lines of text.
        check_form: looks at the boxes of lines of text.
    """

    content: ContentReader = read_coco_content
    lines: LineReader = read_lines
    check_form: FormCheck = check_corners_form


STRICT = Readers()


@dataclass(frozen=True, eq=False)
class Split:
    """A split that can be read.

    Attributes:
        records: the MindRecord files.
        annotation_file: the COCO JSON they were made from, None where there is none.
        digest: SHA-256 of its content when they were opened, where the two were compared then.
    """

    records: MindRecordInfo
    annotation_file: Path | None
    digest: str | None = None

    @property
    def name(self) -> str:
        """What the split is called in messages: its annotations."""
        return f"'{self.annotation_file or self.records.files[0]}'"

    @property
    def classes(self) -> ClassTable:
        """The classes of the split, with its own category ids."""
        return ClassTable(self.records.class_names, self.records.category_ids)

    @property
    def ground_truth(self) -> dict:
        """COCO annotations to evaluate with: those of the file, which MindRecord files hold too where it is not here.

        Raises:
            MissingPathError: there is no such file.
            BadValueError: the file cannot be used, or is of other images or classes than the MindRecord files.
            BadStateError: it has changed since these were opened.
        """
        if self.annotation_file is None:
            return whole_truth(_dataset_of(self.records))
        if not self.annotation_file.is_file():
            raise MissingPathError(
                f"annotation file '{self.annotation_file}' does not exist: correct --instance_set, in which {{}} "
                "stands for the split; for what the MindRecord files hold, leave instance_set and coco_root out"
            )
        content = what_counts(read_ground_truth(self.annotation_file, side_of(self.records)))
        if self.digest is not None and digest_of(self.annotation_file) != self.digest:
            raise BadStateError(
                f"annotation file '{self.annotation_file}' has changed since this command opened the split: start again"
            )
        _check_same_split(self.annotation_file, content, self.records)
        return content

    def training_rows(self, keep_empty: bool) -> np.ndarray:
        """Returns int64[N], the images to train on, without those that have no box unless `keep_empty`.

        Raises:
            BadValueError: there is no box that is not a crowd.
        """
        if self.records.num_objects == 0:
            raise BadValueError(
                f"MindRecord files '{self.records.files[0]}' have no box to find in "
                f"{counted(self.records.num_images, 'image')}, so there is nothing to learn: they were made for an "
                "evaluation; give another prefix or mindrecord_dir"
            )
        rows = np.arange(self.records.num_images)
        num_empty = self.records.box_counts.get(0, 0)
        if keep_empty or not num_empty:
            return rows
        has_box = np.asarray([len(unpack_annotation(row)[0]) > 0 for row in _column(self.records, "annotation")])
        images, have = counted(len(rows), "image"), agreed(num_empty, "has", "have")
        logger.info("%d of %s %s no box: left out of training (keep_empty_images)", num_empty, images, have)
        return rows[has_box]


def open_split(
    paths: SplitPaths,
    class_names: Sequence[str | int] | None,
    num_shards: int = 8,
    *,
    for_training: bool = True,
    skip_bad_images: bool = False,
    remake_before: float | None = None,
    check_classes: CheckClasses | None = None,
    make_in: Path | None = None,
) -> Split:
    """Opens a split, making its MindRecord files where they are missing or were made from something else.

    Args:
        paths: where it lies.
        class_names: names to use, None for all of the annotations.
        num_shards: number of files to make.
        for_training: refuse a split in which nothing can be learned, and one that lacks a class of `class_names`.
        skip_bad_images: leave images out that cannot be used, instead of refusing them.
        remake_before: make files anew that are from before this time, seconds since 1970 (remake_mindrecord).
        check_classes: called with the classes of the annotations and their name before files are made of them, which
            can take long; it may refuse them.
        make_in: see `ensure_mindrecord`.

    Raises:
        As `ensure_mindrecord`.
    """
    if paths.annotation_file is None or paths.image_dir is None:
        if remake_before is not None:
            raise BadValueError(
                "remake_mindrecord is set, but not what MindRecord files are made of: give coco_root or anno_path too, "
                "or leave it out"
            )
        records = check_contents(hold_mindrecord(paths.mindrecord_dir, paths.prefix))
        check_side(records, paths.side, for_training=for_training)
        _say_what_is_missing(records, records.files[0])
        return Split(records, paths.annotation_file)
    load = partial(load_split, paths, class_names, for_training=for_training, skip_bad_images=skip_bad_images)
    images = ImageFolder(paths.image_dir)
    records = ensure_mindrecord(
        checked(load, check_classes) if check_classes is not None else load,
        annotation_file=paths.annotation_file,
        class_names=class_names,
        folder=paths.mindrecord_dir,
        prefix=paths.prefix,
        shards=num_shards,
        options={"form": paths.form, **side_option(paths.side)},
        may_lack_classes=not for_training,
        skip_bad_images=skip_bad_images,
        images=images,
        remake_before=remake_before,
        make_in=make_in,
    )
    check_side(records, paths.side, for_training=for_training)
    if not paths.image_dir.is_dir():
        logger.info("image folder '%s' is not there: the images are those of '%s'", paths.image_dir, records.files[0])
    warn_of_changed_images(records, images)
    is_coco_file = paths.form == "coco" and paths.annotation_file.is_file()
    _say_what_is_missing(records, paths.annotation_file)
    return (
        Split(records, paths.annotation_file, records.made_from["annotations"])
        if is_coco_file
        else Split(records, None)
    )


def say_what_is_left_out(left_out: Sequence[LeftOutImage], num_images: int, source: Path) -> None:
    """Names images that cannot be used, where there are any, beside `num_images` that can."""
    if left_out:
        logger.warning(
            "%s: %d of %s cannot be used and %s left out (skip_bad_images), an evaluation counts %s in which "
            "nothing is found; once they are repaired, --remake_mindrecord=True has them taken: %s%s",
            source,
            len(left_out),
            counted(len(left_out) + num_images, "image"),
            agreed(len(left_out), "is", "are"),
            agreed(len(left_out), "it as one", "them as ones"),
            "; ".join(image.reason for image in left_out[:MAX_EXAMPLES]),
            "; ..." if len(left_out) > MAX_EXAMPLES else "",
        )


def _say_what_is_missing(records: MindRecordInfo, source: Path) -> None:
    """Names the images that were left out, and the classes without a box."""
    say_what_is_left_out(records.left_out, records.num_images, source)
    counts = records.class_counts or ()
    absent = [name for name, count in zip(records.class_names, counts, strict=False) if not count]
    if absent and any(counts):
        classes, have = counted(len(counts), "class"), agreed(len(absent), "has", "have")
        logger.warning("%s: %d of %s %s no box: %s", source, len(absent), classes, have, list_names(absent))


def load_split(
    paths: SplitPaths,
    class_names: Sequence[str | int] | None,
    *,
    for_training: bool,
    skip_bad_images: bool,
    readers: Readers = STRICT,
) -> DetectionDataset:
    """Loads a split from its annotations; see `load_coco` and `load_txt`."""
    assert paths.annotation_file is not None and paths.image_dir is not None, "asked only where both are"
    if paths.form == "coco":
        return load_coco(
            paths.annotation_file,
            paths.image_dir,
            class_names,
            for_training=for_training,
            skip_bad_images=skip_bad_images,
            side=paths.side,
            read=readers.content,
        )
    if not class_names:
        raise BadValueError("dataset is 'other' and coco_classes is not set: list the class names in the YAML file")
    return load_txt(
        paths.annotation_file,
        paths.image_dir,
        class_names,
        allow_empty=not for_training,
        skip_bad_images=skip_bad_images,
        side=paths.side,
        read=readers.lines,
        check_form=readers.check_form,
    )


def checked(load: Callable[[], DetectionDataset], check_classes: CheckClasses) -> Callable[[], DetectionDataset]:
    """Returns what loads a split and has its classes looked at; see `open_split`."""

    def load_and_check() -> DetectionDataset:
        dataset = load()
        check_classes(ClassTable(dataset.class_names, dataset.category_ids), f"'{dataset.source}'")
        return dataset

    return load_and_check


def _check_same_split(annotation_file: Path, content: dict, records: MindRecordInfo) -> None:
    """Refuses annotations of another split before the network has run on all of its images."""
    listed = {image["id"] for image in content["images"]}
    stored = {*records.image_ids.tolist(), *(image.image_id for image in records.left_out)}
    names = {category["id"]: category["name"] for category in content["categories"]}
    if listed != stored or not names.keys() >= set(records.category_ids):
        raise BadValueError(
            f"annotation file '{annotation_file}' has {counted(len(listed), 'image')} and category ids "
            f"{sorted(names)[:8]}, MindRecord file '{records.files[0]}' is of {counted(len(stored), 'image')}, "
            f"{len(listed & stored)} of them the same, and category ids {sorted(records.category_ids)[:8]}: give the "
            "annotations of that split, or choose its mindrecord_dir"
        )
    for number, name in zip(records.category_ids, records.class_names, strict=True):
        if names[number] != name and name in names.values():
            raise BadValueError(
                f"category id {number} is {short(names[number])} in annotation file '{annotation_file}' and "
                f"{short(name)} in MindRecord file '{records.files[0]}': give the annotations that it was made from, "
                "or choose another mindrecord_dir"
            )


def _column(records: MindRecordInfo, column: str) -> list[np.ndarray]:
    dataset = open_mindrecord(records, range(records.num_images), [column])
    return [row[0] for row in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)]


def _dataset_of(records: MindRecordInfo) -> DetectionDataset:
    """Returns what the MindRecord files hold, in their order, without the images' own paths."""
    has_annotations = "as_annotated" in records.columns
    if not has_annotations:
        logger.info(
            "MindRecord files '%s' ... were made by an earlier version, which stored repaired boxes alone: these are "
            "evaluated; with the annotation file, or files made anew, the number is that of the file itself",
            records.files[0],
        )
    columns = ["height", "width", "file_name", "annotation", *(["as_annotated"] if has_annotations else [])]
    dataset = open_mindrecord(records, range(records.num_images), columns)
    rows = dataset.create_dict_iterator(num_epochs=1, output_numpy=True)
    folder = records.files[0].parent
    images = tuple(
        ImageRecord(
            image_id,
            folder / str(row["file_name"]),
            int(row["height"]),
            int(row["width"]),
            *unpack_annotation(row["annotation"]),
            as_annotated=unpack_as_annotated(row["as_annotated"]) if has_annotations else None,
        )
        for image_id, row in zip(records.image_ids.tolist(), rows, strict=True)
    )
    return DetectionDataset(
        records=images,
        class_names=records.class_names,
        category_ids=records.category_ids,
        source=records.files[0],
        image_dir=folder,
        left_out=records.left_out,
    )


def whole_truth(dataset: DetectionDataset) -> dict:
    """Returns the annotations of a split in COCO's form, those of images that were left out among them."""
    left_out = tuple(_record_of(image, dataset.image_dir) for image in dataset.left_out)
    return to_coco_ground_truth(replace(dataset, records=(*dataset.records, *left_out), left_out=()))


def _record_of(image: LeftOutImage, folder: Path) -> ImageRecord:
    """Returns an image that was left out as one without boxes to train on, with its annotations."""
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool)
    rows = np.array(image.as_annotated, np.float64).reshape(-1, NUM_FIELDS)
    return ImageRecord(image.image_id, folder / image.file_name, image.height, image.width, *nothing, as_annotated=rows)

"""Finds the annotations, images and MindRecord files of a split, and makes the latter where they are missing."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.detection.data.coco_file import load_coco, read_ground_truth
from utils.detection.data.mindrecord import (
    ensure_mindrecord,
    open_mindrecord,
    unpack_annotation,
    warn_of_changed_images,
)
from utils.detection.data.mindrecord_info import MindRecordInfo, read_mindrecord_info
from utils.detection.data.record_types import DetectionDataset, ImageRecord, to_coco_ground_truth
from utils.detection.data.txt_file import load_txt
from utils.model_utils.errors import BadValueError, MissingPathError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitPaths:
    """Where a split lies.

    Attributes:
        form: "coco" for a COCO JSON, "other" for lines of text.
        annotation_file: the annotations; None if they are not on this machine.
        image_dir: folder that file names in the annotations are relative to; None likewise.
        mindrecord_dir: folder of the MindRecord files.
        prefix: their name without the number of the shard.
    """

    form: str
    annotation_file: Path | None
    image_dir: Path | None
    mindrecord_dir: Path
    prefix: str


@dataclass(frozen=True, eq=False)
class Split:
    """A split that can be read.

    Attributes:
        records: the MindRecord files.
        annotation_file: the COCO JSON they were made from, None where there is none.
    """

    records: MindRecordInfo
    annotation_file: Path | None

    @property
    def ground_truth(self) -> Path | dict:
        """COCO annotations to evaluate with: the file itself, else what the MindRecord files hold.

        Raises:
            MissingPathError: there is no such file.
            BadValueError: the file cannot be used, or is of other images or classes than the MindRecord files.
        """
        if self.annotation_file is None:
            return to_coco_ground_truth(_dataset_of(self.records))
        if not self.annotation_file.is_file():
            raise MissingPathError(
                f"annotation file '{self.annotation_file}' does not exist: correct --instance_set, in which {{}} "
                "stands for the split; for what the MindRecord files hold, leave instance_set and coco_root out"
            )
        _check_same_split(self.annotation_file, self.records)
        return self.annotation_file

    def training_rows(self, keep_empty: bool) -> np.ndarray:
        """Returns int64[N], the images to train on, without those that have no box unless `keep_empty`."""
        rows = np.arange(self.records.num_images)
        num_empty = self.records.box_counts.get(0, 0)
        if keep_empty or not num_empty:
            return rows
        has_box = np.asarray([len(unpack_annotation(row)[0]) > 0 for row in _column(self.records, "annotation")])
        logger.info("%d of %d images have no box: left out of training (keep_empty_images)", num_empty, len(rows))
        return rows[has_box]


def split_paths(
    *,
    form: str,
    split: str,
    coco_root: str | None,
    instance_set: str,
    anno_path: str,
    image_dir: str,
    mindrecord_dir: str | None,
    default_folder: str,
    prefix: str,
) -> SplitPaths:
    """Works out where a split lies; `{}` in `instance_set`, `anno_path` and `image_dir` stands for its name.

    Args:
        form: "coco" for a COCO JSON, "other" for lines of text.
        split: name of the split.
        coco_root: folder of a COCO data set, if any.
        instance_set: its annotation file, relative to it or absolute.
        anno_path: lines of text, where the form is "other".
        image_dir: folder of their images; empty for the folder of the annotations.
        mindrecord_dir: folder of the MindRecord files, if it is given.
        default_folder: name of the folder that is taken where it is not: in `coco_root`, or beside the lines of text.
        prefix: name of the MindRecord files without the number of the shard.

    Raises:
        BadValueError: a key is missing that this form of data needs.
        MissingPathError: `coco_root` is no folder.
    """
    if coco_root and not Path(coco_root).is_dir():
        raise MissingPathError(f"coco_root '{coco_root}' is not a folder; set --coco_root to that of the data set")
    if form == "other":
        annotations = Path(anno_path.replace("{}", split)) if anno_path else None
        images = Path(image_dir.replace("{}", split)) if image_dir else annotations and annotations.parent
        root = annotations and (coco_root or annotations.parent)
    else:
        annotations = Path(coco_root or "", instance_set.replace("{}", split))
        images = Path(coco_root, split) if coco_root else None
        annotations = annotations if coco_root or annotations.is_absolute() else None
        root = coco_root
    folder = mindrecord_dir or (root and Path(root, default_folder))
    if not folder:
        raise BadValueError(_nothing_to_read_from(form))
    return SplitPaths(form, annotations, images, Path(folder), prefix)


def _nothing_to_read_from(form: str) -> str:
    if form == "other":
        return (
            "dataset is 'other' and neither anno_path nor mindrecord_dir is set: give the list of images and boxes "
            "with --anno_path=FILE, or finished MindRecord files with --mindrecord_dir=FOLDER"
        )
    return (
        "neither coco_root nor mindrecord_dir is set: give the data set with --coco_root=FOLDER, "
        "or finished MindRecord files with --mindrecord_dir=FOLDER"
    )


def open_split(paths: SplitPaths, class_names: Sequence[str] | None, num_shards: int = 8) -> Split:
    """Opens a split, making its MindRecord files where they are missing or were made from something else.

    Raises:
        As `ensure_mindrecord`.
    """
    if paths.annotation_file is None or paths.image_dir is None:
        return Split(read_mindrecord_info(paths.mindrecord_dir, paths.prefix), paths.annotation_file)
    records = ensure_mindrecord(
        _loader(paths, class_names),
        annotation_file=paths.annotation_file,
        class_names=class_names,
        folder=paths.mindrecord_dir,
        prefix=paths.prefix,
        shards=num_shards,
        options={"form": paths.form},
    )
    warn_of_changed_images(records, paths.image_dir)
    is_coco_file = paths.form == "coco" and paths.annotation_file.is_file()
    return Split(records, paths.annotation_file if is_coco_file else None)


def _loader(paths: SplitPaths, class_names: Sequence[str] | None) -> Callable[[], DetectionDataset]:
    def load() -> DetectionDataset:
        if paths.form == "coco":
            return load_coco(paths.annotation_file, paths.image_dir, class_names)
        if not class_names:
            raise BadValueError("dataset is 'other' and coco_classes is not set: list the class names in the YAML file")
        return load_txt(paths.annotation_file, paths.image_dir, class_names)

    return load


def _check_same_split(annotation_file: Path, records: MindRecordInfo) -> None:
    """Refuses annotations of another split before the network has run on all of its images."""
    content = read_ground_truth(annotation_file)
    listed, stored = {image["id"] for image in content["images"]}, set(records.image_ids.tolist())
    known = {category["id"] for category in content["categories"]}
    if listed == stored and known.issuperset(records.category_ids):
        return
    raise BadValueError(
        f"annotation file '{annotation_file}' has {len(listed)} images and category ids {sorted(known)[:8]}, "
        f"MindRecord file '{records.files[0]}' is of {len(stored)} images, {len(listed & stored)} of them the same, "
        f"and category ids {sorted(records.category_ids)[:8]}: give the annotations of that split, or choose its "
        "mindrecord_dir"
    )


def _column(records: MindRecordInfo, column: str) -> list[np.ndarray]:
    dataset = open_mindrecord(records, range(records.num_images), [column])
    return [row[0] for row in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)]


def _dataset_of(records: MindRecordInfo) -> DetectionDataset:
    """Returns what the MindRecord files hold, in their order, without the images' own paths."""
    sizes = zip(_column(records, "height"), _column(records, "width"), strict=True)
    rows = zip(records.image_ids.tolist(), sizes, _column(records, "annotation"), strict=True)
    images = tuple(
        ImageRecord(image_id, Path(str(image_id)), int(height), int(width), *unpack_annotation(annotation))
        for image_id, (height, width), annotation in rows
    )
    return DetectionDataset(
        records=images,
        class_names=records.class_names,
        category_ids=records.category_ids,
        source=records.files[0],
        image_dir=records.files[0].parent,
    )

"""What an evaluation counts: a file's own annotations, as they are, and what they would be with repaired boxes.

Training needs boxes with area inside their image; COCO's numbers are defined by the file as it is, where a box that
nobody can find counts as missed. So both are kept: `ImageRecord.boxes` and `ImageRecord.as_annotated`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from utils.detection.annotations.entries import AnnotationColumns
from utils.detection.annotations.repairs import BoxRepairs
from utils.detection.boxes import xywh_to_xyxy, xyxy_to_xywh
from utils.detection.data.record_types import DetectionDataset, ImageRecord, relative_name, repair_boxes

NUM_FIELDS = 7  # left, top, width, height, area, class index, is_crowd
IMAGE_FIELDS = ("id", "height", "width", "file_name")
ANNOTATION_FIELDS = ("image_id", "category_id", "bbox", "area", "iscrowd")
CATEGORY_FIELDS = ("id", "name", "is_root")  # the last in few, see `plain_categories`


def annotation_rows(columns: AnnotationColumns, labels: np.ndarray, image_ids: np.ndarray) -> dict[int, np.ndarray]:
    """Returns the annotations of each image as numbers, in the order of the file.

    Args:
        columns: those of a COCO file.
        labels: int64[N], class index of each; those of other categories, -1, are left out.
        image_ids: int64[I], id of each image.

    Returns:
        For each image id float64[N, 7]: left, top, width, height, area, class index, is_crowd.
    """
    rows = np.column_stack([columns.boxes_xywh, columns.areas, labels, columns.is_crowd])
    return _by_image(rows[labels >= 0], image_ids[columns.image_index[labels >= 0]])


def corner_rows(boxes: np.ndarray, labels: np.ndarray, is_crowd: np.ndarray, image_ids: np.ndarray) -> dict:
    """Returns the same for boxes that are given by their corners; what is not finite has no place in an evaluation.

    Args:
        boxes: float[N, 4], xyxy, pixels. A box with corners in the wrong order has no area.
        labels: int[N], class index.
        is_crowd: bool[N].
        image_ids: int[N].
    """
    is_finite = np.isfinite(boxes).all(axis=1)
    boxes_xywh = xyxy_to_xywh(np.asarray(boxes, np.float64))
    boxes_xywh[:, 2:] = np.maximum(boxes_xywh[:, 2:], 0)
    areas = boxes_xywh[:, 2] * boxes_xywh[:, 3]
    rows = np.column_stack([boxes_xywh, areas, labels, is_crowd])
    return _by_image(rows[is_finite], np.asarray(image_ids)[is_finite])


def with_annotation_rows(records: Sequence[ImageRecord], rows_of: Mapping[int, np.ndarray]) -> tuple[ImageRecord, ...]:
    """Returns the records with the annotations of each, by image id."""
    none = np.zeros((0, NUM_FIELDS))
    return tuple(replace(record, as_annotated=rows_of.get(record.image_id, none)) for record in records)


def rows_of_record(record: ImageRecord) -> np.ndarray:
    """Returns the annotations of an image, float64[N, 7]; where they are not known, its repaired boxes instead."""
    if record.as_annotated is not None:
        return record.as_annotated
    ids = np.zeros(len(record.boxes), np.int64)
    return corner_rows(record.boxes, record.labels, record.is_crowd, ids).get(0, np.zeros((0, NUM_FIELDS)))


def to_coco_ground_truth(dataset: DetectionDataset) -> dict:
    """Returns the data set in COCO's annotation format, so that every source is evaluated by the same code.

    Where the file's own annotations are not known, the repaired boxes stand for them, with their areas. (A COCO file
    has those of the segments, which shifts AP of small, medium and large a little.)
    """
    rows = [rows_of_record(record) for record in dataset.records]
    image_ids = np.repeat([record.image_id for record in dataset.records], [len(each) for each in rows])
    table = np.concatenate([np.zeros((0, NUM_FIELDS)), *rows])
    category_ids = np.asarray(dataset.category_ids, np.int64)[table[:, 5].astype(np.int64)]
    columns = (image_ids, category_ids, table[:, :4], table[:, 4], table[:, 6].astype(np.int64))
    annotations = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "images": [
            {
                "id": record.image_id,
                "height": record.height,
                "width": record.width,
                "file_name": relative_name(record.file_path, dataset.image_dir),
            }
            for record in dataset.records
        ],
        "annotations": [
            {"id": number, **dict(zip(ANNOTATION_FIELDS, values, strict=True))}
            for number, values in enumerate(annotations, start=1)
        ],
        "categories": [
            {"id": category_id, "name": name}
            for category_id, name in zip(dataset.category_ids, dataset.class_names, strict=True)
        ],
    }


def what_counts(content: dict) -> dict:
    """Returns what an evaluation needs of `read_ground_truth`, without segments and links, which are most of it."""
    return {
        "images": [{key: image[key] for key in IMAGE_FIELDS} for image in content["images"]],
        "annotations": [
            {"id": number, **{key: each[key] for key in ANNOTATION_FIELDS}}
            for number, each in enumerate(content["annotations"], start=1)
        ],
        "categories": [{key: each[key] for key in CATEGORY_FIELDS if key in each} for each in content["categories"]],
    }


def repaired(content: dict) -> tuple[dict, BoxRepairs] | None:
    """Returns the ground truth with the boxes that training would use: clipped at the border, none without area.

    Args:
        content: as `what_counts` gives it.

    Returns:
        Another content and what was repaired; None where nothing is to repair.
    """
    annotations = content["annotations"]
    if not annotations:
        return None
    size_of = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    boxes = xywh_to_xyxy(np.array([each["bbox"] for each in annotations], np.float64))
    sizes = np.array([size_of[each["image_id"]] for each in annotations])
    names = [f"annotation {each['id']}" for each in annotations]
    clipped, is_kept, repairs = repair_boxes(boxes, sizes, names)
    if not str(repairs):
        return None
    kept = [
        {**annotations[index], "bbox": box}
        for index, box in zip(np.flatnonzero(is_kept), xyxy_to_xywh(clipped[is_kept]).tolist(), strict=True)
    ]
    return {**content, "annotations": kept}, repairs


def _by_image(rows: np.ndarray, image_ids: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(image_ids, kind="stable")
    present, starts = np.unique(image_ids[order], return_index=True)
    return dict(zip(present.tolist(), np.split(rows.reshape(-1, NUM_FIELDS)[order], starts[1:]), strict=False))

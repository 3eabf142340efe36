"""The polygons of a COCO file, so that objects are cut out along their outlines and not along their boxes."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from utils.detection.annotations.coco_content import read_coco_content
from utils.detection.boxes import xywh_to_xyxy
from utils.detection.data.mindrecord_info import digest_of
from utils.detection.data.record_types import repair_boxes
from utils.model_utils.errors import BadStateError
from utils.words import agreed, counted

LEAST_NUMBERS = 6  # of a polygon: three corners

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Outlines:
    """The polygons of all images; what belongs together lies together.

    Attributes:
        image_ids: int64[I], ascending.
        image_ends: int64[I], where the objects of each image end.
        boxes: float32[M, 4], xyxy pixels, of the objects with polygons, as MindRecord files have them.
        object_ends: int64[M], where the polygons of each object end.
        polygon_ends: int64[Q], where the corners of each polygon end.
        corners: float32[P, 2], x and y in pixels.
    """

    image_ids: np.ndarray
    image_ends: np.ndarray
    boxes: np.ndarray
    object_ends: np.ndarray
    polygon_ends: np.ndarray
    corners: np.ndarray

    def of(self, image_id: int, boxes: np.ndarray) -> list[list[np.ndarray]]:
        """Returns the polygons, float32[K, 2] each, of each of some boxes of an image; none where it has none.

        Args:
            image_id: of the image.
            boxes: float32[N, 4], as MindRecord files have them.
        """
        place = int(np.searchsorted(self.image_ids, image_id))
        if place == len(self.image_ids) or self.image_ids[place] != image_id:
            return [[] for _ in boxes]
        first, last = _span(self.image_ends, place)
        is_same = (boxes[:, None] == self.boxes[first:last]).all(axis=2)
        return [
            self._polygons(first + int(same.argmax())) if has_one else []
            for same, has_one in zip(is_same, is_same.any(axis=1), strict=True)
        ]

    def _polygons(self, index: int) -> list[np.ndarray]:
        first, last = _span(self.object_ends, index)
        return [self.corners[slice(*_span(self.polygon_ends, place))] for place in range(first, last)]


def read_outlines(annotation_file: Path, digest: str | None) -> Outlines:
    """Reads the polygons of a COCO file; the log says how many objects have none.

    Args:
        annotation_file: the file.
        digest: SHA-256 that its content has to have; None for any.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: its content is not what the format asks for.
        BadStateError: it has another content.
    """
    content, columns = read_coco_content(annotation_file, for_training=True)
    if digest is not None and digest_of(annotation_file) != digest:
        raise BadStateError(
            f"annotation file '{annotation_file}' has changed since this command opened the split: start again"
        )
    images = content["images"]
    ids = np.array([image["id"] for image in images], np.int64)
    sizes = np.array([(image["height"], image["width"]) for image in images], np.int64).reshape(-1, 2)
    index = columns.image_index
    boxes, _, _ = repair_boxes(xywh_to_xyxy(columns.boxes_xywh), sizes[index], [""] * len(index))
    polygons = [_polygons_of(entry.get("segmentation")) for entry in content["annotations"]]
    order = np.argsort(ids[index], kind="stable")
    order = order[[bool(polygons[place]) for place in order.tolist()]] if len(order) else order
    without = int((~columns.is_crowd).sum()) - int((~columns.is_crowd[order]).sum())
    if without:
        logger.info(
            "copy_paste: %s of '%s' %s no polygon and %s cut out along the box",
            counted(without, "object"),
            annotation_file,
            agreed(without, "has", "have"),
            agreed(without, "is", "are"),
        )
    image_ids, counts = np.unique(ids[index[order]], return_counts=True)
    of_objects = [polygons[place] for place in order.tolist()]
    flat = list(chain.from_iterable(of_objects))
    return Outlines(
        image_ids=image_ids,
        image_ends=np.cumsum(counts),
        boxes=boxes[order],
        object_ends=_ends(map(len, of_objects)),
        polygon_ends=_ends(map(len, flat)),
        corners=np.concatenate([np.zeros((0, 2), np.float32), *flat]),
    )


def _polygons_of(segmentation: object) -> list[np.ndarray]:
    """Returns the polygons of an annotation; none of run-length codes, nor where one cannot be a polygon."""
    if not isinstance(segmentation, list):
        return []
    try:
        parts = [np.asarray(part, np.float32) for part in segmentation]
    except (TypeError, ValueError):
        return []
    is_polygon = all(
        part.ndim == 1 and len(part) >= LEAST_NUMBERS and len(part) % 2 == 0 and np.isfinite(part).all()
        for part in parts
    )
    return [part.reshape(-1, 2) for part in parts] if is_polygon else []


def _ends(lengths: Iterable[int]) -> np.ndarray:
    return np.cumsum(np.fromiter(lengths, np.int64))


def _span(ends: np.ndarray, index: int) -> tuple[int, int]:
    return int(ends[index - 1]) if index else 0, int(ends[index])

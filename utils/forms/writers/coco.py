"""Writes what the detectors read: annotations/instances_SPLIT2017.json and a folder SPLIT2017 of pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.detection.boxes import box_area, xyxy_to_xywh
from utils.forms.content import IGNORED, DataSet, Objects, Picture
from utils.forms.outlines.regions import objects_of_label
from utils.forms.outlines.shapes import Polygons, Shape, area_of, encode, mask_of
from utils.forms.splits import SPLITS
from utils.forms.tally import Tally
from utils.forms.writers.names import file_names
from utils.forms.writers.placing import Placing
from utils.model_utils.errors import UserError
from utils.model_utils.files import json_bytes, write_file
from utils.progress import track

YEAR = "2017"  # behind the name of each split, as the detectors look for them


def write(data: DataSet, folder: Path, placing: Placing) -> dict[str, int]:
    """Writes a data set; the class of the background is no category.

    Returns:
        How many objects there are of each class.

    Raises:
        BadStateError: it cannot be written.
    """
    kept = [index for index in range(len(data.class_names)) if index != data.background]
    category_of = {index: number for number, index in enumerate(kept, start=1)}
    categories = [{"id": category_of[index], "name": data.class_names[index]} for index in kept]
    counts = dict.fromkeys((data.class_names[index] for index in kept), 0)
    for split in SPLITS:
        pictures = [picture for picture in data.pictures if picture.split == split]
        if not pictures:
            continue
        images: list[dict] = []
        annotations: list[dict] = []
        listed = zip(pictures, file_names(pictures, data.tally), strict=True)
        for picture, name in track(listed, len(pictures), f"writing {split}"):
            objects = _objects(picture, data.background, data.tally)
            if objects is None:
                continue
            placing.place(picture, folder / f"{split}{YEAR}" / name)
            height, width = picture.size
            images.append({"id": len(images) + 1, "file_name": name, "height": height, "width": width})
            _count_background(objects, data, picture)
            rows = _annotations(objects, category_of, len(images), len(annotations) + 1, picture, data.tally)
            annotations += rows
            for row in rows:
                counts[data.class_names[kept[row["category_id"] - 1]]] += 1
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_file(folder / "annotations" / f"instances_{split}{YEAR}.json", json_bytes(content), what="annotations")
    return counts


def _objects(picture: Picture, background: int | None, tally: Tally) -> Objects | None:
    """Returns the objects of a picture; None where its label cannot be read."""
    if picture.read_label is None:
        return picture.objects
    try:
        return objects_of_label(picture.read_label(), background)
    except UserError as error:
        tally.drop("label", "that cannot be read", str(error))
        return None


def _count_background(objects: Objects, data: DataSet, picture: Picture) -> None:
    """Counts the objects of the class that stands for what is no object; regions of a label are none from the start."""
    if data.background is not None:
        name = data.class_names[data.background]
        count = int((objects.labels == data.background).sum())
        data.tally.drop("object", f"of {name!r}, which is no class of the boxes", picture.name, count)


def _annotations(
    objects: Objects, category_of: dict[int, int], image_id: int, first_id: int, picture: Picture, tally: Tally
) -> list[dict]:
    num_ignored = int((objects.labels == IGNORED).sum())
    tally.drop("region", "to be ignored, which boxes cannot express", picture.name, num_ignored)
    is_class = np.isin(objects.labels, list(category_of))
    kept = objects.chosen(is_class)
    boxes = xyxy_to_xywh(kept.boxes)
    areas = np.where(np.isnan(kept.areas), _areas(kept), kept.areas)
    return [
        {
            "id": first_id + row,
            "image_id": image_id,
            "category_id": category_of[int(kept.labels[row])],
            "bbox": boxes[row].tolist(),
            "area": float(areas[row]),
            "iscrowd": int(kept.is_crowd[row]),
            **_segmentation(kept.shapes[row], picture.size),
        }
        for row in range(len(kept.labels))
    ]


def _areas(objects: Objects) -> np.ndarray:
    """Returns float64[N]: of outlines what they enclose, of others that of the box."""
    areas = [np.nan if shape is None else area_of(shape) for shape in objects.shapes]
    return np.where(np.isnan(areas), box_area(objects.boxes), areas) if areas else np.zeros(0)


def _segmentation(shape: Shape | None, size: Sequence[int]) -> dict:
    """Returns the outline as COCO has it: points where polygons have no holes, else the runs of its pixels."""
    if shape is None:
        return {}
    if isinstance(shape, Polygons) and not shape.holes:
        return {"segmentation": [ring.ravel().tolist() for ring in shape.rings]}
    height, width = size
    return {"segmentation": {"size": [height, width], "counts": encode(mask_of(shape, (height, width)))}}

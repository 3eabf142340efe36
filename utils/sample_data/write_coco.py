"""Writes pictures and targets in the layout of COCO 2017."""

from pathlib import Path

import cv2
import numpy as np

from utils.sample_data.files import write_encoded, write_json
from utils.sample_data.labels import COCO_CATEGORIES, Target
from utils.sample_data.render import SPLITS

FIRST_IDS = {"train": 1, "val": 500_001}  # image ids never meet
MOST_TARGETS = 1000  # annotation id = image id * MOST_TARGETS + running number
JPEG_QUALITY = 92  # no artefacts to be seen around edges (by eye)


def folder_names() -> list[str]:
    """Folders that this layout fills."""
    return ["annotations", *(f"{split}2017" for split in SPLITS)]


def write_picture(root: Path, split: str, index: int, image: np.ndarray, targets: list[Target]) -> dict:
    """Writes picture `index` of a split, uint8[H, W, 3] (RGB), as one JPEG.

    Returns:
        Its records {"image": ..., "annotations": [...]} as in the annotation file.
    """
    height, width = image.shape[:2]
    image_id = FIRST_IDS[split] + index
    name = f"{image_id:012d}.jpg"
    write_encoded(root / f"{split}2017" / name, image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    annotations = [
        _annotation(target, image_id * MOST_TARGETS + number, image_id, height, width)
        for number, target in enumerate(targets)
    ]
    return {
        "image": {"id": image_id, "file_name": name, "height": height, "width": width, "license": 1},
        "annotations": annotations,
    }


def write_annotations(root: Path, split: str, records: list[dict]) -> None:
    """Writes `annotations/instances_{split}2017.json` from what `write_picture` returned."""
    write_json(
        root / "annotations" / f"instances_{split}2017.json",
        {
            "info": {"description": "Toy town: drawn street scenes", "version": "1.0", "year": 2017},
            "licenses": [{"id": 1, "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}],
            "images": [record["image"] for record in records],
            "annotations": [annotation for record in records for annotation in record["annotations"]],
            "categories": [
                {"id": number, "name": name, "supercategory": group}
                for name, (number, group) in COCO_CATEGORIES.items()
            ],
        },
    )


def _annotation(target: Target, annotation_id: int, image_id: int, height: int, width: int) -> dict:
    left, top, right, bottom = target.box
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": COCO_CATEGORIES[target.category][0],
        "bbox": [left, top, right - left, bottom - top],
        "area": int(target.mask.sum()),
        "iscrowd": int(target.crowd),
        "segmentation": _run_lengths(target, height, width) if target.crowd else _polygons(target),
    }


def _polygons(target: Target) -> list[list[float]]:
    """Outer borders of the visible pieces, along pixel edges to a quarter of a pixel, as flat lists x, y, x, y ..."""
    doubled = np.pad(np.kron(target.mask, np.ones((2, 2))).astype(np.uint8), 1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corner = np.array(target.box[:2])
    return [((contour[:, 0] - 1) / 2 + 0.25 + corner).reshape(-1).tolist() for contour in contours if len(contour) >= 3]


def _run_lengths(target: Target, height: int, width: int) -> dict:
    """The mask of a group as uncompressed run lengths in column order, which begin with a run of zeros."""
    full = np.zeros((height, width), bool)
    left, top, right, bottom = target.box
    full[top:bottom, left:right] = target.mask
    line = full.reshape(-1, order="F")
    changes = np.nonzero(np.diff(np.concatenate([[False], line])))[0]
    return {"size": [height, width], "counts": np.diff(np.concatenate([[0], changes, [line.size]])).tolist()}

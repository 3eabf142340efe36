"""A COCO data set small enough to train on in a test: coloured rectangles on grey, ids that are not contiguous."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

CATEGORIES = ((7, "red", (0, 0, 255)), (3, "blue", (255, 0, 0)))
SPLITS = {"train2017": 6, "val2017": 3}


def write_coco(root: Path, splits: dict[str, int] = SPLITS) -> Path:
    """Writes the data set; image i has i % 3 boxes, so that some images have none."""
    generator = np.random.default_rng(0)
    for split, count in splits.items():
        (root / split).mkdir(parents=True)
        (root / "annotations").mkdir(exist_ok=True)
        images, annotations = [], []
        for index in range(count):
            image = np.full((96, 128, 3), 120, np.uint8)
            images.append({"id": 100 + index, "file_name": f"{index:03d}.jpg", "width": 128, "height": 96})
            for number in range(index % 3):
                category, _, colour = CATEGORIES[number]
                x, y = (int(v) for v in generator.integers(0, 50, 2))
                cv2.rectangle(image, (x, y), (x + 39, y + 39), colour, -1)
                annotations.append({
                    "id": len(annotations) + 1, "image_id": 100 + index, "category_id": category, "iscrowd": 0,
                    "bbox": [x, y, 40, 40], "area": 1600,
                })
            cv2.imwrite(str(root / split / f"{index:03d}.jpg"), image)
        content = {"images": images, "annotations": annotations,
                   "categories": [{"id": category, "name": name} for category, name, _ in CATEGORIES]}
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return root


@pytest.fixture()
def tiny_coco(tmp_path: Path) -> Path:
    """Root of the data set."""
    return write_coco(tmp_path / "coco data")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of a tiny detector with random weights, in a folder with a space in its name."""
    from nas_fpn.tests.tiny_detector import write_checkpoint  # MindSpore takes seconds to import

    return write_checkpoint(tmp_path_factory.mktemp("check point") / "tiny.ckpt")

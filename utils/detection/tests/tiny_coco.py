"""A data set small enough to train on in a test: coloured rectangles on grey, category ids that are not contiguous."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

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
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": 100 + index,
                        "category_id": category,
                        "iscrowd": 0,
                        "bbox": [x, y, 40, 40],
                        "area": 1600,
                    }
                )
            cv2.imwrite(str(root / split / f"{index:03d}.jpg"), image)
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": category, "name": name} for category, name, _ in CATEGORIES],
        }
        (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    return root


def write_txt(root: Path, categories: Sequence[tuple] = CATEGORIES) -> tuple[str, ...]:
    """Writes SPLIT.txt with the same boxes beside the annotations of `root` and returns the arguments that name them.

    Lines are `FILE x1,y1,x2,y2,class,iscrowd ...`; classes count from 1 in the order of `categories`.
    """
    numbers = {category: number for number, (category, _, _) in enumerate(categories, start=1)}
    for path in sorted((root / "annotations").glob("instances_*.json")):
        content = json.loads(path.read_text())
        lines = []
        for image in content["images"]:
            fields = [image["file_name"]]
            for row in content["annotations"]:
                if row["image_id"] == image["id"]:
                    x, y, width, height = row["bbox"]
                    values = (x, y, x + width, y + height, numbers[row["category_id"]], row["iscrowd"])
                    fields.append(",".join(map(str, values)))
            lines.append(" ".join(fields))
        (root / f"{path.stem.removeprefix('instances_')}.txt").write_text("\n".join(lines) + "\n")
    names = ", ".join(name for _, name, _ in categories)
    return "--dataset=other", f"--anno_path={root}/{{}}.txt", f"--image_dir={root}/{{}}", f"--coco_classes=[{names}]"

"""Edits of the tiny data set: what users' annotations and pictures may be like."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def annotations_of(root: Path, split: str = "train2017") -> Path:
    return root / "annotations" / f"instances_{split}.json"


def change(root: Path, edit, split: str = "train2017") -> None:
    """Edits the annotations of a split in place."""
    path = annotations_of(root, split)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def remove_all(content: dict) -> None:
    content["annotations"] = []


def make_crowds(content: dict) -> None:
    for row in content["annotations"]:
        row["iscrowd"] = 1


def other_categories(content: dict) -> None:
    for row in (*content["categories"], *content["annotations"]):
        key = "category_id" if "category_id" in row else "id"
        row[key] += 1


def make_one_class(content: dict) -> None:
    """Keeps the red boxes, as cells with the id 42."""
    rows = [row for row in content["annotations"] if row["category_id"] == 7]
    content["annotations"] = [{**row, "category_id": 42} for row in rows]
    content["categories"] = [{"id": 42, "name": "cell"}]


def three_boxes(content: dict) -> None:
    """Leaves one image with a blue box of 60 x 60 and two red ones of 40 x 40."""
    content["images"] = [image for image in content["images"] if image["id"] == 101]
    content["annotations"] = [
        {"id": number, "image_id": 101, "category_id": category, "iscrowd": 0, "bbox": box, "area": 1}
        for number, (category, box) in enumerate([(7, [0, 0, 40, 40]), (3, [60, 30, 60, 60]), (7, [80, 0, 40, 40])])
    ]


def write_pictures_of_every_kind(root: Path) -> None:
    """Makes the training pictures grey, RGBA, CMYK, 16 bit, EXIF-rotated, one pixel, under names that end in .jpg."""
    folder = root / "train2017"
    rotated = Image.Exif()
    rotated[0x0112] = 6
    Image.new("L", (128, 96), 90).save(folder / "000.jpg", "PNG")
    Image.new("RGBA", (128, 96), (9, 99, 199, 0)).save(folder / "001.jpg", "PNG")
    Image.new("CMYK", (128, 96), (9, 99, 199, 0)).save(folder / "002.jpg", "JPEG")
    Image.fromarray(np.full((96, 128), 40000, np.uint16)).save(folder / "003.jpg", "PNG")
    Image.new("RGB", (96, 128), (9, 99, 199)).save(folder / "004.jpg", "JPEG", exif=rotated)
    Image.new("RGB", (1, 1)).save(folder / "005.jpg", "PNG")

    def edit(content: dict) -> None:
        content["images"][5].update(width=1, height=1)
        content["annotations"] = [row for row in content["annotations"] if row["image_id"] != 105]

    change(root, edit)

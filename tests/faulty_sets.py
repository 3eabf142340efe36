"""Data sets with one of each fault, and what `data check` finds in them: how many of which code in which split."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from segformer.tests.tiny_city import image_path, label_path, write_city, write_png
from utils.detection.tests.edited_coco import annotations_of
from utils.images import write_image

HEIGHT, WIDTH = 96, 128
BOTH = "train2017, val2017"


def write_noise(path: Path, seed: int, height: int = HEIGHT, width: int = WIDTH) -> None:
    write_image(path, np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def box(image_id: object, category_id: object, bbox: object, **fields) -> dict:
    return {"image_id": image_id, "category_id": category_id, "bbox": bbox, "iscrowd": 0, **fields}


def write_faulty_coco(root: Path) -> Path:
    """Writes 14 training and 4 evaluation pictures with one of each fault, and a few right boxes."""
    for split, count, first in (("train2017", 13, 0), ("val2017", 4, 100)):
        for index in range(count):
            write_noise(root / split / f"{index:03d}.png", first + index)
    train = root / "train2017"
    (train / "000.png").unlink()
    (train / "001.png").write_bytes((train / "001.png").read_bytes()[:9000])  # of 37,000
    (train / "002.png").write_text("no picture")
    write_noise(train / "003.png", 3, height=64)
    shutil.copy(train / "005.png", train / "004.png")
    shutil.copy(train / "006.png", root / "val2017" / "000.png")
    write_noise(train / "more" / "strange.png", 99)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT), (9, 99, 199)).save(train / "013.jpg", exif=turned)
    names = [*(f"{index:03d}.png" for index in range(13)), "013.jpg"]
    images = [{"id": index, "file_name": name, "height": HEIGHT, "width": WIDTH} for index, name in enumerate(names)]
    good = [box(index, 1 + index % 2, [10, 10, 40, 40]) for index in range(5, 14)]
    faulty = [
        box(7, 1, [130, 10, 20, 20]),  # outside
        box(7, 2, [20, 20, 0, 20]),  # without area
        box(8, 1, [20, 20, -5, 20]),
        box(8, 2, [20, 20, float("nan"), 20]),
        box(9, 1, [100, 50, 40, 40]),  # over the border, by 12 pixels
        box(9, 2, [0.25, 0.25, 0.5, 0.5]),  # fractions
        box(10, 1, [10, 10, 40, 40]),  # again: 10 is an even number, so the right one is of class 1 too
        box(99, 1, [1, 1, 9, 9], id=71),
        box(10, 99, [1, 1, 9, 9], id=72),
        box(10, 1, [1, 1, 9], id=73),
        box(10, 1, [1, 1, 9, 9], area="large", id=74),
        box(10, 1, [1, 1, 9, 9], id=75) | {"iscrowd": 5},
        *(box(11, 2, [5 * index, 50, 30, 30]) for index in range(4)),  # five boxes with the right one
    ]
    incomplete = [{"id": 50, "file_name": "050.png", "height": HEIGHT}]
    sharing = [{"id": 5, "file_name": "other.png", "height": HEIGHT, "width": WIDTH}, dict(images[6])]
    categories = [
        {"id": 1, "name": "red"},
        {"id": 2, "name": "blue"},
        {"id": 3, "name": "Red"},  # like red, without a box, and not in the other split
        {"id": 4},
    ]
    (root / "annotations").mkdir()
    training = {"images": images + incomplete + sharing, "annotations": good + faulty, "categories": categories}
    annotations_of(root).write_text(json.dumps(training))
    evaluation = {
        "images": [dict(image) for image in images[:4]],
        "annotations": [box(index, 5 + index % 3, [10, 10, 40, 40]) for index in range(4)],
        "categories": [{"id": 5, "name": "red"}, {"id": 6, "name": "blue"}, {"id": 7, "name": "green"}],
    }
    annotations_of(root, "val2017").write_text(json.dumps(evaluation))
    return root


COCO_FAULTS = {
    ("error", "train2017", "pictures-missing"): 1,
    ("error", "train2017", "pictures-damaged"): 1,
    ("error", "train2017", "pictures-no-picture"): 1,
    ("error", "train2017", "pictures-of-other-size"): 1,
    ("warning", "train2017", "pictures-not-turned"): 1,
    ("warning", "train2017", "pictures-repeated"): 1,
    ("error", BOTH, "pictures-in-both-splits"): 1,
    ("error", "train2017", "images-incomplete"): 1,
    ("error", "train2017", "images-sharing-an-id"): 1,
    ("warning", "train2017", "images-listed-twice"): 1,
    ("error", "train2017", "categories-unusable"): 1,
    ("error", "train2017", "annotations-of-no-image"): 1,
    ("error", "train2017", "annotations-of-no-class"): 1,
    ("error", "train2017", "annotations-without-box"): 1,
    ("error", "train2017", "annotations-with-bad-area"): 1,
    ("error", "train2017", "annotations-with-bad-iscrowd"): 1,
    ("warning", "train2017", "boxes-negative"): 1,
    ("warning", "train2017", "boxes-not-finite"): 1,
    ("error", "train2017", "boxes-as-fractions"): 1,
    ("warning", "train2017", "boxes-outside"): 1,
    ("warning", "train2017", "boxes-without-area"): 1,
    ("warning", "train2017", "boxes-over-the-border"): 1,
    ("warning", "train2017", "boxes-repeated"): 1,
    ("warning", "train2017", "pictures-with-too-many-boxes"): 1,
    ("warning", "train2017", "class-names-alike"): 1,
    ("warning", "train2017", "classes-without-boxes"): 1,
    ("error", BOTH, "classes-of-evaluation-alone"): 1,
    ("warning", BOTH, "classes-of-training-alone"): 1,
    ("note", BOTH, "class-ids-differ"): 2,
    ("note", "train2017", "pictures-not-listed"): 1,
    ("note", "train2017", "pictures-without-boxes"): 5,  # the first five: 0 to 4
}


def write_faulty_city(root: Path) -> Path:
    """Writes 10 training and 3 evaluation pairs with one of each fault."""
    write_city(root, {"train": 10, "val": 3}, height=64, width=96)
    label_path(root, "train", 0).unlink()
    whole = label_path(root, "train", 1).read_bytes()
    label_path(root, "train", 1).write_bytes(whole[:-20])
    write_png(label_path(root, "train", 2), np.zeros((64, 96, 3), np.uint8))
    write_png(label_path(root, "train", 3), np.zeros((32, 96), np.uint8))
    write_png(label_path(root, "train", 4), np.full((64, 96), 9, np.uint8))
    write_png(label_path(root, "train", 5), np.full((64, 96), 255, np.uint8))
    image_path(root, "train", 6).write_bytes(image_path(root, "train", 6).read_bytes()[:-20])
    image_path(root, "train", 7).write_bytes(b"")
    shutil.copy(image_path(root, "train", 8), image_path(root, "train", 9))
    shutil.copy(image_path(root, "train", 8), image_path(root, "val", 0))
    return root


CITY_FAULTS = {
    ("error", "train", "pictures-damaged"): 1,
    ("error", "train", "pictures-no-picture"): 1,
    ("error", "train", "labels-missing"): 1,
    ("error", "train", "labels-damaged"): 1,
    ("error", "train", "labels-of-other-kind"): 1,
    ("error", "train", "labels-of-other-size"): 1,
    ("error", "train", "label-values-not-named"): 1,
    ("warning", "train", "labels-without-class"): 1,
    ("warning", "train", "classes-without-pixels"): 1,  # class_4
    ("warning", "val", "classes-without-pixels"): 1,
    ("warning", "train", "pictures-repeated"): 1,
    ("error", "train, val", "pictures-in-both-splits"): 1,
}

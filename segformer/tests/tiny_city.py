"""A data set in the layout of Cityscapes, small enough for tests: blocks of classes, each with its colour."""

import json
from pathlib import Path

import cv2
import numpy as np

from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES, id_table, palette

SPLITS = {"train": 5, "val": 2}


def draw_pair(height: int, width: int, seed: int, num_classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8[H, W, 3] RGB in Cityscapes' colours and uint8[H, W] train ids below `num_classes`."""
    side = 16
    cells = (-(-height // side), -(-width // side))
    classes = np.random.default_rng(seed).integers(0, num_classes, cells, dtype=np.uint8)
    label = np.ascontiguousarray(np.kron(classes, np.ones((side, side), np.uint8))[:height, :width])
    return palette()[label], label


def image_path(root: Path, split: str, index: int) -> Path:
    """Returns the image; images change between two cities."""
    city = ("aachen", "bochum")[index % 2]
    return root / "leftImg8bit" / split / city / f"{city}_{index:06d}_000019_leftImg8bit.png"


def label_path(root: Path, split: str, index: int, kind: str = "labelTrainIds.png") -> Path:
    """Returns a file that belongs to an image."""
    image = image_path(root, split, index)
    name = image.name.replace("_leftImg8bit.png", f"_gtFine_{kind}")
    return root / "gtFine" / split / image.parent.name / name


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Writes uint8[H, W], uint16[H, W] or uint8[H, W, 3] RGB; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    path.write_bytes(cv2.imencode(".png", stored)[1].tobytes())


def write_city(
    root: Path,
    splits: dict[str, int] = SPLITS,
    height: int = 48,
    width: int = 96,
    kinds: tuple[str, ...] = ("trainIds",),
) -> Path:
    """Writes the data set.

    Args:
        root: folder for it.
        splits: how many images each split has.
        height: of the images.
        width: of the images.
        kinds: of annotation: "trainIds", "ids", "polygons".

    Returns:
        `root`.
    """
    for split, count in splits.items():
        for index in range(count):
            image, label = draw_pair(height, width, seed=index + 100 * len(split))
            write_png(image_path(root, split, index), image)
            if "trainIds" in kinds:
                write_png(label_path(root, split, index), label)
            if "ids" in kinds:
                write_png(label_path(root, split, index, "labelIds.png"), id_table()[label])
            if "polygons" in kinds:
                label_path(root, split, index).parent.mkdir(parents=True, exist_ok=True)
                content = json.dumps(polygons_of(label))
                label_path(root, split, index, "polygons.json").write_text(content)
    return root


def polygons_of(label: np.ndarray) -> dict:
    """Returns the annotation of uint8[H, W] train ids in blocks of 16 pixels; a polygon's corners are in the block."""
    height, width = label.shape
    objects = []
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            right, bottom = min(left + 16, width) - 1, min(top + 16, height) - 1
            corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
            objects.append({"label": CITYSCAPES_CLASS_NAMES[label[top, left]], "polygon": corners})
    return {"imgHeight": height, "imgWidth": width, "objects": objects}

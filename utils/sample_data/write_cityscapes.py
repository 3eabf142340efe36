"""Writes pictures and labels in the layout of Cityscapes."""

from pathlib import Path

import cv2
import numpy as np

from utils.sample_data.drawing.canvas import Outline
from utils.sample_data.files import write_encoded, write_json
from utils.sample_data.labels import instance_ids, label_ids

LABELS = "gtFine"  # the folder of all labels; in it each split has one
CITIES = {"train": "toytown", "val": "toyville"}
FRAME = "000019"  # the labelled frame of each Cityscapes snippet
FAST_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # level 1 of 9: flat colours pack well at any, and drawing waits least


def folder_names() -> list[str]:
    """Folders that this layout fills."""
    return ["leftImg8bit", LABELS]


def write_picture(
    root: Path, split: str, index: int, image: np.ndarray, outlines: list[Outline], indices: np.ndarray
) -> None:
    """Writes picture `index` of a split, uint8[H, W, 3] (RGB), with its polygons, labelIds and instanceIds.

    `outlines` are back to front; `indices`, int32[H, W], says which is seen at each pixel.
    """
    city = CITIES[split]
    stem = f"{city}_{index:06d}_{FRAME}"
    labels = root / LABELS / split / city
    write_encoded(root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png", image, FAST_PNG)
    write_encoded(labels / f"{stem}_gtFine_labelIds.png", label_ids(outlines, indices), FAST_PNG)
    write_encoded(labels / f"{stem}_gtFine_instanceIds.png", instance_ids(outlines, indices), FAST_PNG)
    objects = [{"label": outline.item.label, "polygon": outline.polygon.tolist()} for outline in outlines]
    write_json(
        labels / f"{stem}_gtFine_polygons.json",
        {"imgHeight": image.shape[0], "imgWidth": image.shape[1], "objects": objects},
    )

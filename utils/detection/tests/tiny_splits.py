"""Splits of the tiny data set, opened as the commands open them."""

from pathlib import Path

from utils.detection.data.layouts.split_paths import SplitPaths, split_paths
from utils.detection.data.splits import Split, open_split


def paths_of(root: Path | str | None, split: str = "train2017", folder: Path | None = None, **changes) -> SplitPaths:
    """Where a split of a COCO data set lies; MindRecord files go to `folder`, else to RECORDS in the root."""
    values = {
        "form": "coco",
        "split": split,
        "coco_root": root and str(root),
        "anno_path": "",
        "image_dir": "",
        "instance_set": "annotations/instances_{}.json",
        "mindrecord_dir": folder and str(folder),
        "default_folder": "RECORDS",
        "prefix": f"{split}.mindrecord",
    }
    return split_paths(**{**values, **changes})


def open_coco(root: Path, split: str = "train2017", num_shards: int = 2) -> Split:
    """Opens a split, making its MindRecord files."""
    return open_split(paths_of(root, split), None, num_shards)

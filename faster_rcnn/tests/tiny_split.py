"""The tiny data set opened as the commands of the suite open it, and edited to see what they make of it."""

import json
from pathlib import Path

import numpy as np

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from faster_rcnn.src.dataset import TrainingSample

TINY = (
    "--config_path=config/custom.yaml",
    "--img_height=128",
    "--img_width=128",
    "--res2net_layers=[1,1,1,1]",
    "--res2net_width=8",
    "--res2net_base_width=4",
    "--fpn_out_channels=8",
    "--rpn_feat_channels=8",
    "--rcnn_fc_out_channels=16",
    "--num_gts=16",
    "--batch_size=1",
    "--num_parallel_workers=1",
    "--keep_empty_images=true",
)


def annotations_of(root: Path, split: str = "train2017") -> Path:
    return root / "annotations" / f"instances_{split}.json"


def change(root: Path, edit, split: str = "train2017") -> None:
    """Edits the annotations of a split in place."""
    path = annotations_of(root, split)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def open_training(root: Path | None, *arguments: str, is_training: bool = True):
    """Opens a split as train.py and eval.py do; the class count is checked too."""
    data = [f"--coco_root={root}"] if root else []
    config = load([*TINY, *data, *arguments])
    split = build.open_configured_split(config, is_training)
    build.num_classes(config, split)
    return split


def assert_trainable(split, num_images: int, *arguments: str) -> list[dict[str, np.ndarray]]:
    """Reads an epoch of batches with one image each and checks what every one of them holds; returns their arrays."""
    source = build.build_training_source(load([*TINY, *arguments]), split)
    batches = [dict(zip(TrainingSample.COLUMNS, batch, strict=True)) for batch in source.batches(1)]
    assert len(batches) == num_images
    for arrays in batches:
        assert all(np.isfinite(values).all() for values in arrays.values())
        used = arrays["gt_labels"] >= 0
        boxes = arrays["gt_boxes"][used]
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert set(np.unique(arrays["rpn_label"])) <= {-1, 0, 1}
    return batches

"""Splits as the commands of both detectors open them, and the batches that a training makes of them."""

import numpy as np

from tests.suites import NAS_FPN

RECORDS = {"nas_fpn": ("NASFPN_MINDRECORD", "retinanet"), "faster_rcnn": ("FASTERRCNN_MINDRECORD", "FasterRcnn")}
COMMON = ("--batch_size=1", "--keep_empty_images=true", "--num_gts=16")
UNCHANGED = ("--scale_range=[1,1]", "--flip_ratio=0")
SIZE = {"nas_fpn": (), "faster_rcnn": ("--img_height=128", "--img_width=128")}


def open_split(suite, root, *arguments, is_training=True):
    """Opens a split as train.py and eval.py do; the class count is checked too."""
    build = suite.part("build")
    config = suite.load(*SIZE[suite.name], *([f"--coco_root={root}"] if root else []), *arguments)
    split = build.open_configured_split(config, is_training)
    build.num_classes(config, split)
    return split


def assert_trainable(suite, split, num_images, *arguments):
    """Reads an epoch of batches with one image each and checks what every one of them holds; returns their arrays."""
    config = suite.load(*SIZE[suite.name], *COMMON, *arguments)
    columns = suite.part("dataset").TrainingSample.COLUMNS
    batches = suite.part("build").build_training_source(config, split).batches(1)
    batches = [dict(zip(columns, batch, strict=True)) for batch in batches]
    assert len(batches) == num_images
    for arrays in batches:
        assert all(np.isfinite(values).all() for values in arrays.values())
        if suite is NAS_FPN:
            assert arrays["classes"].min() >= -1
            continue
        boxes = arrays["gt_boxes"][arrays["gt_labels"] >= 0]
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert set(np.unique(arrays["rpn_label"])) <= {-1, 0, 1}
    return batches


def labels_of(suite, batches):
    """Returns which classes a batch has something of."""
    labels = np.concatenate([arrays["classes" if suite is NAS_FPN else "gt_labels"].ravel() for arrays in batches])
    return set(labels[(labels >= 0) & (labels < 2)].tolist())


def made_files(folder):
    return [path.name for path in folder.glob("*") if not path.name.endswith(".lock")]

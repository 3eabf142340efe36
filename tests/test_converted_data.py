"""What `data convert` writes is what the suites read, and the commands that it prints are ones that they take."""

import importlib
import shlex

import numpy as np
import pytest

from segformer.src.dataset import open_pairs, read_pair
from utils.detection.data.coco_file import load_coco
from utils.forms.conversion import Request, convert
from utils.forms.tests.samples import label_of, labelme, picture, shape, text


@pytest.fixture
def source(tmp_path):
    """Ten pictures of LabelMe: one class whose name YAML would take for something else, one of two words."""
    for number in range(10):
        picture(tmp_path / "own data" / f"{number}.jpg", number)
        shapes = [shape("yes", [[0, 0], [8, 0], [8, 8]]), shape("big leaf", [[50, 30], [20, 10]], "rectangle")]
        text(tmp_path / "own data" / f"{number}.json", labelme(shapes, imagePath=f"{number}.jpg"))
    return tmp_path / "own data"


def commands(source, out, target):
    """Converts; returns the configuration of each printed command, by its suite."""
    said = []
    convert(Request(source, out, target=target), said.append)
    typed = [shlex.split(line) for line in said if line.startswith("  python ")]
    suites = [words[1].removesuffix("/train.py").rpartition("/")[2] for words in typed]
    return {
        suite: importlib.import_module(f"{suite}.src.config").load(words[2:])
        for suite, words in zip(suites, typed, strict=True)
    }


def test_detectors(source, tmp_path):
    out = tmp_path / "boxes"
    configs = commands(source, out, "coco")
    assert {suite: config.coco_root for suite, config in configs.items()} == dict.fromkeys(
        ("nas_fpn", "faster_rcnn"), str(out)
    )
    for split, count in (("train2017", 6), ("val2017", 4)):
        data = load_coco(out / "annotations" / f"instances_{split}.json", out / split)
        assert (data.class_names, len(data.records)) == (("big leaf", "yes"), count)
        for record in data.records:
            np.testing.assert_array_equal(record.boxes, [[0, 0, 8, 8], [20, 10, 50, 30]])
            assert record.labels.tolist() == [1, 0]


def test_segformer(source, tmp_path):
    out = tmp_path / "labels"
    (config,) = commands(source, out, "cityscapes").values()
    assert (config.class_num, config.class_names) == (3, ("background", "big leaf", "yes"))
    assert config.epoch_size == 67  # 3 steps an epoch, and 200 in all
    pairs = open_pairs(config.data_path, "train", config.class_num, config.dataset_ignore_label, config.class_names)
    assert len(pairs) == 6
    _, label = read_pair(pairs[0], config.class_num, config.dataset_ignore_label)
    triangle = 8 * 9 // 2  # rows of 8, 7, ... 1: the diagonal is its left edge, and centres on that belong to it
    assert np.bincount(label.ravel()).tolist() == [2400 - 600 - triangle, 600, triangle]
    name = pairs[0].label.name.partition("_")[0]
    np.testing.assert_array_equal(label, label_of(out, name))

"""A user's own images and masks as they are: trained, evaluated and predicted by the commands, at a tiny size."""

import json
import logging

import cv2
import numpy as np
import pytest

from segformer.src.config import load
from segformer.src.evaluate import evaluate as run_evaluation
from segformer.tests.tiny_checkpoint import TOY_TRAINING
from segformer.tests.tiny_city import draw_pair, write_png
from tests.suites import SEGFORMER, taken_device
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import load_checkpoint

pytestmark = pytest.mark.end_to_end

ONE_EPOCH = (*TOY_TRAINING, "--epoch_size=1", "--eval_start_epoch=1", "--warmup_steps=0", "--load_ckpt=False")
COLOURS = np.array([[10, 200, 30], [0, 0, 192], [64, 0, 128], [0, 0, 0]], np.uint8)


def write_set(root, images, labels, change, count=8):
    for index in range(count):
        image, label = draw_pair(48, 96, index)
        write_png(root / images.format(index), image)
        write_png(root / labels.format(index), change(label))
    return root


def evaluate(tmp_path, data, epoch):
    """Evaluates with nothing but the place of the data; returns result.json."""
    checkpoint = tmp_path / "run" / "checkpoint" / f"segformer_mit_b0_{epoch}.ckpt"
    given = [f"--eval_ckpt_path={checkpoint}", f"--data_path={data}", f"--run_dir={tmp_path / 'eval'}"]
    with taken_device():
        run_evaluation(load([*given, "--device_target=CPU"], "eval.py"))
    return load_checkpoint(checkpoint), json.loads((tmp_path / "eval" / "result.json").read_text())


def test_masks_of_0_and_255_beside_images(tmp_path, caplog):
    """One folder of each, without splits: a share is held back."""
    caplog.set_level(logging.INFO)
    data = write_set(tmp_path / "set", "images/{}.png", "masks/{}.png", lambda label: np.uint8(255) * (label > 1))
    given = ["--image_pattern=images/*.png", "--label_pattern=masks/*.png", "--label_map=binary", "--val_share=0.4"]
    SEGFORMER.call(
        "train.py", f"--data_path={data}", f"--run_dir={tmp_path / 'run'}", *ONE_EPOCH, *given, "--class_num=2"
    )
    assert "2 classes: background, foreground" in caplog.text
    checkpoint, result = evaluate(tmp_path, data, "best")
    assert checkpoint.class_names == ("background", "foreground")
    counts = np.array(result["confusion_matrix"])
    held_back = int(result["num_images"])
    assert 1 <= held_back <= 7
    assert counts.sum() == held_back * 48 * 96  # no pixel is left out
    pictures = sorted((tmp_path / "eval" / "pictures").glob("0*.jpg"))
    assert len(pictures) == held_back
    with pytest.raises(BadValueError, match="nothing divides the images of image_pattern"):
        SEGFORMER.call("train.py", f"--data_path={data}", f"--run_dir={tmp_path / 'no'}", *ONE_EPOCH, *given[:2])


def test_masks_of_colours_by_split(tmp_path):
    """RGB files whose names end otherwise than the images'; black is no class."""
    for split in ("train", "val"):
        write_set(
            tmp_path / "set", split + "/{}.png", split + "_labels/{}_L.png", lambda label: COLOURS[label], count=4
        )
    given = ["--image_pattern={split}/*.png", "--label_pattern={split}_labels/*_L.png", "--class_num=3"]
    palette = "--palette={grass: [10, 200, 30], water: [0, 0, 192], roof: '#400080', void: [0, 0, 0]}"
    data = tmp_path / "set"
    given += [palette, f"--data_path={data}", f"--run_dir={tmp_path / 'run'}", "--run_eval=False"]
    SEGFORMER.call("train.py", *ONE_EPOCH, *given)
    checkpoint, result = evaluate(tmp_path, data, 1)
    assert checkpoint.class_names == ("grass", "water", "roof")
    labels = np.stack([draw_pair(48, 96, index)[1] for index in range(4)])
    expected = np.bincount(labels.ravel(), minlength=4)[:3]
    assert np.array(result["confusion_matrix"]).sum(axis=1).tolist() == expected.tolist()
    sheet = cv2.imread(str(tmp_path / "eval" / "pictures" / "000_0.jpg"))
    assert sheet.shape[1] == 3 * 288 + 2 * 6  # 96 pixels are shown as 288

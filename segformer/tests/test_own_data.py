"""A user's own images and masks as they are: trained, evaluated and predicted by the commands, at a tiny size."""

import json
import logging

import cv2
import numpy as np
import pytest

from segformer.src import build
from segformer.src.config import load
from segformer.src.dataset import read_pair
from segformer.src.evaluate import evaluate
from segformer.tests.tiny_checkpoint import TOY_TRAINING
from segformer.tests.tiny_city import draw_pair, write_png
from tests.suites import SEGFORMER, taken_device
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import load_checkpoint

pytestmark = pytest.mark.end_to_end

ONE_EPOCH = (*TOY_TRAINING, "--epoch_size=1", "--run_eval=False", "--warmup_steps=0", "--load_ckpt=False")
COLOURS = np.array([[10, 200, 30], [0, 0, 192], [64, 0, 128], [0, 0, 0]], np.uint8)


def write_set(root, images, labels, change, count=8):
    for index in range(count):
        image, label = draw_pair(48, 96, index)
        write_png(root / images.format(index), image)
        write_png(root / labels.format(index), change(label))
    return root


def test_masks_of_0_and_255_beside_images(tmp_path, caplog):
    """One folder of each, without splits: a share is held back; eval.py is told the place of the data alone."""
    caplog.set_level(logging.INFO)
    data = write_set(tmp_path / "set", "images/{}.png", "masks/{}.png", lambda label: np.uint8(255) * (label > 1))
    given = [f"--data_path={data}", "--image_pattern=images/*.png", "--label_pattern=masks/*.png", "--label_map=binary"]
    with pytest.raises(BadValueError, match="training and evaluation would have the same images"):
        SEGFORMER.call(
            "train.py", f"--run_dir={tmp_path / 'no'}", *ONE_EPOCH, *given, "--class_num=2", "--run_eval=True"
        )
    given += [f"--run_dir={tmp_path / 'run'}", "--val_share=0.4", "--class_num=2"]
    SEGFORMER.call("train.py", *ONE_EPOCH, *given, "--warmup_steps=100")
    assert "2 classes: background, foreground" in caplog.text
    assert "warmup_steps is 100 and the run has" in caplog.text  # as in any run on a few pictures
    file = tmp_path / "run" / "checkpoint" / "segformer_mit_b0_1.ckpt"
    assert load_checkpoint(file).class_names == ("background", "foreground")
    places = [f"--eval_ckpt_path={file}", f"--data_path={data}", f"--run_dir={tmp_path / 'eval'}"]
    with taken_device():
        evaluate(load([*places, "--device_target=CPU"], "eval.py"))
    result = json.loads((tmp_path / "eval" / "result.json").read_text())
    held_back = result["num_images"]
    assert 1 <= held_back <= 7
    assert np.sum(result["confusion_matrix"]) == held_back * 48 * 96  # no pixel is left out
    pictures = sorted((tmp_path / "eval" / "pictures").glob("0*.jpg"))
    assert len(pictures) == held_back
    assert cv2.imread(str(pictures[0])).shape[1] == 3 * 288 + 2 * 6  # 96 pixels are shown as 288


@pytest.mark.long_run
def test_masks_of_colours_by_split(tmp_path):
    """RGB files whose names end otherwise than the images'; black is no class."""
    data = tmp_path / "set"
    for split in ("train", "val"):
        write_set(data, split + "/{}.png", split + "_labels/{}_L.png", lambda label: COLOURS[label], count=4)
    given = ["--image_pattern={split}/*.png", "--label_pattern={split}_labels/*_L.png", "--class_num=3"]
    palette = "--palette={grass: [10, 200, 30], water: [0, 0, 192], roof: '#400080', void: [0, 0, 0]}"
    SEGFORMER.call("train.py", *ONE_EPOCH, *given, palette, f"--data_path={data}", f"--run_dir={tmp_path / 'run'}")
    file = tmp_path / "run" / "checkpoint" / "segformer_mit_b0_1.ckpt"
    assert load_checkpoint(file).class_names == ("grass", "water", "roof")
    config, _ = build.open_checkpoint(load([f"--data_path={data}"], "eval.py"), file)  # as eval.py begins
    for index, pair in enumerate(build.open_split(config, is_training=False)):
        expected = draw_pair(48, 96, index)[1]
        np.testing.assert_array_equal(read_pair(pair, 3, 255)[1], np.where(expected == 3, 255, expected))

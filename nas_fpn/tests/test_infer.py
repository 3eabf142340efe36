"""infer.py's detections by hand, batches, and what becomes of results, names and nothing found."""

import json
import logging

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from nas_fpn.src import build
from nas_fpn.src.builders import detection
from nas_fpn.src.config import load
from nas_fpn.src.infer import infer
from nas_fpn.src.variants import STRIDES
from nas_fpn.tests.tiny_detector import TINY_NETWORK, write_checkpoint
from utils.detection.anchors import make_anchors, octave_scales
from utils.model_utils.device_adapter import DeviceInfo, choose_device

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module", autouse=True)
def _device():
    """MindSpore takes a device once in a process, before the first operator; other tests have run some."""
    ms.set_context(mode=ms.GRAPH_MODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "nas_fpn.src.builders.opening.set_up_device",
            lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1),
        )
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with tiny.ckpt, and six pictures of several heights in `in`, the last of them 128 x 96."""
    root = tmp_path_factory.mktemp("a folder")
    write_checkpoint(root / "tiny.ckpt")
    (root / "in").mkdir()
    for number in range(5):
        image = np.random.default_rng(number).integers(0, 255, (60 + 10 * number, 90, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / "in" / f"{number}.png")
    image = np.full((96, 128, 3), 120, np.uint8)
    image[20:61, 10:51] = (255, 0, 0)
    Image.fromarray(image).save(root / "in" / "000000000139.jpg")
    return root


def run_infer(checkpoint, pictures, out, *arguments):
    places = (f"--checkpoint_path={checkpoint}", f"--image_path={pictures}", f"--infer_output_path={out}")
    infer(load([*TINY_NETWORK, "--min_score=0.0001", "--max_boxes=3", *places, *arguments], program="infer.py"))
    return json.loads((out / "detections.json").read_text())


@pytest.fixture(scope="module")
def alone(root):
    """What is found in each picture alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "EVALUATION_BATCH_SIZE", 1)
        return run_infer(root / "tiny.ckpt", root / "in", root / "alone")


def test_the_detections_are_the_networks(root, alone):
    """The first box is that of the network's highest score, decoded by hand: the picture fills the input's width."""
    row = next(row for row in alone if row["image_id"] == 139)
    config = load(TINY_NETWORK)
    network, _ = build.load_detector(*build.open_checkpoint(config, root / "tiny.ckpt"))
    image = np.zeros((128, 128, 3), np.float32)
    image[:96] = np.asarray(Image.open(root / "in" / "000000000139.jpg"))
    image[:96] = (image[:96] - config.img_norm_mean) / config.img_norm_std
    logits, deltas = network.set_train(False)(ms.Tensor(image.transpose(2, 0, 1)[None]))
    anchor, label = np.unravel_index(np.argmax(logits.asnumpy()[0]), logits.shape[1:])
    x1, y1, x2, y2 = make_anchors(128, 128, STRIDES, octave_scales(2.5, 2), (0.5, 1.0, 2.0))[anchor].astype(np.float64)
    dx, dy, dw, dh = deltas.asnumpy()[0, anchor].astype(np.float64)
    centre = np.array([(x1 + x2) / 2 + dx * (x2 - x1), (y1 + y2) / 2 + dy * (y2 - y1)])
    half = np.array([(x2 - x1) * np.exp(dw), (y2 - y1) * np.exp(dh)]) / 2
    low, high = np.clip(centre - half, 0, [128, 96]), np.clip(centre + half, 0, [128, 96])
    assert row["image_id"] == 139
    assert row["category_id"] == (7, 3)[label]
    np.testing.assert_allclose(row["bbox"], [*low, *(high - low)], atol=0.01)
    assert row["score"] == pytest.approx(1 / (1 + np.exp(-logits.asnumpy().max())), rel=1e-4)


def test_a_batch_gives_what_single_pictures_give(root, alone):
    """Six pictures are a batch of four and one that is filled up."""
    together = run_infer(root / "tiny.ckpt", root / "in", root / "together")
    assert len(together) == 18
    for one, other in zip(together, alone, strict=True):
        assert (one["image_id"], one["category_id"]) == (other["image_id"], other["category_id"])
        np.testing.assert_allclose([*one["bbox"], one["score"]], [*other["bbox"], other["score"]], rtol=1e-4, atol=1e-3)


def test_results_inside_the_picture_folder_are_not_inferred_again(tmp_path, caplog):
    """Of an older checkpoint, without names: it is drawn with numbers."""
    caplog.set_level(logging.INFO)
    checkpoint = write_checkpoint(tmp_path / "old.ckpt", class_names=(), category_ids=())
    (tmp_path / "in" / "out").mkdir(parents=True)
    for file in ("a.png", "out/old.jpg"):
        Image.new("RGB", (128, 96), (120, 9, 9)).save(tmp_path / "in" / file)
    rows = run_infer(checkpoint, tmp_path / "in", tmp_path / "in" / "out")
    assert {row["file_name"] for row in rows} == {"a.png"}
    assert {row["category_id"] for row in rows} <= {1, 2}
    assert "class_0 to class_1 are used" in caplog.text


def test_without_a_detection_the_picture_and_an_empty_list_are_written(root, tmp_path):
    assert run_infer(root / "tiny.ckpt", root / "in" / "0.png", tmp_path / "out", "--min_score=1") == []
    assert (tmp_path / "out" / "0.jpg").is_file()

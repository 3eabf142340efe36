"""infer.py: pictures of every kind in, pictures with boxes and detections.json out; what cannot be used is named."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import cv2
import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from nas_fpn.src import build
from nas_fpn.src.config import load
from nas_fpn.src.infer import infer
from nas_fpn.src.variants import STRIDES
from nas_fpn.tests.tiny_detector import TINY_NETWORK, write_checkpoint
from utils.detection.anchors import make_anchors, octave_scales
from utils.model_utils.device_adapter import DeviceInfo, choose_device
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError

SUITE = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """MindSpore takes a device once in a process, before the first operator; other tests have run some."""
    ms.set_context(mode=ms.GRAPH_MODE)
    monkeypatch.setattr(
        "nas_fpn.src.infer.set_up_device", lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1)
    )


def picture(height=96, width=128):
    image = np.full((height, width, 3), 120, np.uint8)
    cv2.rectangle(image, (10, 20), (50, 60), (0, 0, 255), -1)
    return Image.fromarray(image[..., ::-1])


def write_pictures(folder):
    """One picture of each kind, in folders with names in common."""
    (folder / "sub").mkdir(parents=True)
    picture().save(folder / "000000000139.jpg")
    picture(40, 300).save(folder / "sub" / "000000000139.PNG")
    picture().convert("L").save(folder / "grey.jpeg")
    picture().convert("RGBA").save(folder / "alpha.png")
    picture().convert("CMYK").save(folder / "sub" / "cmyk.JPG")
    Image.fromarray((np.arange(96 * 128, dtype=np.uint16) * 5).reshape(96, 128)).save(folder / "sixteen.png")
    rotated = Image.Exif()
    rotated[0x0112] = 6
    picture().save(folder / "turned.jpg", exif=rotated)
    picture().save(folder / "alpha.bmp")
    return folder


def run_infer(checkpoint, pictures, out, *arguments):
    infer(
        load(
            [
                *TINY_NETWORK,
                "--min_score=0.0001",
                "--max_boxes=3",
                f"--checkpoint_path={checkpoint}",
                f"--image_path={pictures}",
                f"--infer_output_path={out}",
                *arguments,
            ],
            program="infer.py",
        )
    )
    return json.loads((out / "detections.json").read_text())


def test_the_command_draws_every_kind_of_picture_and_passes_over_broken_ones(checkpoint, tmp_path):
    pictures, out = write_pictures(tmp_path / "my pictures"), tmp_path / "out"
    (pictures / "broken.jpg").write_bytes((pictures / "turned.jpg").read_bytes()[:-100])
    (pictures / "empty.png").touch()
    finished = subprocess.run(
        [
            sys.executable,
            str(SUITE / "infer.py"),
            *TINY_NETWORK,
            "--min_score=0.0001",
            "--max_boxes=3",
            f"--checkpoint_path={checkpoint}",
            "--image_path=my pictures",
            "--infer_output_path=out",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "8 images, 24 detections, " in finished.stdout
    assert "2 files could not be read" in finished.stdout
    assert "broken.jpg' is truncated" in finished.stderr
    assert "empty.png' is empty" in finished.stderr
    assert "2 classes: red, blue" in finished.stderr
    drawn = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.jpg"))
    assert drawn == [
        "000000000139.jpg",
        "alpha.jpg",
        "alpha.png.jpg",
        "grey.jpg",
        "sixteen.jpg",
        "sub/000000000139.jpg",
        "sub/cmyk.jpg",
        "turned.jpg",
    ]
    rows = json.loads((out / "detections.json").read_text())
    assert len(rows) == 24
    assert {tuple(row) for row in rows} == {("image_id", "category_id", "bbox", "score", "file_name")}
    assert {row["category_id"] for row in rows} <= {7, 3}
    assert {row["file_name"] for row in rows} >= {"sub/000000000139.PNG", "sixteen.png"}
    assert len({row["image_id"] for row in rows}) == 8


def test_boxes_are_in_pixels_of_the_picture_as_shown(checkpoint, tmp_path):
    """A picture that its EXIF orientation turns is 96 wide and 128 high, and its boxes end there."""
    pictures = write_pictures(tmp_path / "in")
    rows = run_infer(checkpoint, pictures / "turned.jpg", tmp_path / "out", "--max_boxes=100")
    corners = np.asarray([row["bbox"] for row in rows])
    assert (corners[:, 0] + corners[:, 2]).max() <= 96.001
    assert 96.001 < (corners[:, 1] + corners[:, 3]).max() <= 128.001


def test_the_detections_are_the_networks(checkpoint, tmp_path):
    """The first box is that of the network's highest score, decoded by hand: the picture fills the input's width."""
    pictures = write_pictures(tmp_path / "in")
    row = run_infer(checkpoint, pictures / "000000000139.jpg", tmp_path / "out")[0]
    config = load(TINY_NETWORK)
    network, _ = build.load_detector(config, checkpoint)
    image = np.zeros((128, 128, 3), np.float32)
    image[:96] = np.asarray(Image.open(pictures / "000000000139.jpg"))
    image[:96] = (image[:96] - config.img_norm_mean) / config.img_norm_std
    logits, deltas = network.set_train(False)(ms.Tensor(image.transpose(2, 0, 1)[None]))
    anchor, label = np.unravel_index(np.argmax(logits.asnumpy()[0]), logits.shape[1:])
    x1, y1, x2, y2 = make_anchors(128, 128, STRIDES, octave_scales(3.0, 3), (0.5, 1.0, 2.0))[anchor].astype(np.float64)
    dx, dy, dw, dh = deltas.asnumpy()[0, anchor].astype(np.float64)
    centre = np.array([(x1 + x2) / 2 + dx * (x2 - x1), (y1 + y2) / 2 + dy * (y2 - y1)])
    half = np.array([(x2 - x1) * np.exp(dw), (y2 - y1) * np.exp(dh)]) / 2
    low, high = np.clip(centre - half, 0, [128, 96]), np.clip(centre + half, 0, [128, 96])
    assert row["image_id"] == 139
    assert row["category_id"] == (7, 3)[label]
    np.testing.assert_allclose(row["bbox"], [*low, *(high - low)], atol=0.01)
    assert row["score"] == pytest.approx(1 / (1 + np.exp(-logits.asnumpy().max())), rel=1e-4)


def test_a_batch_gives_what_single_pictures_give(checkpoint, tmp_path):
    pictures = tmp_path / "in"
    pictures.mkdir()
    for number in range(5):
        image = np.random.default_rng(number).integers(0, 255, (60 + 10 * number, 90, 3), dtype=np.uint8)
        Image.fromarray(image).save(pictures / f"{number}.png")
    together = run_infer(checkpoint, pictures, tmp_path / "out")
    alone = [
        row
        for number in (0, 4)  # of the first batch and of the second, which is filled up
        for row in run_infer(checkpoint, pictures / f"{number}.png", tmp_path / f"out{number}")
    ]
    assert len(together) == 15
    for one, other in zip([row for row in together if row["image_id"] in (0, 4)], alone, strict=True):
        assert (one["image_id"], one["category_id"]) == (other["image_id"], other["category_id"])
        np.testing.assert_allclose([*one["bbox"], one["score"]], [*other["bbox"], other["score"]], rtol=1e-4, atol=1e-3)


def test_results_inside_the_picture_folder_are_not_inferred_again(checkpoint, tmp_path):
    pictures = tmp_path / "in"
    (pictures / "out").mkdir(parents=True)
    for file in ("a.png", "out/old.jpg"):
        picture().save(pictures / file)
    rows = run_infer(checkpoint, pictures, pictures / "out")
    assert {row["file_name"] for row in rows} == {"a.png"}


def test_without_a_detection_the_picture_and_an_empty_list_are_written(checkpoint, tmp_path):
    pictures = write_pictures(tmp_path / "in")
    assert run_infer(checkpoint, pictures / "grey.jpeg", tmp_path / "out", "--min_score=1") == []
    assert (tmp_path / "out" / "grey.jpg").is_file()


def test_an_older_checkpoint_without_names_is_drawn_with_numbers(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    checkpoint = write_checkpoint(tmp_path / "old.ckpt", (), ())
    pictures = write_pictures(tmp_path / "in")
    rows = run_infer(checkpoint, pictures / "grey.jpeg", tmp_path / "out")
    assert {row["category_id"] for row in rows} <= {1, 2}
    assert "class_0 to class_1 are used" in caplog.text


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ("--image_path=", MissingPathError, "--image_path"),
        ("--image_path={tmp}/absent.jpg", MissingPathError, r"absent\.jpg"),
        ("--image_path={tmp}/nothing", MissingPathError, "no picture"),
        ("--image_path={tmp}/all broken", BadValueError, "none of the 2 pictures can be read"),
        ("--checkpoint_path=", MissingPathError, "--checkpoint_path"),
        ("--checkpoint_path={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt"),
        ("--checkpoint_path={tmp}/nothing", MissingPathError, "wanted a file"),
        ("--checkpoint_path={tmp}/in/grey.jpeg", BadValueError, "no MindSpore checkpoint"),
        ("--checkpoint_path={tmp}/other.ckpt", BadValueError, "a checkpoint of segformer"),
        ("--infer_output_path={tmp}/in/grey.jpeg", MissingPathError, "is a file"),
        ("--infer_output_path={tmp}/in", BadValueError, "would be overwritten"),
        ("--num_classes=5", BadValueError, "5 and .* has 2 classes"),
        ("--coco_classes=[blue, red]", BadValueError, "same order"),
        ("--nasfpn_stack_times=2", BadValueError, r"neck\.stacks\.1"),
        ("--anchor_scales_per_octave=2", BadValueError, "has 9 anchors per cell"),
        ("--device_target=Ascend", BadStateError, "Ascend"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(checkpoint, tmp_path, changed, error, sentence):
    pictures = write_pictures(tmp_path / "in")
    for folder in ("nothing", "all broken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "all broken" / "a.jpg").touch()
    (tmp_path / "all broken" / "b.png").write_bytes(b"no picture")
    write_checkpoint(tmp_path / "other.ckpt", suite="segformer")
    with pytest.raises(error, match=sentence):
        run_infer(checkpoint, pictures, tmp_path / "out", changed.format(tmp=tmp_path))
    assert not list(tmp_path.rglob("detections.json"))

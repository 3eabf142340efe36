"""eval.py and infer.py: a checkpoint in; COCO's numbers, pictures and detections out; refusals in a sentence."""

import json
import re
import subprocess
import sys

import cv2
import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from faster_rcnn.src.config import SUITE_DIR, load
from faster_rcnn.src.evaluate import evaluate
from faster_rcnn.src.infer import infer
from faster_rcnn.tests.tiny_detector import TINY_NETWORK, write_checkpoint
from utils.detection.tests.tiny_coco import write_coco
from utils.images import read_image, write_image
from utils.model_utils.device_adapter import DeviceInfo, choose_device
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.training.tests.counted_reads import reads_once

ARGUMENTS = (*TINY_NETWORK, "--test_batch_size=2", "--test_score_thr=0.01")  # random weights score about 0.33

pytestmark = pytest.mark.end_to_end


@pytest.fixture(autouse=True)
def _device(monkeypatch):
    """MindSpore takes a device once in a process, before the first operator; other tests have run some."""
    ms.set_context(mode=ms.GRAPH_MODE)
    for command in ("evaluate", "infer"):
        monkeypatch.setattr(
            f"faster_rcnn.src.{command}.set_up_device",
            lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1),
        )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a space in its name: `coco data` of three images in val2017, tiny.ckpt, and what eval.py made."""
    folder = tmp_path_factory.mktemp("a folder")
    write_coco(folder / "coco data", {"val2017": 3})
    write_checkpoint(folder / "tiny.ckpt", ("blue", "red"), (3, 7))  # as the data set has them
    return folder


@pytest.fixture(scope="module")
def evaluated(root):
    """What eval.py prints; it leaves its files in `eval`."""
    return succeed("eval.py", f"--coco_root={root / 'coco data'}", f"--run_dir={root / 'eval'}", root=root).stdout


def run_command(script, *arguments, cwd=None):
    return subprocess.run(
        [sys.executable, str(SUITE_DIR / script), *ARGUMENTS, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def succeed(script, *arguments, root):
    finished = run_command(script, f"--checkpoint_path={root / 'tiny.ckpt'}", *arguments, cwd=root)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def evaluate_here(checkpoint, out, *arguments):
    with reads_once():
        evaluate(
            load(
                [
                    *ARGUMENTS,
                    f"--checkpoint_path={checkpoint}",
                    "--num_pictures=0",
                    f"--run_dir={out}",
                    *arguments,
                ],
                program="eval.py",
            )
        )
    return json.loads((out / "result.json").read_text())


def infer_here(root, pictures, out, *arguments):
    with reads_once():
        infer(
            load(
                [
                    *ARGUMENTS,
                    f"--checkpoint_path={root / 'tiny.ckpt'}",
                    f"--image_path={pictures}",
                    f"--infer_output_path={out}",
                    *arguments,
                ],
                program="infer.py",
            )
        )
    return json.loads((out / "detections.json").read_text())


def corners_of(rows):
    boxes = np.asarray([row["bbox"] for row in rows])
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


# eval.py


def test_the_block_of_the_page_and_the_classes_are_printed(evaluated):
    lines = re.findall(r"^ Average .* @\[ IoU=.+ \| area=.+ \| maxDets=.+ \] = -?\d\.\d{3}$", evaluated, re.MULTILINE)
    assert len(lines) == 12
    assert lines[0].startswith(" Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = ")
    assert re.search(r"^blue +\d\.\d+ +\d\.\d+ +1$", evaluated, re.MULTILINE)
    assert re.search(r"^red +\d\.\d+ +\d\.\d+ +2$", evaluated, re.MULTILINE)
    assert "3 images, " in evaluated


def test_result_predictions_and_pictures_are_left(evaluated, root):
    names = {path.relative_to(root / "eval").as_posix() for path in (root / "eval").rglob("*") if path.is_file()}
    assert names == {"result.json", "predictions.json"} | {
        f"pictures/{name}.jpg" for name in ("000", "001", "002", "overview")
    }
    result = json.loads((root / "eval" / "result.json").read_text())
    assert {"mAP", "AP50", "AP75", "AR100", "per_class"} <= set(result)
    rows = json.loads((root / "eval" / "predictions.json").read_text())
    assert result["num_detections"] == len(rows) > 3
    assert {row["image_id"] for row in rows} == {100, 101, 102}
    assert {row["category_id"] for row in rows} <= {7, 3}
    assert all(0.01 < row["score"] < 1 for row in rows)
    assert corners_of(rows).min() >= 0
    assert (corners_of(rows).max(axis=0) <= [128.001, 96.001, 128.001, 96.001]).all()


def test_the_classes_of_the_data_have_to_be_the_checkpoints(root, tmp_path):
    other = write_checkpoint(tmp_path / "three.ckpt", ("red", "green", "blue"), (1, 2, 3))
    with pytest.raises(BadValueError, match="3 classes"):
        evaluate_here(other, tmp_path, f"--coco_root={root / 'coco data'}")
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ("--checkpoint_path=", MissingPathError, "--checkpoint_path"),
        ("--checkpoint_path={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt"),
        ("--coco_root={tmp}/absent", MissingPathError, "is not a folder"),
        ("--coco_root=null", BadValueError, "--coco_root=FOLDER"),
        ("--num_classes=5", BadValueError, "num_classes is 5"),
        ("--run_dir={root}/tiny.ckpt", MissingPathError, "is a file"),
        ("--device_target=Ascend", BadStateError, "Ascend"),
    ],
)
def test_what_eval_cannot_use_is_a_sentence(root, tmp_path, changed, error, sentence):
    with pytest.raises(error, match=sentence):
        evaluate_here(
            root / "tiny.ckpt", tmp_path, f"--coco_root={root / 'coco data'}", changed.format(tmp=tmp_path, root=root)
        )


def test_a_refusal_has_exit_code_2_and_no_traceback(root, tmp_path):
    for script in ("eval.py", "infer.py"):
        finished = run_command(
            script,
            f"--coco_root={root / 'coco data'}",
            f"--image_path={root}",
            f"--checkpoint_path={tmp_path / 'no.ckpt'}",
            cwd=tmp_path,
        )
        assert finished.returncode == 2
        assert "Traceback" not in finished.stderr
        assert "no.ckpt' (command line) does not exist" in finished.stderr


# infer.py


@pytest.fixture(scope="module")
def inferred(root):
    """What infer.py prints for the evaluation split, pictures of other kinds and shapes, and a broken one."""
    pictures = root / "my pictures"
    pictures.mkdir()
    for file in (root / "coco data" / "val2017").glob("*.jpg"):
        (pictures / file.name).write_bytes(file.read_bytes())
    (pictures / "broken.jpg").write_bytes((pictures / "001.jpg").read_bytes()[:300])
    colours = Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 300, 3), np.uint8))
    colours.save(pictures / "wide.png")
    colours.convert("L").rotate(90, expand=True).save(pictures / "high grey.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    colours.save(pictures / "turned.jpg", exif=turned)
    return succeed("infer.py", "--image_path=my pictures", "--infer_output_path=out", root=root)


def test_infer_draws_every_picture_and_names_a_broken_one(inferred, root):
    assert re.search(r"^6 images, \d+ detections, .* per image .*; 1 file could not be read$", inferred.stdout, re.M)
    assert "broken.jpg' has a damaged header" in inferred.stderr
    assert sorted(path.name for path in (root / "out").glob("*.jpg")) == [
        "000.jpg",
        "001.jpg",
        "002.jpg",
        "high grey.jpg",
        "turned.jpg",
        "wide.jpg",
    ]
    height, width, _ = read_image(root / "out" / "turned.jpg").shape
    assert height > width


def test_infer_finds_what_eval_finds(evaluated, inferred, root):
    """The picture that is read from a file is the one of the MindRecord."""
    rows = json.loads((root / "out" / "detections.json").read_text())
    assert set(rows[0]) == {"image_id", "category_id", "bbox", "score", "file_name"}
    expected = json.loads((root / "eval" / "predictions.json").read_text())
    for name, image_id in (("000.jpg", 100), ("001.jpg", 101), ("002.jpg", 102)):
        found = [row for row in rows if row["file_name"] == name]
        wanted = [row for row in expected if row["image_id"] == image_id]
        assert [row["category_id"] for row in found] == [row["category_id"] for row in wanted]
        np.testing.assert_allclose(corners_of(found), corners_of(wanted), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "width", "height"), [("wide.png", 300, 40), ("high grey.png", 40, 300), ("turned.jpg", 40, 300)]
)
def test_boxes_end_where_the_picture_ends_as_a_viewer_shows_it(inferred, root, name, width, height):
    rows = json.loads((root / "out" / "detections.json").read_text())
    corners = corners_of([row for row in rows if row["file_name"] == name])
    assert corners.min() >= 0
    assert (corners[:, 2:].max(axis=0) <= [width + 0.01, height + 0.01]).all()
    assert corners[:, 2:].max() > 96  # more than the input has pixels


def test_a_stretched_input_gives_boxes_of_the_picture(root, tmp_path):
    """Of a picture as wide as the input and half as high the boxes are those of the input, half as high."""
    image = np.random.default_rng(2).integers(0, 255, (32, 96, 3), np.uint8)
    write_image(tmp_path / "in" / "half.png", image)
    write_image(tmp_path / "in" / "whole.png", cv2.resize(image, (96, 64), interpolation=cv2.INTER_LINEAR))
    rows = infer_here(root, tmp_path / "in", tmp_path / "out", "--keep_ratio=False")
    half, whole = (corners_of([row for row in rows if row["file_name"] == name]) for name in ("half.png", "whole.png"))
    assert len(half) > 1
    np.testing.assert_allclose(half * [1, 2, 1, 2], whole, atol=0.05)


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ("--image_path=", MissingPathError, "--image_path"),
        ("--image_path={tmp}/absent.jpg", MissingPathError, r"absent\.jpg"),
        ("--image_path={tmp}", MissingPathError, "no picture"),
        ("--checkpoint_path={tmp}/absent.ckpt", MissingPathError, r"absent\.ckpt"),
        ("--infer_output_path={root}/tiny.ckpt", MissingPathError, "is a file"),
        ("--infer_output_path={root}/coco data/val2017", BadValueError, "would be overwritten"),
        ("--num_classes=5", BadValueError, "5 and .* has 2 classes"),
        ("--coco_classes=[red, blue]", BadValueError, "same order"),
        ("--fpn_out_channels=16", BadValueError, "does not fit the network"),
    ],
)
def test_what_infer_cannot_use_is_a_sentence(root, tmp_path, changed, error, sentence):
    with pytest.raises(error, match=sentence):
        infer_here(root, root / "coco data" / "val2017", tmp_path / "out", changed.format(tmp=tmp_path, root=root))
    assert not list(tmp_path.rglob("detections.json"))

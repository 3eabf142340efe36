"""Paths that programs stumble over: spaces, quotes, a leading dash, letters beyond ASCII, folders that are files."""

import subprocess
import sys
from pathlib import Path

import pytest

from nas_fpn.tests.conftest import write_coco

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.end_to_end


def _run(script, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "nas_fpn" / script), "--config_path=config/custom.yaml", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT / "nas_fpn",
    )


def _sentence(finished):
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    return finished.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["-dash first", 'it\'s "quoted"', "dätä 数据"])
def test_odd_names_work(name, tmp_path):
    data = write_coco(tmp_path / name)
    finished = _run("create_data.py", f"--coco_root={data}", f"--mindrecord_dir={tmp_path / 'records'}")
    assert finished.returncode == 0, finished.stderr
    assert "6 images, 2 classes" in finished.stdout


def test_a_file_where_a_folder_belongs_is_a_sentence(tmp_path):
    data = write_coco(tmp_path / "data")
    file = tmp_path / "file"
    file.write_text("x")
    assert "is not a folder" in _sentence(_run("create_data.py", f"--coco_root={file}"))
    assert "is a file" in _sentence(_run("train.py", f"--coco_root={data}", f"--run_dir={file}"))
    checkpoint = f"--checkpoint_path={file}"
    assert "is a file" in _sentence(_run("eval.py", f"--coco_root={data}", checkpoint, f"--run_dir={file}"))
    records = _sentence(_run("create_data.py", f"--coco_root={data}", f"--mindrecord_dir={file}"))
    assert str(file) in records


def test_a_missing_annotation_file_is_named(tmp_path):
    data = write_coco(tmp_path / "data")
    (data / "annotations" / "instances_val2017.json").unlink()
    sentence = _sentence(_run("create_data.py", f"--coco_root={data}", "--is_training=False"))
    assert "instances_val2017.json" in sentence


def test_a_missing_image_is_named_and_nothing_is_left(tmp_path):
    data = write_coco(tmp_path / "data")
    (data / "train2017" / "002.jpg").unlink()
    sentence = _sentence(_run("create_data.py", f"--coco_root={data}", f"--mindrecord_dir={tmp_path / 'records'}"))
    assert "002.jpg" in sentence
    assert [path.name for path in (tmp_path / "records").iterdir()] == [".retinanet.mindrecord.lock"]


def test_a_truncated_image_is_named(tmp_path):
    data = write_coco(tmp_path / "data")
    image = data / "train2017" / "001.jpg"
    image.write_bytes(image.read_bytes()[:300])
    sentence = _sentence(_run("create_data.py", f"--coco_root={data}", f"--mindrecord_dir={tmp_path / 'records'}"))
    assert "001.jpg" in sentence


def test_a_device_number_that_is_none_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("DEVICE_ID", "first")
    data = write_coco(tmp_path / "data")
    sentence = _sentence(_run("train.py", f"--coco_root={data}", f"--run_dir={tmp_path / 'run'}"))
    assert "DEVICE_ID" in sentence
    assert "first" in sentence


def test_zero_epochs_is_a_sentence(tmp_path):
    assert "epoch_size" in _sentence(_run("train.py", "--epoch_size=0", f"--run_dir={tmp_path / 'run'}"))

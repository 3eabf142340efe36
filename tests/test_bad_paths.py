"""Paths that programs stumble over: spaces, quotes, a leading dash, letters beyond ASCII, folders that are files."""

import pytest

from tests.suites import NAS_FPN
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.errors import MissingPathError, UserError

CONFIG = "--config_path=config/custom.yaml"

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("name", ["-dash first", 'it\'s "quoted"', "dätä 数据"])
def test_odd_names_work(name, tmp_path):
    data = write_coco(tmp_path / name)
    records = f"--mindrecord_dir={tmp_path / 'records'}"
    finished = NAS_FPN.succeed("create_data.py", CONFIG, f"--coco_root={data}", records, cwd=NAS_FPN.path)
    assert "6 images, 2 classes" in finished.stdout


def test_a_file_where_a_folder_belongs_is_a_sentence(tmp_path):
    data = f"--coco_root={write_coco(tmp_path / 'data')}"
    file = tmp_path / "file"
    file.write_text("x")
    assert "is not a folder" in NAS_FPN.refusal("create_data.py", CONFIG, f"--coco_root={file}", cwd=NAS_FPN.path)
    checkpoint = NAS_FPN.tiny.write_checkpoint(tmp_path / "net.ckpt")
    for script in ("train.py", "eval.py"):
        with pytest.raises(UserError, match="is a file"):
            NAS_FPN.call(script, data, f"--checkpoint_path={checkpoint}", f"--run_dir={file}")
    with pytest.raises(UserError, match=str(file)):
        NAS_FPN.part("build").open_configured_split(NAS_FPN.load(data, f"--mindrecord_dir={file}"), True)


def test_a_missing_annotation_file_is_named(tmp_path):
    data = write_coco(tmp_path / "data")
    (data / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(MissingPathError, match=r"instances_val2017\.json"):
        NAS_FPN.part("build").open_configured_split(NAS_FPN.load(f"--coco_root={data}"), False)


def test_a_device_number_that_is_none_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("DEVICE_ID", "first")
    data = write_coco(tmp_path / "data")
    places = (f"--coco_root={data}", f"--run_dir={tmp_path / 'run'}")
    sentence = NAS_FPN.refusal("train.py", CONFIG, *places, cwd=NAS_FPN.path)
    assert "DEVICE_ID" in sentence
    assert "first" in sentence

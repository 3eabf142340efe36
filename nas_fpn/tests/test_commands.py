"""The commands as a user types them, as subprocesses on a tiny data set."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from utils.detection.tests.tiny_coco import CATEGORIES, write_coco, write_txt

SUITE = Path(__file__).resolve().parent.parent
TINY = (
    "--config_path=config/custom.yaml",
    "--img_shape=[128,128]",
    "--resnet_layers=[1,1,1,1]",
    "--resnet_width=4",
    "--nasfpn_out_channel=8",
    "--nasfpn_stack_times=1",
    "--head_stacked_convs=1",
    "--batch_size=2",
    "--epoch_size=2",
    "--warmup_steps=1",
    "--log_interval=1",
    "--device_target=CPU",
    "--num_parallel_workers=1",
)

pytestmark = pytest.mark.end_to_end


def _run(script, *arguments, cwd=None, timeout=300):
    return subprocess.run(
        [sys.executable, str(SUITE / script), *arguments],
        cwd=cwd or SUITE,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _succeed(script, *arguments, cwd=None):
    finished = _run(script, *arguments, cwd=cwd)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set with a space in its path, and a run of two epochs on it."""
    root = tmp_path_factory.mktemp("a run")
    data = write_coco(root / "coco data")
    run = root / "run"
    finished = _succeed(
        "train.py", *TINY, f"--coco_root={data}", f"--run_dir={run}", "--run_eval=True", "--enable_profiling=True"
    )
    return data, run, finished


def test_training_leaves_a_run_folder(trained):
    _, run, _ = trained
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"config.yaml", "train.log", "metrics.jsonl", "curves.png"} <= names
    assert {"ckpt/retinanet_nasfpn-1_2.ckpt", "ckpt/retinanet_nasfpn-2_2.ckpt"} <= names
    assert "ckpt/retinanet_nasfpn_best.ckpt" in names
    assert not [name for name in names if "tmp" in name]


def test_a_profile_is_left_in_the_run_folder(trained):
    profile = trained[1] / "profile"
    steps = (profile / "steps.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in steps] == ["global_step", "3", "4"]
    assert any(profile.rglob("cpu_op_detail_info_*.csv"))


def test_the_log_has_the_lines_of_the_page(trained):
    _, run, _ = trained
    log = (run / "train.log").read_text()
    assert re.search(r"epoch: 2 step: 2, loss is \d+\.\d+", log)
    assert re.search(r"lr:\[\d\.\d{6}\]", log)
    assert re.search(r"epoch time: \d+\.\d{3} ms, per step time: \d+\.\d{3} ms", log)
    assert "2 of 6 images have no box" in log


def test_evaluation_prints_the_block_of_the_page(trained, tmp_path):
    data, run, _ = trained
    finished = _succeed(
        "eval.py",
        *TINY,
        f"--coco_root={data}",
        f"--run_dir={tmp_path}",
        "--min_score=0.0001",
        f"--checkpoint_path={run / 'ckpt' / 'retinanet_nasfpn-2_2.ckpt'}",
        "--num_pictures=2",
    )
    assert " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = " in finished.stdout
    assert re.search(r"^mAP: -?\d", finished.stdout, re.MULTILINE)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["num_images"] == 3
    assert set(result["per_class"]) == {"red", "blue"}
    found = json.loads((tmp_path / "predictions.json").read_text())
    assert {row["category_id"] for row in found} == {3, 7}
    assert {row["image_id"] for row in found} <= {100, 101, 102}
    assert len(list((tmp_path / "pictures").glob("0*.jpg"))) == 2


def test_evaluation_works_from_mindrecord_alone(trained, tmp_path):
    data, run, _ = trained
    finished = _succeed(
        "eval.py",
        *TINY,
        f"--mindrecord_dir={data / 'NASFPN_MINDRECORD'}",
        "--coco_root=null",
        f"--run_dir={tmp_path}",
        f"--checkpoint_path={run / 'ckpt' / 'retinanet_nasfpn-2_2.ckpt'}",
    )
    assert "mAP: " in finished.stdout


def test_a_finished_run_is_not_overwritten(trained):
    data, run, _ = trained
    finished = _run("train.py", *TINY, f"--coco_root={data}", f"--run_dir={run}")
    assert finished.returncode == 2
    assert "--resume=auto" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_create_data_as_on_the_page(tmp_path):
    data = write_coco(tmp_path / "coco")
    records = tmp_path / "records"
    for prefix, training, count in (("retinanet.mindrecord", True, 6), ("retinanet_eval.mindrecord", False, 3)):
        finished = _succeed(
            "create_data.py",
            "--create_dataset",
            "coco",
            "--prefix",
            prefix,
            "--is_training",
            str(training),
            f"--coco_root={data}",
            f"--mindrecord_dir={records}",
            "--num_classes=null",
        )
        assert f"{count} images, 2 classes" in finished.stdout
        assert (records / f"{prefix}0").is_file()


def _refused(script, *arguments, cwd=None):
    finished = _run(script, *arguments, cwd=cwd)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    lines = [line for line in finished.stderr.splitlines() if "error:" in line]
    assert len(lines) == 1, finished.stderr
    return lines[0]


def test_a_misspelt_key_names_the_nearest():
    assert "epoch_size" in _refused("train.py", "--epoch_sise=12")


def test_a_size_that_is_no_multiple_of_128_names_the_nearest():
    sentence = _refused("train.py", "--img_shape=[600,640]")
    assert "512 and 640" in sentence


def test_missing_data_is_named_with_the_flag(tmp_path):
    assert "--coco_root" in _refused("train.py", *TINY, f"--run_dir={tmp_path / 'run'}")
    absent = f"--coco_root={tmp_path / 'absent'}"
    assert "is not a folder" in _refused("train.py", *TINY, absent, f"--run_dir={tmp_path / 'run'}")


def test_another_number_of_classes_is_refused_with_both_numbers(trained, tmp_path):
    data, _, _ = trained
    sentence = _refused("train.py", *TINY, f"--coco_root={data}", "--num_classes=5", f"--run_dir={tmp_path / 'run'}")
    assert "5" in sentence
    assert "2 classes" in sentence


def test_fewer_images_than_a_batch_is_refused(trained, tmp_path):
    data, _, _ = trained
    arguments = [item for item in TINY if "batch_size" not in item]
    sentence = _refused("train.py", *arguments, "--batch_size=50", f"--coco_root={data}", f"--run_dir={tmp_path / 'r'}")
    assert "batch" in sentence


def test_bad_checkpoints_are_refused(trained, tmp_path):
    data, run, _ = trained
    truncated = tmp_path / "truncated.ckpt"
    truncated.write_bytes((run / "ckpt" / "retinanet_nasfpn-2_2.ckpt").read_bytes()[:5000])
    common = (*TINY, f"--coco_root={data}", f"--run_dir={tmp_path}")
    assert "checkpoint_path" in _refused("eval.py", *common)
    assert "absent.ckpt" in _refused("eval.py", *common, f"--checkpoint_path={tmp_path / 'absent.ckpt'}")
    assert "truncated.ckpt" in _refused("eval.py", *common, f"--checkpoint_path={truncated}")
    other = _refused(
        "eval.py", *common, "--nasfpn_stack_times=2", f"--checkpoint_path={run / 'ckpt' / 'retinanet_nasfpn-2_2.ckpt'}"
    )
    assert "neck.stacks.1" in other


def test_a_txt_data_set_gives_the_metrics_of_the_coco_one(trained, tmp_path):
    data, run, _ = trained
    text = write_coco(tmp_path / "a coco")
    lines = write_txt(text, sorted(CATEGORIES))
    forms = {"coco": [f"--coco_root={data}"], "txt": [*lines, f"--mindrecord_dir={tmp_path / 'records'}"]}
    for form, places in forms.items():
        _succeed(
            "eval.py",
            *TINY,
            *places,
            f"--run_dir={tmp_path / form}",
            "--min_score=0.0001",
            f"--checkpoint_path={run / 'ckpt' / 'retinanet_nasfpn-2_2.ckpt'}",
        )
    coco, txt = (json.loads((tmp_path / form / "result.json").read_text()) for form in forms)
    assert (txt["num_images"], txt["num_detections"]) == (coco["num_images"], coco["num_detections"])
    assert txt["num_images"] == 3
    assert txt["num_detections"] > 0
    assert txt["mAP"] == coco["mAP"]

    other = write_txt(text)
    assert "to the same names in the same order" in _refused(
        "eval.py",
        *TINY,
        *other,
        f"--mindrecord_dir={tmp_path / 'other'}",
        f"--run_dir={tmp_path / 'refused'}",
        f"--checkpoint_path={run / 'ckpt' / 'retinanet_nasfpn-2_2.ckpt'}",
    )


def test_an_absent_accelerator_is_a_sentence(trained, tmp_path):
    data, _, _ = trained
    arguments = [item for item in TINY if "device_target" not in item]
    sentence = _refused(
        "train.py", *arguments, f"--coco_root={data}", f"--run_dir={tmp_path / 'run'}", "--device_target=Ascend"
    )
    assert "Ascend" in sentence

"""The training command as a user types it, as a subprocess on a tiny data set, and what eval.py makes of its result."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segformer.src.config import load
from segformer.src.train import train
from segformer.tests.tiny_city import label_path, write_city, write_png
from utils.model_utils.device_adapter import DeviceInfo, choose_device
from utils.model_utils.errors import UserError
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.checkpoints.checkpoint_file import read_checkpoint_file

SUITE = Path(__file__).resolve().parent.parent
BACKBONE = ("--backbone_widths=[4,8,10,16]", "--backbone_depths=[1,1,1,1]", "--decoder_channels=8")
TINY = (
    "--config_path=config/custom.yaml",
    *BACKBONE,
    "--class_num=4",
    "--base_size=[32,64]",
    "--crop_size=[32,32]",
    "--batch_size=2",
    "--warmup_steps=1",
    "--train_log_interval=1",
    "--eval_interval=1",
    "--device_target=CPU",
    "--dataset_num_parallel_workers=1",
    "--drop_path_rate=0.1",
    "--head_dropout=0.1",
)
LINE = re.compile(
    r"Epoch (?P<epoch>\d+)/2, step:(?P<step>\d+)/2, loss:\d\.\d+, overflow:False, loss_scale:1.0, step cost:\d+ms"
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


def _refused(*arguments, cwd=None):
    finished = _run("train.py", *arguments, cwd=cwd)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    lines = [line for line in finished.stderr.splitlines() if "error:" in line]
    assert len(lines) == 1, finished.stderr
    return lines[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five training images, two evaluation images, a space in the path."""
    return write_city(tmp_path_factory.mktemp("data") / "a city", height=32, width=64)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run of two epochs, four steps, in the folder where it is called from."""
    run = tmp_path_factory.mktemp("a run")
    _succeed("train.py", *TINY, "--epoch_size=2", f"--data_path={data}", cwd=run)
    return run


def test_training_leaves_its_files_where_it_is_called_from(trained):
    names = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert {"config.yaml", "train.log", "metrics.jsonl", "curves.png"} <= names
    checkpoints = {name for name in names if name.startswith("checkpoint/")}
    assert checkpoints == {f"checkpoint/segformer_mit_b0_{mark}.ckpt" for mark in ("1", "2", "best")}
    assert not [name for name in names if "tmp" in name]


def test_the_log_has_the_lines_and_the_block_of_the_page(trained):
    log = (trained / "train.log").read_text()
    found = [(match["epoch"], match["step"]) for match in LINE.finditer(log)]
    assert found == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    assert "eval dataset size:2" in log
    assert re.search(r"===> class: class_3, IoU: ", log)
    assert re.search(r"===> mIoU: 0\.\d+, ckpt: segformer_mit_b0_2\.ckpt", log)
    assert "data " in log
    assert "img/s" in log


def test_the_best_checkpoint_is_that_of_the_highest_miou(trained):
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    values = [row["metrics"]["mIoU"] for row in rows if row["kind"] == "evaluation"]
    best = load_checkpoint(trained / "checkpoint" / "segformer_mit_b0_best.ckpt")
    assert best.best["metrics"]["mIoU"] == pytest.approx(max(values))
    assert best.class_names == ("class_0", "class_1", "class_2", "class_3")


def test_eval_py_finds_the_number_of_the_training(trained, data, tmp_path):
    best = trained / "checkpoint" / "segformer_mit_b0_best.ckpt"
    _succeed("eval.py", *TINY, f"--data_path={data}", f"--eval_ckpt_path={best}", f"--run_dir={tmp_path}")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["mIoU"] == pytest.approx(load_checkpoint(best).best["metrics"]["mIoU"], abs=1e-9)


def test_two_steps_and_two_after_resuming_are_four_steps_bit_for_bit(trained, data, tmp_path):
    common = (*TINY, "--epoch_size=2", f"--data_path={data}", f"--run_dir={tmp_path}")
    (tmp_path / "checkpoint").mkdir()
    first = trained / "checkpoint" / "segformer_mit_b0_1.ckpt"
    (tmp_path / "checkpoint" / first.name).write_bytes(first.read_bytes())
    _succeed("train.py", *common, "--resume=auto", "--load_ckpt=True")  # pretrained weights are not asked for again
    whole, parts = (
        read_checkpoint_file(folder / "checkpoint" / "segformer_mit_b0_2.ckpt") for folder in (trained, tmp_path)
    )
    assert set(whole) == set(parts)
    different = [name for name in whole if name != "training_state" and not np.array_equal(whole[name], parts[name])]
    assert different == []


def test_other_losses_and_schedules_train_from_pretrained_weights(trained, data, tmp_path):
    weights = trained / "checkpoint" / "segformer_mit_b0_best.ckpt"
    finished = _succeed(
        "train.py",
        *TINY,
        "--epoch_size=2",
        f"--data_path={data}",
        f"--run_dir={tmp_path}",
        "--run_eval=False",
        "--load_ckpt=True",
        f"--pretrained_ckpt_path={weights}",
        "--lr_schedule=cosine",
        "--head_lr_factor=10",
        "--class_weights=[1,2,3,4]",
        "--ohem_threshold=0.7",
        "--ohem_min_kept=100",
        "--accumulate_steps=2",
    )
    assert "loaded" in finished.stdout + finished.stderr
    assert (tmp_path / "checkpoint" / "segformer_mit_b0_2.ckpt").is_file()
    assert not (tmp_path / "checkpoint" / "segformer_mit_b0_best.ckpt").exists()


def test_a_finished_run_is_not_overwritten(trained, data):
    sentence = _refused(*TINY, "--epoch_size=2", f"--data_path={data}", cwd=trained)
    assert "--resume=auto" in sentence
    assert "--overwrite=True" in sentence


def test_missing_pretrained_weights_name_the_flag_and_the_converter(data, tmp_path):
    sentence = _refused(*TINY, "--load_ckpt=True", f"--data_path={data}", f"--run_dir={tmp_path}")
    assert "ms_pretrained_b0.ckpt" in sentence
    assert "--load_ckpt=False" in sentence
    assert "tools/convert_model.py" in sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data_path=absent"], "--data_path"),
        (["--train_split=training"], "splits that are there: train, val"),
        (["--eval_split=test"], "splits that are there: train, val"),
        (["--class_num=3"], "class_num"),
        (["--batch_size=50"], "batch"),
        (["--warmup_steps=100"], "warmup_steps is 100 and the run has"),
        (["--device_target=Ascend"], "Ascend"),
        (["--resume=absent.ckpt"], "absent.ckpt"),
    ],
)
def test_a_bad_argument_is_one_sentence(arguments, words, data, tmp_path, monkeypatch):
    """In this process, which may have taken its device; what the command makes of a sentence is tested above."""
    monkeypatch.setattr(
        "utils.training.run.set_up_device", lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1)
    )
    with pytest.raises(UserError) as caught:
        train(load([*TINY, f"--data_path={data}", f"--run_dir={tmp_path / 'run'}", *arguments], program="train.py"))
    assert words in str(caught.value)


def test_raw_label_ids_and_labels_of_another_size_are_named(tmp_path):
    for name, label, words in (
        ("ids", np.full((32, 64), 26, np.uint8), "convert_dataset.py"),
        ("size", np.zeros((32, 63), np.uint8), "32x63"),
    ):
        root = write_city(tmp_path / name, height=32, width=64)
        write_png(label_path(root, "train", 1), label)
        arguments = [*TINY, "--class_num=19", f"--data_path={root}", f"--run_dir={tmp_path / 'run'}"]
        sentence = _refused(*arguments)
        assert label_path(root, "train", 1).name in sentence
        assert words in sentence


def test_a_checkpoint_of_another_number_of_classes_or_a_truncated_one_is_refused(trained, data, tmp_path):
    weights = trained / "checkpoint" / "segformer_mit_b0_best.ckpt"
    common = [*TINY, "--load_ckpt=True", f"--data_path={data}", f"--run_dir={tmp_path / 'run'}"]
    five = [item for item in common if "class_num" not in item]
    assert "another number of classes" in _refused(*five, "--class_num=5", f"--pretrained_ckpt_path={weights}")
    truncated = tmp_path / "truncated.ckpt"
    truncated.write_bytes(weights.read_bytes()[:3000])
    assert "truncated.ckpt" in _refused(*common, f"--pretrained_ckpt_path={truncated}")

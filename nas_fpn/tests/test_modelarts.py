"""Jobs on ModelArts as the page has them: settings in a YAML file, MindRecord files of one class in a zip file."""

import json
from pathlib import Path

import pytest

from nas_fpn.src import build
from nas_fpn.src.config import load
from nas_fpn.tests.tiny_detector import TINY_NETWORK, write_checkpoint
from utils.detection.tests.edited_coco import change, make_one_class
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.tests.modelarts_job import storage_and_platform, upload_zip

SUITE = Path(__file__).resolve().parent.parent
SETTINGS = f"""
__BASE__: {SUITE}/config/custom.yaml
enable_modelarts: True
img_shape: [128, 128]
resnet_layers: [1, 1, 1, 1]
resnet_width: 4
nasfpn_out_channel: 8
nasfpn_stack_times: 1
head_stacked_convs: 1
batch_size: 2
epoch_size: 1
warmup_steps: 1
run_eval: False
device_target: CPU
num_parallel_workers: 1
"""

ONE_CLASS = {"class_names": ("cell",), "category_ids": (42,), "num_classes": 1}

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A bucket with a zip file of MindRecord files and annotations and with a checkpoint, and what starts jobs."""
    root = tmp_path_factory.mktemp("jobs")
    data = write_coco(root / "coco")
    for split in ("train2017", "val2017"):
        change(data, make_one_class, split)
    for is_training in (True, False):
        records = root / "MindRecord_COCO"
        build.open_configured_split(
            load([*TINY_NETWORK, f"--coco_root={data}", f"--mindrecord_dir={records}"]), is_training
        )
    (data / "annotations").rename(records / "annotations")
    with storage_and_platform(root) as (bucket, platform):
        upload_zip(bucket, "data/MindRecord_COCO.zip", records, "MindRecord_COCO")
        bucket.write("earlier/tiny.ckpt", write_checkpoint(root / "tiny.ckpt", **ONE_CLASS).read_bytes())
        yield bucket, platform


def _start(job, script, inputs, results, settings):
    """Runs a command whose settings stand in a YAML file; {data}, {load} and {output} stand for folders."""
    bucket, platform = job
    machine = platform.machine()
    places = {"data": machine.data, "load": machine.load, "output": machine.output}
    lines = [
        f"data_url: s3://{bucket.name}/data",
        f"checkpoint_url: s3://{bucket.name}/{inputs}",
        f"train_url: s3://{bucket.name}/{results}",
        f"data_path: {machine.data}",
        f"load_path: {machine.load}",
        f"output_path: {machine.output}",
        f"mindrecord_dir: {machine.data}/MindRecord_COCO",
        *(line.format(**places) for line in settings),
    ]
    (machine.root / "job.yaml").write_text(SETTINGS + "\n".join(lines) + "\n")
    return platform.start(machine, SUITE / script, "--_config_path=job.yaml"), machine


@pytest.fixture(scope="module")
def trained(job):
    return _start(
        job,
        "train.py",
        "earlier",
        "out",
        ["save_checkpoint_path: {output}/checkpoint", "pre_trained: {load}/tiny.ckpt"],
    )


def test_a_zip_of_mindrecord_files_is_trained_on_from_a_checkpoint_of_the_bucket(job, trained):
    bucket, _ = job
    finished, machine = trained
    assert f"unpacking '{machine.data}/MindRecord_COCO.zip'" in finished.stdout + finished.stderr
    assert "tiny.ckpt" in bucket.read("out/train.log").decode()
    latest = json.loads(bucket.read("out/latest_checkpoint.json"))
    assert latest == {
        "checkpoint": "checkpoint/retinanet_nasfpn-1_2.ckpt",
        "bytes": (machine.output / "checkpoint/retinanet_nasfpn-1_2.ckpt").stat().st_size,
    }
    assert {"out/config.yaml", "out/metrics.jsonl", "out/curves.png"} <= set(bucket.keys())
    assert "/." not in "".join(bucket.keys())


def test_the_checkpoint_is_evaluated_with_the_annotations_of_the_zip_and_exported(job, trained):
    bucket, _ = job
    finished, machine = _start(
        job,
        "eval.py",
        "out/checkpoint",
        "evaluated",
        [
            "checkpoint_path: {load}/retinanet_nasfpn-1_2.ckpt",
            "min_score: 0.0001",
            "instance_set: {data}/MindRecord_COCO/annotations/instances_{{}}.json",
        ],
    )
    assert "Average Precision" in finished.stdout
    found = json.loads(bucket.read("evaluated/predictions.json"))
    assert {row["category_id"] for row in found} == {42}
    assert {row["image_id"] for row in found} == {100, 101, 102}
    assert set(json.loads(bucket.read("evaluated/result.json"))["per_class"]) == {"cell"}
    assert bucket.read("evaluated/result.json") == (machine.output / "result.json").read_bytes()
    _start(
        job,
        "export.py",
        "out/checkpoint",
        "exported",
        ["checkpoint_path: {load}/retinanet_nasfpn-1_2.ckpt", "file_name: retinanet_nasfpn", "file_format: MINDIR"],
    )
    assert {"exported/retinanet_nasfpn.mindir", "exported/retinanet_nasfpn.json"} <= set(bucket.keys())

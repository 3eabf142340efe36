"""Jobs on ModelArts: data, checkpoints and results in object storage, from the repository and from a bundle."""

import json
from pathlib import Path

import pytest

from segformer.tests.tiny_checkpoint import TINY_NETWORK
from segformer.tests.tiny_city import write_city
from utils.model_utils.tests.modelarts_job import STAND_IN_MOXING, storage_and_platform, upload_folder
from utils.tools.bundle import bundle

SUITE = Path(__file__).resolve().parent.parent
TINY = (
    "--enable_modelarts=True",
    "--config_path=config/custom.yaml",
    *TINY_NETWORK,
    "--base_size=[32,64]",
    "--crop_size=[32,32]",
    "--batch_size=2",
    "--warmup_steps=1",
    "--train_log_interval=1",
    "--run_eval=False",
    "--epoch_size=1",
)

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A bucket with a data set, and what starts jobs."""
    root = tmp_path_factory.mktemp("jobs")
    with storage_and_platform(root) as (bucket, platform):
        yield bucket, platform, upload_folder(bucket, "city", write_city(root / "a city", height=32, width=64))


@pytest.fixture(scope="module")
def trained(job):
    """The bucket after a training of two processes that the command has started by itself."""
    bucket, platform, data = job
    machine = platform.machine()
    finished = platform.start(
        machine,
        SUITE / "train.py",
        *TINY,
        *machine.arguments,
        f"--data_url={data}",
        "--run_distribute=True",
        "--device_num=2",
        "--batch_size=1",
        f"--train_url=s3://{bucket.name}/out",
        "--ma_task=worker",
        "--verbose",
    )
    return finished, machine


def test_two_processes_train_on_one_copy_and_send_their_results(job, trained):
    bucket, _, _ = job
    finished, machine = trained
    keys = bucket.keys()
    assert {f"out/{name}" for name in ("config.yaml", "train.log", "metrics.jsonl", "curves.png")} <= set(keys)
    latest = json.loads(bucket.read("out/latest_checkpoint.json"))["checkpoint"]
    assert bucket.read(f"out/{latest}") == (machine.output / latest).read_bytes()
    log = bucket.read("out/train.log").decode()
    assert "unknown argument --ma_task of the platform is not used" in log
    assert "unknown argument --verbose of the platform is not used" in log
    copies = [
        line
        for path in machine.output.rglob("*.log")
        for line in path.read_text().splitlines()
        if "data_url: copying" in line
    ]
    assert len(copies) >= 1
    assert len({line.split("data_url")[0] for line in copies}) == 1  # one process, however many logs have its line
    assert finished.returncode == 0


def test_a_checkpoint_of_the_bucket_is_evaluated_and_exported(job, trained):
    bucket, platform, data = job
    places = {
        "DATA_URL": data,
        "CHECKPOINT_URL": f"s3://{bucket.name}/out/checkpoint",
        "TRAIN_URL": f"s3://{bucket.name}/evaluated",
    }
    machine = platform.machine()
    best = f"{machine.load}/segformer_mit_b0_1.ckpt"
    evaluated = platform.start(
        machine, SUITE / "eval.py", *TINY, *machine.arguments, f"--eval_ckpt_path={best}", variables=places
    )
    assert "===> mIoU:" in evaluated.stdout
    assert json.loads(bucket.read("evaluated/result.json"))["num_images"] == 2
    machine = platform.machine()
    platform.start(
        machine,
        SUITE / "export.py",
        *TINY,
        *machine.arguments,
        "--export_format=MINDIR",
        f"--export_ckpt_path={machine.load}/segformer_mit_b0_1.ckpt",
        variables={**places, "TRAIN_URL": f"s3://{bucket.name}/exported"},
    )
    assert {"exported/custom.mindir", "exported/custom.json"} <= set(bucket.keys())


def test_a_bundle_trains_alone_through_moxing(job, tmp_path):
    _, platform, _ = job
    buckets = tmp_path / "buckets"
    write_city(buckets / "zoo/city", height=32, width=64)
    bundle("segformer", tmp_path / "code")
    machine = platform.machine()
    finished = platform.start(
        machine,
        tmp_path / "code/train.py",
        *TINY,
        *machine.arguments,
        "--data_url=obs://zoo/city",
        "--train_url=obs://zoo/out",
        variables={"PYTHONPATH": str(STAND_IN_MOXING), "STAND_IN_MOXING_BUCKETS": str(buckets)},
    )
    assert "through moxing" in finished.stdout + finished.stderr
    latest = json.loads((buckets / "zoo/out/latest_checkpoint.json").read_text())["checkpoint"]
    assert (buckets / "zoo/out" / latest).read_bytes() == (machine.output / latest).read_bytes()


def test_a_bucket_that_does_not_exist_is_a_sentence_and_leaves_nothing(job):
    _, platform, _ = job
    machine = platform.machine()
    finished = platform.start(
        machine,
        SUITE / "train.py",
        *TINY,
        *machine.arguments,
        "--data_url=s3://no-bucket/city",
        f"--train_url={machine.root / 'results'}",
        code=2,
    )
    assert "Traceback" not in finished.stderr
    assert "bucket 'no-bucket'" in finished.stderr.splitlines()[-1]
    assert not [path for path in machine.root.rglob("*") if path.is_file() and ".modelarts_sync" not in path.parts]

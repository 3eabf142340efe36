"""Jobs on ModelArts as the page has them: settings on the command line, the data set as the only zip file."""

import json
from pathlib import Path

import pytest

from faster_rcnn.tests.tiny_detector import TINY_NETWORK, TINY_TRAINING
from utils.detection.tests.tiny_coco import write_coco
from utils.model_utils.tests.modelarts_job import storage_and_platform, upload_zip

SUITE = Path(__file__).resolve().parent.parent
TINY = (
    "--enable_modelarts=True",
    *TINY_NETWORK,
    *TINY_TRAINING,
    "--warmup_step=1",
    "--batch_size=2",
    "--epoch_size=1",
    "--run_eval=False",
)

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A bucket with a zip file of a data set, and what starts jobs."""
    root = tmp_path_factory.mktemp("jobs")
    with storage_and_platform(root) as (bucket, platform):
        yield bucket, platform, upload_zip(bucket, "data/coco.zip", write_coco(root / "coco"))


@pytest.fixture(scope="module")
def trained(job):
    """A training whose results go to a folder of the machine that today's platform copies."""
    bucket, platform, data = job
    machine = platform.machine()
    results = machine.root / "outputs/train_url_0"
    finished = platform.start(
        machine,
        SUITE / "train.py",
        *TINY,
        f"--data_url={data}",
        f"--dataset_path={machine.data}",
        f"--output_path={machine.output}",
        f"--load_path={machine.load}",
        f"--train_url={results}",
    )
    return finished, machine, results


@pytest.mark.long_run
def test_results_are_in_a_train_url_that_is_a_folder_and_in_output_path(trained):
    finished, machine, results = trained
    assert (results / "ckpt_0/faster_rcnn-1_3.ckpt").is_file()
    assert {"config.yaml", "train.log", "metrics.jsonl", "loss_0.log"} <= {path.name for path in results.iterdir()}
    assert machine.output.samefile(results)
    assert (machine.data / "FASTERRCNN_MINDRECORD").is_dir()  # beside what the zip file held
    assert "coco_root is data_path" in (results / "train.log").read_text()
    assert finished.returncode == 0


@pytest.mark.long_run
def test_the_checkpoint_is_evaluated_and_exported_from_the_bucket(job, trained):
    bucket, platform, data = job
    bucket.write("models/model.ckpt", (trained[2] / "ckpt_0/faster_rcnn-1_3.ckpt").read_bytes())
    checkpoint = f"--checkpoint_url=s3://{bucket.name}/models/model.ckpt"
    machine = platform.machine()
    finished = platform.start(
        machine,
        SUITE / "eval.py",
        *TINY,
        *machine.arguments,
        f"--data_url={data}",
        checkpoint,
        f"--checkpoint={machine.load}/model.ckpt",
        f"--train_url=s3://{bucket.name}/evaluated",
    )
    assert "Average Precision" in finished.stdout
    assert json.loads(bucket.read("evaluated/result.json"))["num_images"] == 3
    machine = platform.machine()
    platform.start(
        machine,
        SUITE / "export.py",
        *TINY,
        *machine.arguments,
        checkpoint,
        f"--ckpt_file={machine.load}/model.ckpt",
        "--file_name=faster_rcnn",
        "--file_format=MINDIR",
        f"--train_url=s3://{bucket.name}/exported",
    )
    assert {"exported/faster_rcnn.mindir", "exported/faster_rcnn.json"} <= set(bucket.keys())


def test_a_command_that_fails_sends_what_there_is(job):
    bucket, platform, data = job
    machine = platform.machine()
    finished = platform.start(
        machine,
        SUITE / "train.py",
        *TINY,
        *machine.arguments,
        f"--data_url={data}",
        "--num_classes=7",
        f"--train_url=s3://{bucket.name}/failed",
        code=2,
    )
    assert "num_classes is 7" in finished.stderr
    assert {"failed/config.yaml", "failed/train.log"} <= set(bucket.keys())

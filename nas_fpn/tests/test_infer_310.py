"""From a trained toy detector to its AP by way of MindIR, C++ and postprocess.py: the AP is eval.py's."""

import json
import subprocess
import sys

import mindspore as ms
import pytest

from nas_fpn.src import build
from nas_fpn.src.config import SUITE_DIR, load
from nas_fpn.src.evaluate import evaluate
from nas_fpn.src.export import export
from utils.detection.tests.pictures_310 import copy_pictures, infer_in_python
from utils.detection.tests.tiny_coco import write_coco
from utils.launch.tests.cpp_program import require_program, run_infer_310, run_postprocess
from utils.model_utils.device_adapter import DeviceInfo, choose_device

TOY = (
    "--config_path=config/custom.yaml",
    "--img_shape=[128,128]",
    "--resnet_layers=[1,1,1,1]",
    "--resnet_width=8",
    "--nasfpn_out_channel=16",
    "--nasfpn_stack_times=1",
    "--head_stacked_convs=1",
    "--device_target=CPU",
    "--num_parallel_workers=1",
)
TRAINING = ("--batch_size=4", "--epoch_size=10", "--warmup_steps=10", "--ema_decay=0", "--run_eval=False")
CHECKPOINT = "run/ckpt/retinanet_nasfpn-10_4.ckpt"

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A folder with `coco data`, `my pictures` (12 that are annotated, one broken), toy.mindir and eval/result.json."""
    root = tmp_path_factory.mktemp("a toy")
    data = write_coco(root / "coco data", {"train2017": 24, "val2017": 12})
    copy_pictures(data, root / "my pictures")
    finished = subprocess.run(
        [sys.executable, str(SUITE_DIR / "train.py"), *TOY, *TRAINING, f"--coco_root={data}", "--run_dir=run"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    ms.set_context(mode=ms.GRAPH_MODE)
    with pytest.MonkeyPatch.context() as patch:
        for command in ("evaluate", "export"):  # MindSpore takes a device once in a process
            patch.setattr(
                f"nas_fpn.src.{command}.set_up_device",
                lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1),
            )
        checkpoint = f"--checkpoint_path={root / CHECKPOINT}"
        evaluate(load([*TOY, checkpoint, f"--coco_root={data}", f"--run_dir={root / 'eval'}", "--num_pictures=0"]))
        export(load([*TOY, checkpoint, "--file_name=toy", f"--run_dir={root}"]))
    return root


@pytest.fixture(scope="module")
def expected(toy):
    """What eval.py has found: neither nothing nor everything, so that a difference would be seen."""
    result = json.loads((toy / "eval" / "result.json").read_text())
    assert 0.1 < result["mAP"] < 0.95
    return result


def test_on_the_same_tensors_the_ap_is_that_of_eval_py(toy, expected):
    """Without MindSpore, from the folder of the results."""
    folder = toy / "same tensors"
    infer_in_python(toy / "toy.mindir", toy / "my pictures", build.input_settings(load(TOY)), folder, takes_metas=False)
    finished = run_postprocess("nas_fpn", "--anno_path", "../coco data/annotations/instances_val2017.json", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    result = json.loads((folder / "result.json").read_text())
    for name in ("mAP", "AP50", "AP75", "AR100"):
        assert result[name] == pytest.approx(expected[name], abs=1e-4)
    assert result["num_detections"] == expected["num_detections"]
    assert finished.stdout.splitlines()[-1] == f"mAP: {result['mAP']}"


def test_run_infer_310_gives_the_ap_of_eval_py(toy, expected):
    """As the page calls it, from another folder; a picture that cannot be read is counted."""
    require_program("nas_fpn")
    folder = toy / "in C++"
    folder.mkdir()
    annotations = "../coco data/annotations/instances_val2017.json"
    finished = run_infer_310("nas_fpn", "../toy.mindir", "../my pictures", annotations, "0", cwd=folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    result = json.loads((folder / "result.json").read_text())
    for name in ("mAP", "AP50", "AP75", "AR100"):
        assert result[name] == pytest.approx(expected[name], abs=5e-3)
    block = finished.stdout.splitlines()
    assert block[-1] == f"mAP: {result['mAP']}"
    assert sum(line.startswith(" Average ") for line in block) == 12
    assert "1 of 13 images could not be read: broken.jpg" in finished.stdout
    assert (folder / "acc.log").read_text() == finished.stdout
    assert {path.name for path in folder.iterdir()} == {
        "build.log",
        "infer.log",
        "acc.log",
        "result_Files",
        "result_Files.json",
        "time_Result",
        "result.json",
        "predictions.json",
    }

    failed = run_infer_310("nas_fpn", "../toy.mindir", "../my pictures", annotations, "--on_bad_image=fail", cwd=folder)
    assert failed.returncode == 2
    assert "broken.jpg" in failed.stderr
    assert "inference ended with exit code 2; log: " in failed.stderr
    assert not (folder / "acc.log").exists()

"""From a trained toy detector to its AP by way of MindIR, C++ and postprocess.py: the AP is eval.py's."""

import json
import subprocess
import sys

import mindspore as ms
import pytest

from faster_rcnn.src import build
from faster_rcnn.src.config import SUITE_DIR, load
from faster_rcnn.src.evaluate import evaluate
from faster_rcnn.src.export import export
from utils.detection.tests.pictures_310 import copy_pictures, infer_in_python
from utils.detection.tests.tiny_coco import write_coco
from utils.launch.tests.cpp_program import require_program, run_infer_310, run_postprocess
from utils.model_utils.device_adapter import DeviceInfo, choose_device

TOY = (
    "--config_path=config/custom.yaml",
    "--img_height=128",
    "--img_width=128",
    "--res2net_layers=[1,1,1,1]",
    "--res2net_width=8",
    "--res2net_base_width=4",
    "--fpn_out_channels=16",
    "--rpn_feat_channels=16",
    "--rcnn_fc_out_channels=32",
    "--rpn_nms_pre=100",
    "--rpn_max_num=50",
    "--device_target=CPU",
    "--num_parallel_workers=1",
    "--roi_sampling_ratio=2",  # as exported models have it
)
TRAINING = (
    "--num_gts=8",
    "--rpn_proposal_nms_pre=100",
    "--rpn_proposal_max_num=50",
    "--num_expected_neg_stage2=32",
    "--num_expected_pos_stage2=16",
    "--batch_size=4",
    "--epoch_size=8",
    "--warmup_step=10",
    "--ema_decay=0",
    "--run_eval=False",
)
CHECKPOINT = "run/ckpt_0/faster_rcnn-8_4.ckpt"

pytestmark = [pytest.mark.end_to_end, pytest.mark.long_run]


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
                f"faster_rcnn.src.{command}.set_up_device",
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
    infer_in_python(toy / "toy.mindir", toy / "my pictures", build.input_settings(load(TOY)), folder, takes_metas=True)
    finished = run_postprocess(
        "faster_rcnn", "--anno_path", "../coco data/annotations/instances_val2017.json", cwd=folder
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads((folder / "result.json").read_text())
    for name in ("mAP", "AP50", "AP75", "AR100"):
        assert result[name] == pytest.approx(expected[name], abs=1e-4)
    assert result["num_detections"] == expected["num_detections"]
    assert finished.stdout.splitlines()[-1].startswith(" Average Recall     (AR) @[ IoU=0.50:0.95 | area= large")


def test_run_infer_310_gives_the_ap_of_eval_py(toy, expected):
    """As the page calls it, from another folder; a picture that cannot be read is counted."""
    require_program("faster_rcnn")
    folder = toy / "in C++"
    folder.mkdir()
    annotations = "../coco data/annotations/instances_val2017.json"
    finished = run_infer_310("faster_rcnn", "../toy.mindir", "../my pictures", annotations, "0", cwd=folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    result = json.loads((folder / "result.json").read_text())
    for name in ("mAP", "AP50", "AP75", "AR100"):
        assert result[name] == pytest.approx(expected[name], abs=5e-3)
    assert all(line.startswith(" Average ") for line in finished.stdout.splitlines()[-12:])
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

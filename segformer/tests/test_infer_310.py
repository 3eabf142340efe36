"""From a trained toy network to its mIoU by way of MindIR, C++ and postprocess.py: the mIoU is eval.py's."""

import json
import subprocess
import sys

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from segformer.src.base_dataset import scaled_size
from segformer.src.config import SUITE_DIR, load
from segformer.src.dataset import find_images
from segformer.src.evaluate import evaluate
from segformer.src.export import export
from segformer.src.results.planes import resize
from segformer.tests.tiny_checkpoint import TINY
from segformer.tests.tiny_city import write_city
from utils.exporting.description import read_description
from utils.exporting.tests.written_results import write_results
from utils.images import read_image
from utils.launch.tests.cpp_program import require_program, run_infer_310, run_postprocess
from utils.model_utils.device_adapter import DeviceInfo, choose_device
from utils.pixels import to_input

TOY = ("--config_path=config/custom.yaml", *TINY)
TRAINING = (
    "--crop_size=[64,128]",
    "--epoch_size=12",
    "--batch_size=4",
    "--lr=0.01",
    "--warmup_steps=5",
    "--ema_decay=0",
    "--photometric_distortion=False",
    "--scale_range=[1.0,1.0]",
    "--cat_max_ratio=1",
    "--run_eval=False",
    "--dataset_num_parallel_workers=1",
)
CHECKPOINT = "run/checkpoint/segformer_mit_b0_12.ckpt"

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A folder with the data set `a city`, custom.mindir and eval/result.json."""
    root = tmp_path_factory.mktemp("a toy")
    city = write_city(root / "a city", {"train": 8, "val": 4})
    finished = subprocess.run(
        [sys.executable, str(SUITE_DIR / "train.py"), *TOY, *TRAINING, f"--data_path={city}", "--run_dir=run"],
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
                f"segformer.src.{command}.set_up_device",
                lambda target, *_, **__: DeviceInfo(choose_device(target), 0, 0, 1),
            )
        weights = root / CHECKPOINT
        evaluate(
            load(
                [
                    *TOY,
                    f"--eval_ckpt_path={weights}",
                    f"--data_path={city}",
                    f"--run_dir={root / 'eval'}",
                    "--num_pictures=0",
                ]
            )
        )
        export(load([*TOY, f"--export_ckpt_path={weights}", f"--run_dir={root}"]))
    return root


@pytest.fixture(scope="module")
def expected(toy):
    """What eval.py has found: neither nothing nor everything, so that a difference would be seen."""
    result = json.loads((toy / "eval" / "result.json").read_text())
    assert 0.2 < result["mIoU"] < 0.98
    return result


def test_on_the_same_tensors_the_miou_is_that_of_eval_py(toy, expected):
    """Without MindSpore; labels are looked up by name in a folder of any form."""
    model, folder = toy / "custom.mindir", toy / "same tensors"
    rule = read_description(model).preprocessing
    results, network = [], nn.GraphCell(ms.load(str(model)))
    for file in find_images(toy / "a city", "val"):
        image = read_image(file)
        size = scaled_size(image.shape[:2], (rule.height, rule.width))
        planes = to_input(resize(image, size), (rule.height, rule.width), rule.mean, rule.std)
        scale = size[0] / image.shape[0]
        results.append((file.name, image.shape[:2], (scale, scale), [network(ms.Tensor(planes[None])).asnumpy()[0]]))
    write_results(folder, model, results)
    finished = run_postprocess("segformer", "--anno_path", "../a city/gtFine/val", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    result = json.loads((folder / "result.json").read_text())
    assert result["mIoU"] == pytest.approx(expected["mIoU"], abs=1e-4)
    found, wanted = np.asarray(result["confusion_matrix"]), np.asarray(expected["confusion_matrix"])
    assert np.abs(found - wanted).sum() <= 1e-4 * wanted.sum()


def test_run_infer_310_gives_the_miou_of_eval_py(toy, expected):
    """With a data set in the layout of Cityscapes for images and labels, from another folder."""
    require_program("segformer")
    folder = toy / "in C++"
    folder.mkdir()
    finished = run_infer_310("segformer", "../custom.mindir", "../a city", "../a city", cwd=folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    result = json.loads((folder / "result.json").read_text())
    assert result["mIoU"] == pytest.approx(expected["mIoU"], abs=5e-3)
    assert (result["num_images"], result["num_skipped"]) == (4, 0)
    assert f"===> mIoU: {result['mIoU']}, ckpt: custom.mindir" in finished.stdout
    assert (folder / "acc.log").read_text() == finished.stdout

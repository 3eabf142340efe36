"""From weights of another program to a result, by the commands that the converter prints: a converted network
evaluates to the mIoU that PyTorch finds, a converted encoder is what training starts from.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from segformer.src.convert_model import convert
from segformer.src.variants import MIT_VARIANTS
from segformer.tests.tiny_city import image_path, label_path, write_city
from segformer.tests.transformers_reference import own_arrays, reference
from utils.training.checkpoints.checkpoint import load_checkpoint

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from segformer.tests import foreign_files  # noqa: E402  (needs torch)

pytestmark = pytest.mark.end_to_end

SUITE = Path(__file__).resolve().parent.parent
SMALL = ("--config_path=config/custom.yaml", "--base_size=[32,64]")
NUM_CLASSES = 19
NUM_IMAGES = 2


@pytest.fixture(scope="module")
def model():
    return reference("mit_b0")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_city(tmp_path_factory.mktemp("data"), {"train": 2, "val": NUM_IMAGES}, height=32, width=64)


def run_printed(report, *arguments):
    """Runs the command that ends the converter's report, on the CPU."""
    printed = re.search(r"\((?:the encoder|the whole network): (.*?)\)?$", report, re.MULTILINE)[1]
    script, *flags = shlex.split(printed)
    finished = subprocess.run(
        [sys.executable, str(SUITE / script), *flags, "--device_target=CPU", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def miou_of(model, data):
    """The mean IoU of PyTorch's network over the classes that are labelled or predicted."""
    counts = np.zeros((NUM_CLASSES, NUM_CLASSES))
    for index in range(NUM_IMAGES):
        image = cv2.imread(str(image_path(data, "val", index)))[..., ::-1].astype(np.float32)
        image = (image - np.float32([123.675, 116.28, 103.53])) / np.float32([58.395, 57.12, 57.375])
        with torch.no_grad():
            logits = model(torch.tensor(image.transpose(2, 0, 1)[None])).logits
            logits = torch.nn.functional.interpolate(logits, image.shape[:2], mode="bilinear", align_corners=False)
        label = cv2.imread(str(label_path(data, "val", index)), cv2.IMREAD_UNCHANGED)
        np.add.at(counts, (label.ravel(), logits[0].argmax(0).numpy().ravel()), 1)
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    return float((counts.diagonal()[union > 0] / union[union > 0]).mean())


def test_a_converted_network_evaluates_at_once_to_pytorchs_miou(model, data, tmp_path):
    """As it is printed: the size of the pictures too is that of the folder."""
    model.save_pretrained(tmp_path / "model")
    processor = {"size": {"height": 32, "width": 64}, "image_mean": [0.485, 0.456, 0.406]}
    (tmp_path / "model" / "preprocessor_config.json").write_text(json.dumps(processor))
    report = convert(tmp_path / "model", tmp_path / "own.ckpt")
    run_printed(report, f"--data_path={data}", f"--run_dir={tmp_path / 'eval'}")
    found = json.loads((tmp_path / "eval" / "result.json").read_text())["mIoU"]
    expected = miou_of(model, data)
    assert 0 < expected < 1
    assert found == pytest.approx(expected, rel=0.01)  # a pixel between two classes may fall to either


def test_training_starts_from_a_converted_encoder(model, data, tmp_path):
    torch.save(foreign_files.release_backbone(model), tmp_path / "mit_b0.pth")
    report = convert(tmp_path / "mit_b0.pth", tmp_path / "own.ckpt")
    log = run_printed(
        report,
        f"--data_path={data}",
        f"--run_dir={tmp_path / 'run'}",
        *SMALL,
        "--load_ckpt=True",
        "--crop_size=[32,32]",
        "--epoch_size=1",
        "--batch_size=2",
        "--warmup_steps=0",
        "--lr=1e-6",
        "--run_eval=False",
        "--weight_decay=0",
        "--ema_decay=0",
        "--dataset_num_parallel_workers=1",
    )
    assert "Epoch 1/1, step:1/1, loss:" in log
    trained = load_checkpoint(tmp_path / "run" / "checkpoint" / "segformer_mit_b0_1.ckpt").arrays
    encoder = {
        name: value
        for name, value in own_arrays(model, MIT_VARIANTS["mit_b0"].depths).items()
        if name.startswith("backbone.")
    }
    assert set(encoder) == {name for name in trained if name.startswith("backbone.")}
    for name, value in encoder.items():  # one step of AdamW moves a weight by the learning rate
        np.testing.assert_allclose(trained[name], value, atol=2e-6, err_msg=name)
    assert any(np.any(trained[name] != value) for name, value in encoder.items())

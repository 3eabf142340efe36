"""What the tests of the converter share: a tiny detector, its state dict in each naming, the command, comparisons."""

import re
import subprocess
import sys

import numpy as np
import torch

from faster_rcnn.src import build
from faster_rcnn.src.config import SUITE_DIR, load
from faster_rcnn.tests.torch_reference import ReferenceNetwork, randomise

TINY = ("--res2net_layers=[1,2,1,1]", "--res2net_width=16", "--res2net_base_width=4", "--fpn_out_channels=16",
        "--rpn_feat_channels=16", "--rcnn_fc_out_channels=32", "--img_height=128", "--img_width=192")
TINY_NETWORK = {"layers": (1, 2, 1, 1), "width": 16, "base_width": 4, "channels": 16, "fc_channels": 32,
                "num_classes": 3}
# The stem and the classifier of timm's res2net50d, by MMDetection's names of them.
TIMM_STEM = {"stem.0": "conv1.0", "stem.1": "conv1.1", "stem.3": "conv1.3", "stem.4": "conv1.4", "stem.6": "conv1.6",
             "stem.7": "bn1"}
MINDSPORE_STEM = {"stem.0": "conv1_0", "stem.1": "bn1_0", "stem.3": "conv1_1", "stem.4": "bn1_1", "stem.6": "conv1_2",
                  "stem.7": "bn1"}
MINDSPORE_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def reference_detector(seed=0, **changes):
    return randomise(ReferenceNetwork(**{**TINY_NETWORK, **changes}), seed).eval()


def in_timm_names(backbone):
    """The state dict of a reference backbone as timm's res2net50d has it, with a classifier."""
    state = {}
    for name, value in backbone.state_dict().items():
        stem = re.match(r"stem\.\d", name)
        state[TIMM_STEM[stem[0]] + name[len(stem[0]):] if stem else name] = value
    channels = backbone.layer4[0].bn3.num_features
    return {**state, "fc.weight": torch.ones(10, channels), "fc.bias": torch.ones(10)}


def in_mindspore_names(backbone):
    """The arrays of a reference backbone as MindSpore's own Res2Net has them, with a classifier."""
    arrays = {}
    for name, value in backbone.state_dict().items():
        layer, part = name.rsplit(".", 1)
        stem = re.match(r"stem\.\d", name)
        is_norm = value.dim() == 1
        if part == "num_batches_tracked":
            continue
        if stem:
            layer = MINDSPORE_STEM[stem[0]]
        elif "downsample" in layer:
            index = int(layer[-1]) - (1 if layer.startswith("layer1") else 0)
            layer = f"{layer.rsplit('.', 2)[0]}.down_sample_layer.{index}"
        arrays[f"{layer}.{MINDSPORE_NORM[part] if is_norm else part}"] = value.numpy()
    return {**arrays, "end_point.weight": np.ones((10, 4), np.float32), "end_point.bias": np.ones(10, np.float32)}


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, str(SUITE_DIR / "convert_checkpoint.py"), *map(str, arguments)], capture_output=True,
        text=True, timeout=300, check=False,
    )


def converted(folder, state, *arguments):
    """Saves a state dict, converts it with the command, and returns the checkpoint and the report."""
    torch.save(state, folder / "weights.pth")
    output = folder / "converted.ckpt"
    finished = run_command(f"--ckpt_file={folder / 'weights.pth'}", f"--output={output}", *arguments)
    assert finished.returncode == 0, finished.stderr
    return output, finished.stdout


def loaded(checkpoint, *arguments):
    """The configuration and the detector with the weights of a whole converted checkpoint."""
    config = load(arguments)
    network, _ = build.load_detector(config, checkpoint)
    return config, network.set_train(False)


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()

"""What the tests of the converter share: the tiny network, running the command, comparing outputs."""

import contextlib
import io
import subprocess
import sys

import mindspore as ms
import numpy as np
import torch
from mindspore import nn

from nas_fpn.src import build
from nas_fpn.src.config import SUITE_DIR, load
from nas_fpn.src.convert import convert
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.checkpoints.loading import load_weights

TINY = (
    "--resnet_layers=[1,2,1,1]",
    "--resnet_width=8",
    "--nasfpn_out_channel=16",
    "--nasfpn_stack_times=2",
    "--head_stacked_convs=2",
    "--num_classes=3",
    "--img_shape=[128,256]",
)
TINY_NETWORK = {"layers": (1, 2, 1, 1), "width": 8, "channels": 16, "stacks": 2, "convs": 2, "classes": 3}


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, str(SUITE_DIR / "convert_checkpoint.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def converted(folder, state, *arguments, as_command=False):
    """Saves a state dict, converts it, here or by the command, and returns the checkpoint and the report."""
    torch.save(state, folder / "weights.pth")
    output = folder / "converted.ckpt"
    places = (f"--ckpt_file={folder / 'weights.pth'}", f"--output={output}", *arguments)
    if as_command:
        finished = run_command(*places)
        assert finished.returncode == 0, finished.stderr
        return output, finished.stdout
    with contextlib.redirect_stdout(io.StringIO()) as report:
        convert(load(places))
    return output, report.getvalue()


def loaded(checkpoint, *arguments):
    config = load(arguments)
    network = build.build_network(config, config.num_classes)
    load_weights(network, load_checkpoint(checkpoint, build.SUITE))
    return config, network.set_train(False)


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


class _WithPyramid(nn.Cell):
    """P3 to P7, class logits and box deltas, in one graph."""

    def __init__(self, network):
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images):
        pyramid = self.network.neck(self.network.backbone(images))
        return (*pyramid, *self.network.head(pyramid))


def assert_equal_outputs(network, reference, images):
    """P3 to P7, class logits and box deltas agree to 1e-4."""
    with torch.no_grad():
        pyramid, *outputs = reference(torch.tensor(images))
    names = ("P3", "P4", "P5", "P6", "P7", "class logits", "box deltas")
    found = _WithPyramid(network)(ms.Tensor(images))
    for name, value, expected in zip(names, found, (*pyramid, *outputs), strict=True):
        assert relative(value.asnumpy(), expected.numpy()) < 1e-4, name

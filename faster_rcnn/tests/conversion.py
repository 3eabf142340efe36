"""What the tests of the converter share: a tiny detector, its state dict in each naming, the command, comparisons."""

import re
import subprocess
import sys

import mindspore as ms
import numpy as np
import torch
from mindspore import nn

from faster_rcnn.src import build
from faster_rcnn.src.config import SUITE_DIR, load
from faster_rcnn.src.convert import convert
from faster_rcnn.tests import torch_mmdet
from faster_rcnn.tests.torch_reference import ReferenceNetwork, randomise

TINY = (
    "--res2net_layers=[1,2,1,1]",
    "--res2net_width=16",
    "--res2net_base_width=4",
    "--fpn_out_channels=16",
    "--rpn_feat_channels=16",
    "--rcnn_fc_out_channels=32",
    "--img_height=128",
    "--img_width=192",
)
TINY_NETWORK = {
    "layers": (1, 2, 1, 1),
    "width": 16,
    "base_width": 4,
    "channels": 16,
    "fc_channels": 32,
    "num_classes": 3,
}
SIZE, NUM_CLASSES = (128, 192), 3
# The stem and the classifier of timm's res2net50d, by MMDetection's names of them.
TIMM_STEM = {
    "stem.0": "conv1.0",
    "stem.1": "conv1.1",
    "stem.3": "conv1.3",
    "stem.4": "conv1.4",
    "stem.6": "conv1.6",
    "stem.7": "bn1",
}
MINDSPORE_STEM = {
    "stem.0": "conv1_0",
    "stem.1": "bn1_0",
    "stem.3": "conv1_1",
    "stem.4": "bn1_1",
    "stem.6": "conv1_2",
    "stem.7": "bn1",
}
MINDSPORE_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def reference_detector(seed=0, **changes):
    return randomise(ReferenceNetwork(**{**TINY_NETWORK, **changes}), seed).eval()


def in_timm_names(backbone):
    """The state dict of a reference backbone as timm's res2net50d has it, with a classifier."""
    state = {}
    for name, value in backbone.state_dict().items():
        stem = re.match(r"stem\.\d", name)
        state[TIMM_STEM[stem[0]] + name[len(stem[0]) :] if stem else name] = value
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
        [sys.executable, str(SUITE_DIR / "convert_checkpoint.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def converted(folder, state, *arguments):
    """Saves a state dict, converts it with the command, and returns the checkpoint and the report."""
    torch.save(state, folder / "weights.pth")
    output = folder / "converted.ckpt"
    finished = run_command(f"--ckpt_file={folder / 'weights.pth'}", f"--output={output}", *arguments)
    assert finished.returncode == 0, finished.stderr
    return output, finished.stdout


def converted_detector(folder):
    """A detector with boxes near their anchors and scores that differ, as a trained one's, and its checkpoint."""
    reference = reference_detector(seed=1)
    with torch.no_grad():
        for layer in (reference.rpn_head.rpn_reg, reference.roi_head.bbox_head.fc_reg):
            layer.weight.mul_(0.2), layer.bias.mul_(0.2)
        reference.roi_head.bbox_head.fc_cls.weight.mul_(6)
    torch.save(reference.state_dict(), folder / "weights.pth")
    return reference, convert(load([f"--ckpt_file={folder / 'weights.pth'}", f"--run_dir={folder}", *TINY]))


def noise(count=2):
    """Images of squares of 16 pixels, with noise."""
    draw = np.random.default_rng(0)
    squares = np.kron(draw.standard_normal((count, 3, SIZE[0] // 16, SIZE[1] // 16)), np.ones((16, 16)))
    return (2 * squares + draw.standard_normal((count, 3, *SIZE))).astype(np.float32)


def loaded(checkpoint, *arguments):
    """The configuration that fits a whole converted checkpoint, and the detector with its weights."""
    config, stored = build.open_checkpoint(load([*arguments, "--num_classes=null"]), checkpoint)
    network, _ = build.load_detector(config, stored)
    return config, network.set_train(False)


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


class _Stages(nn.Cell):
    """All outputs of the network for given RoIs, in one graph."""

    def __init__(self, network, extractor):
        super().__init__(auto_prefix=False)
        self.network, self.extractor = network, extractor

    def construct(self, images, rois):
        pyramid, objectness, deltas = self.network(images)
        pooled = self.extractor(pyramid, rois)
        return (*pyramid, objectness, deltas, pooled, *self.network.classify(pooled))


def assert_equal_stages(config, network, reference, images, rois):
    """P2 to P6, RPN outputs, RoI features and head outputs agree to 1e-4; rois is float32[N, R, 4]."""
    with torch.no_grad():
        pyramid, objectness, deltas = reference(torch.tensor(images))
        pooled = torch.cat(
            [torch_mmdet.roi_align(pyramid[:4], boxes, image) for image, boxes in enumerate(torch.tensor(rois))]
        )
        expected = (*pyramid, objectness, deltas, pooled, *reference.roi_head.bbox_head(pooled))
    names = ("P2", "P3", "P4", "P5", "P6", "objectness", "deltas", "RoI features", "class logits", "box deltas")
    found = _Stages(network, build.build_extractor(config))(ms.Tensor(images), ms.Tensor(rois))
    for name, value, wanted in zip(names, found, expected, strict=True):
        assert relative(value.asnumpy(), wanted.numpy()) < 1e-4, name

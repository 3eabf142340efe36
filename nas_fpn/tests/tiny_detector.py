"""A detector of a few thousand weights as a checkpoint of the suite, for tests of commands that read one."""

from pathlib import Path

import mindspore as ms

from nas_fpn.src import build
from nas_fpn.src.config import load
from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

TINY_NETWORK = (
    "--config_path=config/custom.yaml",
    "--img_shape=[128,128]",
    "--resnet_layers=[1,1,1,1]",
    "--resnet_width=4",
    "--nasfpn_out_channel=8",
    "--nasfpn_stack_times=1",
    "--head_stacked_convs=1",
    "--device_target=CPU",
    "--num_parallel_workers=1",
)


def write_checkpoint(path: Path, class_names=("red", "blue"), category_ids=(7, 3), num_classes=2, **options) -> Path:
    """Writes the weights that a network begins a training with, which score about 0.01 everywhere."""
    ms.set_seed(1)
    network = build.build_network(load(TINY_NETWORK), num_classes)
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    state = {"suite": "nas_fpn", "class_names": list(class_names), "category_ids": list(category_ids), **options}
    save_checkpoint(path, TrainingState(arrays=arrays, **state))
    return path

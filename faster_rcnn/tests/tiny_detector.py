"""A detector of a few thousand weights as a checkpoint of the suite, for tests of commands that read one."""

from pathlib import Path

import mindspore as ms

from faster_rcnn.src import build
from faster_rcnn.src.config import load
from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

TINY_NETWORK = (
    "--config_path=config/custom.yaml",
    "--img_height=64",
    "--img_width=96",
    "--res2net_layers=[1,1,1,1]",
    "--res2net_width=4",
    "--res2net_base_width=2",
    "--fpn_out_channels=8",
    "--rpn_feat_channels=8",
    "--rcnn_fc_out_channels=16",
    "--rpn_nms_pre=50",
    "--rpn_max_num=20",
    "--test_candidates=40",
    "--device_target=CPU",
    "--num_parallel_workers=1",
)


def write_checkpoint(path: Path, class_names=("red", "blue"), category_ids=(7, 3), **options) -> Path:
    """Writes the weights that a network begins a training with, which find each class with a probability of 1/3."""
    ms.set_seed(1)
    network = build.build_network(load([*TINY_NETWORK]), len(class_names))
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    state = {"suite": build.SUITE, "class_names": list(class_names), "category_ids": list(category_ids), **options}
    save_checkpoint(path, TrainingState(arrays=arrays, **state))
    return path

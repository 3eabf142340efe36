"""A detector of a few thousand weights, and a larger one that learns its toy data; MindSpore is imported on demand."""

from pathlib import Path

from utils.detection.tests.tiny_coco import write_coco
from utils.tools.small_networks import NAS_FPN_NETWORK

TINY_NETWORK = (
    "--config_path=config/custom.yaml",
    *NAS_FPN_NETWORK,
    "--anchor_scales_per_octave=2",  # custom.yaml's, for calls that take no configuration file
    "--device_target=CPU",
    "--num_parallel_workers=1",
)
TOY = (*TINY_NETWORK, "--resnet_width=8", "--nasfpn_out_channel=16")
TOY_EPOCHS, TOY_STEPS = 10, 4
TOY_TRAINING = (
    "--batch_size=4",
    f"--epoch_size={TOY_EPOCHS}",
    "--warmup_steps=10",
    "--log_interval=1",
    "--ema_decay=0",
    f"--eval_start_epoch={TOY_EPOCHS}",
    "--eval_interval=1",
    "--enable_profiling=True",
)
TOY_EVALUATION = ("--store_thresholds=True",)


def write_toy_data(root: Path) -> Path:
    """Writes what the toy learns; a third of the pictures have no box."""
    return write_coco(root, {"train2017": 24, "val2017": 12})


def write_checkpoint(
    path: Path, *arguments: str, class_names=("red", "blue"), category_ids=(7, 3), num_classes=2, **facts
) -> Path:
    """Writes the weights that a network begins a training with, which score about 0.01 everywhere."""
    import mindspore as ms

    from nas_fpn.src import build
    from nas_fpn.src.config import load
    from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

    ms.set_seed(1)
    network = build.build_network(load([*TINY_NETWORK, *arguments]), num_classes)
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    state = {"suite": build.SUITE, "class_names": list(class_names), "category_ids": list(category_ids), **facts}
    save_checkpoint(path, TrainingState(arrays=arrays, **state))
    return path

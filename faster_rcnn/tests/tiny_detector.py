"""A detector of a few thousand weights, and a larger one that learns its toy data; MindSpore is imported on demand."""

from pathlib import Path

from utils.detection.tests.tiny_coco import write_coco
from utils.tools.small_networks import FASTER_RCNN_NETWORK, FASTER_RCNN_SAMPLES

TINY_NETWORK = (
    "--config_path=config/custom.yaml",
    *FASTER_RCNN_NETWORK,
    "--device_target=CPU",
    "--num_parallel_workers=1",
)
TINY_TRAINING = (*FASTER_RCNN_SAMPLES, "--keep_empty_images=true")
TOY = (
    *TINY_NETWORK,
    "--img_height=128",
    "--img_width=128",
    "--res2net_width=8",
    "--res2net_base_width=4",
    "--fpn_out_channels=16",
    "--rpn_feat_channels=16",
    "--rcnn_fc_out_channels=32",
    "--rpn_nms_pre=100",
    "--rpn_max_num=50",
    "--test_candidates=2000",
)
TOY_EVALUATION = ("--roi_sampling_ratio=2",)  # as exported models have it
TOY_EPOCHS, TOY_STEPS = 8, 4
TOY_TRAINING = (
    *TOY_EVALUATION,
    "--num_gts=8",
    "--rpn_proposal_nms_pre=100",
    "--rpn_proposal_max_num=50",
    "--num_expected_neg_stage2=32",
    "--num_expected_pos_stage2=16",
    "--batch_size=4",
    f"--epoch_size={TOY_EPOCHS}",
    "--lr=0.004",  # has to learn in 32 steps
    "--warmup_step=10",
    "--log_interval=1",
    "--ema_decay=0",
    f"--eval_start_epoch={TOY_EPOCHS}",
    "--eval_interval=1",
)


def write_toy_data(root: Path) -> Path:
    """Writes what the toy learns; a third of the pictures have no box."""
    return write_coco(root, {"train2017": 24, "val2017": 12})


def write_checkpoint(
    path: Path, *arguments: str, class_names=("red", "blue"), category_ids=(7, 3), num_classes=None, **facts
) -> Path:
    """Writes the weights that a network begins a training with, which find each of two classes with 1/3."""
    import mindspore as ms

    from faster_rcnn.src import build
    from faster_rcnn.src.config import load
    from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

    ms.set_seed(1)
    network = build.build_network(load([*TINY_NETWORK, *arguments]), num_classes or len(class_names))
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    state = {"suite": build.SUITE, "class_names": list(class_names), "category_ids": list(category_ids), **facts}
    save_checkpoint(path, TrainingState(arrays=arrays, **state))
    return path

"""A network of the suite that is small enough for tests, as a checkpoint with random weights, and a toy that learns."""

from pathlib import Path

from segformer.tests.tiny_city import write_city
from utils.tools.small_networks import SEGFORMER_NETWORK

TINY_NETWORK = (
    *SEGFORMER_NETWORK,
    "--base_size=[64,128]",
    "--class_num=4",
    "--device_target=CPU",
    "--dataset_num_parallel_workers=1",
    "--dataset_eval_num_parallel_workers=1",
)
TOY = ("--config_path=config/custom.yaml", *TINY_NETWORK)
TOY_EPOCHS, TOY_STEPS = 12, 2
TOY_TRAINING = (
    "--crop_size=[64,128]",
    f"--epoch_size={TOY_EPOCHS}",
    "--batch_size=4",
    "--lr=0.01",
    "--warmup_steps=5",
    "--ema_decay=0",
    "--photometric_distortion=False",
    "--scale_range=[1.0,1.0]",
    "--cat_max_ratio=1",
    "--train_log_interval=1",
    f"--eval_start_epoch={TOY_EPOCHS}",
    "--eval_interval=1",
)
TOY_EVALUATION = ()


def write_toy_data(root: Path) -> Path:
    """Writes what the toy learns."""
    return write_city(root, {"train": 8, "val": 4})


def write_checkpoint(path: Path, *arguments: str, **facts) -> Path:
    """Writes a checkpoint of the network that `TINY_NETWORK` and `arguments` describe; returns its path."""
    from segformer.src import build
    from segformer.src.config import load
    from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

    network = build.build_network(load([*TINY_NETWORK, *arguments]))
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    save_checkpoint(path, TrainingState(arrays=arrays, **{"suite": build.SUITE, **facts}))
    return path

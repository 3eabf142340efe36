"""A network of the suite that is small enough for tests, as a checkpoint with random weights."""

from pathlib import Path

from segformer.src import build
from segformer.src.config import load
from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint

TINY = (
    "--backbone_widths=[4,4,10,16]",
    "--backbone_depths=[1,1,1,1]",
    "--decoder_channels=8",
    "--base_size=[64,128]",
    "--class_num=4",
    "--device_target=CPU",
    "--dataset_eval_num_parallel_workers=1",
)


def write_tiny_checkpoint(path: Path, *arguments: str, class_names: tuple[str, ...] = ()) -> Path:
    """Writes a checkpoint of the network that `TINY` and `arguments` describe; returns its path."""
    network = build.build_network(load([*TINY, *arguments]))
    arrays = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    save_checkpoint(path, TrainingState(arrays=arrays, suite=build.SUITE, class_names=list(class_names)))
    return path

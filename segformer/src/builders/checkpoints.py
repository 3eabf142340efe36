"""The weights that a training begins with, and those of a checkpoint."""

from pathlib import Path

from utils.training.checkpoints.checkpoint import Checkpoint, load_checkpoint
from utils.training.checkpoints.class_outputs import ClassOutputs
from utils.training.checkpoints.loading import Allowed, Classes, load_weights
from utils.training.checkpoints.stored_keys import configure_as_stored, naming_other_network

from ..config import SegformerConfig
from ..labels.classes import numbered_names
from ..score import SUITE
from ..segformer import Segformer
from .classes import names_of_classes
from .network import build_network

OF_MMSEGMENTATION = "head.projections.0.conv.weight"  # which MMSegmentation's head alone has


def load_pretrained(config: SegformerConfig, network: Segformer, checkpoint: Checkpoint) -> None:
    """Loads pretrained weights: of the encoder alone, or of the whole network."""
    allowed = Allowed(
        missing=("head.", *config.allow_missing), misshaped=config.allow_mismatch, parts={"backbone": ("head.",)}
    )
    classes = Classes(names_of_classes(config), (ClassOutputs("head.classifier."),))
    with naming_other_network(config, checkpoint):
        load_weights(network, checkpoint, allowed, classes)


def open_checkpoint(config: SegformerConfig, path: Path) -> tuple[SegformerConfig, Checkpoint]:
    """Reads a checkpoint, which says what network and classes its weights are of.

    Returns:
        The configuration of its network, and the checkpoint.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no checkpoint of this suite, or a value on the command line does not fit it.
    """
    stored = load_checkpoint(path, SUITE)
    return configure(config, stored), stored


def configure(config: SegformerConfig, stored: Checkpoint) -> SegformerConfig:
    """Returns the configuration of a checkpoint's network; see `open_checkpoint`."""
    class_num = stored.length("head.classifier.bias")
    stored_names = tuple(stored.class_names)
    names: tuple[str, ...] | None = stored_names
    if len(stored_names) != class_num or stored_names == numbered_names(class_num):  # it does not say: others may fit
        names = config.class_names if len(config.class_names or ()) == class_num else None
    head = "mmsegmentation" if OF_MMSEGMENTATION in stored.arrays else "paper"
    return configure_as_stored(config, stored, {"class_num": class_num, "class_names": names, "head": head})


def load_network(config: SegformerConfig, stored: Checkpoint) -> Segformer:
    """Builds the network of a checkpoint and takes the weights out of it; see `open_checkpoint`.

    Raises:
        BadValueError: it is no checkpoint of this network.
    """
    network = build_network(config)
    load_weights(network, stored)
    stored.release()
    return network

"""What a checkpoint of this suite says of the network that its weights belong to."""

import re
import shlex

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import Checkpoint
from utils.training.checkpoints.stored_keys import stored_keys

from .config import SUITE_DIR, FasterRcnnConfig
from .variants import NUM_STAGES, RES2NET_LAYERS

_BLOCK = re.compile(r"backbone\.stages\.(\d+)\.(\d+)\.")


def stored_layers(checkpoint: Checkpoint) -> tuple[int, int, int, int]:
    """Returns the blocks of the four Res2Net stages, counted from the names of the weights.

    Raises:
        BadValueError: there is no backbone of this suite in the file.
    """
    found = {match.groups() for name in checkpoint.arrays if (match := _BLOCK.match(name))}
    counts = tuple(len({block for each, block in found if int(each) == stage}) for stage in range(NUM_STAGES))
    if not all(counts):
        raise BadValueError(
            f"'{checkpoint.path}' has no weights of a Res2Net of this suite (backbone.stages. ...): choose another "
            f"file, or make a checkpoint of it with: python {shlex.quote(str(SUITE_DIR))}/convert_checkpoint.py "
            f"--ckpt_file={shlex.quote(str(checkpoint.path))}"
        )
    first, second, third, fourth = counts
    return first, second, third, fourth


def stored_backbone(checkpoint: Checkpoint) -> str | None:
    """Returns the backbone with the blocks of a checkpoint, None where there is none of a name."""
    layers = stored_layers(checkpoint)
    return next((name for name, each in RES2NET_LAYERS.items() if each == layers), None)


def stored_stage1_pool(checkpoint: Checkpoint) -> bool | None:
    """Returns `res2net_stage1_pool` of the configuration that a checkpoint holds; None where it does not say."""
    value = stored_keys(checkpoint).get("res2net_stage1_pool")
    return value if isinstance(value, bool) else None


def keys_of_weights(checkpoint: Checkpoint) -> dict[str, object]:
    """Returns the keys of the backbone as the names of the weights say them, where a checkpoint says nothing else."""
    if "backbone" in stored_keys(checkpoint):
        return {}
    backbone = stored_backbone(checkpoint)
    if backbone is None:
        return {"res2net_layers": stored_layers(checkpoint)}
    return {"backbone": backbone, "res2net_layers": None}


def with_stored_network(config: FasterRcnnConfig, checkpoint: Checkpoint) -> FasterRcnnConfig:
    """Returns the configuration of a network that takes a checkpoint's weights; its depth has to be the configured one.

    `res2net_stage1_pool` is taken from the checkpoint where it says it.

    Raises:
        BadValueError: it has no network of this suite, or another one than the keys say.
    """
    layers = stored_layers(checkpoint)
    if layers != config.layers:
        backbone = stored_backbone(checkpoint)
        wanted = config.backbone if config.res2net_layers is None else f"res2net_layers {list(config.layers)}"
        way_out = f"--backbone={backbone}" if backbone else "the --config_path that it was trained with"
        raise BadValueError(
            f"'{checkpoint.path}' is of {backbone or 'a Res2Net'} with {list(layers)} blocks in its stages, the "
            f"configuration has {wanted}: give {way_out}, or another checkpoint"
        )
    pool = stored_stage1_pool(checkpoint)
    if pool is None:
        return config
    if config.res2net_stage1_pool not in (None, pool):
        raise BadValueError(
            f"res2net_stage1_pool is {str(config.res2net_stage1_pool).lower()} and '{checkpoint.path}' is of a "
            f"network with {str(pool).lower()}: leave the key out"
        )
    return config.model_copy(update={"res2net_stage1_pool": pool})

"""Mixed precision of a network, and the scale of its loss."""

from dataclasses import dataclass

import mindspore as ms
from mindspore import nn

from utils.cpu_kernels.layer_norm import LayerNorm
from utils.model_utils.errors import BadValueError

BFLOAT16 = "bf16"
AMP_LEVELS = ("O0", "O2", "O3", BFLOAT16)
MIN_LOSS_SCALE = 1.0  # below that gradients would only become smaller than they are


def apply_amp(network: nn.Cell, level: str) -> nn.Cell:
    """Returns the network in the given precision; weights and outputs, and so losses and updates, stay float32.

    Args:
        network: the network without its loss.
        level: O0 float32; O2 float16 but for normalisation layers; O3 float16 throughout; bf16 as O2, in bfloat16.

    Raises:
        BadValueError: if the level is none of these.
    """
    if level not in AMP_LEVELS:
        raise BadValueError(f"amp_level '{level}' is unknown; use one of {', '.join(AMP_LEVELS)}")
    if level == "O0":
        return network
    if level == "O3":
        return ms.amp.auto_mixed_precision(network, level)
    float32_layers = [*ms.amp.get_black_list(), LayerNorm]  # MindSpore's list knows its own classes only
    dtype = ms.bfloat16 if level == BFLOAT16 else ms.float16
    return ms.amp.custom_mixed_precision(network, black_list=float32_layers, dtype=dtype)


@dataclass
class LossScaler:
    """Factor on the loss before the backward pass, so that small float16 gradients do not vanish. Lives on the host.

    Attributes:
        scale: the factor now.
        dynamic: double it after `growth_interval` finite steps in a row and halve it after an overflow (never below 1).
        growth_interval: number of finite steps before the scale grows.
        good_steps: finite steps since the scale last changed.
    """

    scale: float = 1.0
    dynamic: bool = False
    growth_interval: int = 2000  # as in torch.amp.GradScaler
    good_steps: int = 0

    def update(self, is_finite: bool) -> None:
        """Takes note of one step."""
        if not self.dynamic:
            return
        if not is_finite:
            self.scale, self.good_steps = max(self.scale / 2, MIN_LOSS_SCALE), 0
            return
        self.good_steps += 1
        if self.good_steps >= self.growth_interval:
            self.scale, self.good_steps = self.scale * 2, 0

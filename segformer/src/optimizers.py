"""Learning rate and weight decay of each parameter, and the optimizer over them."""

import mindspore as ms
from mindspore import nn

from utils.model_utils.errors import BadValueError
from utils.training.step.optimizer import AdamW, Sgd

HEAD = "head."
POSITION_CONVOLUTION = ".mlp.position."  # the 3x3 convolution in a block, which tells it where a pixel is


def is_undecayed(name: str, num_dimensions: int) -> bool:
    """Returns whether the paper leaves a parameter out of the weight decay: norms, biases, position convolutions."""
    return num_dimensions <= 1 or POSITION_CONVOLUTION in name


def build_optimizer(
    name: str,
    network: nn.Cell,
    *,
    weight_decay: float,
    momentum: float = 0.9,
    head_lr_factor: float = 1.0,
    no_decay_norm_bias: bool = False,
) -> AdamW | Sgd:
    """Builds the optimizer of a `Segformer`; its rate is set before each step.

    Args:
        name: "adamw" (with bias correction) or "sgd".
        network: has its head under the name `head`.
        weight_decay: decay of all parameters, or of those that `is_undecayed` leaves.
        momentum: momentum of SGD.
        head_lr_factor: factor on the learning rate of the head.
        no_decay_norm_bias: whether `is_undecayed` counts.

    Raises:
        BadValueError: the name is unknown.
    """
    parameters: list[ms.Parameter] = list(network.trainable_params())
    scales = tuple(float(head_lr_factor) if item.name.startswith(HEAD) else 1.0 for item in parameters)
    decays = tuple(
        0.0 if no_decay_norm_bias and is_undecayed(item.name, item.ndim) else float(weight_decay) for item in parameters
    )
    if name == "adamw":
        return AdamW(parameters, scales, decays, betas=(0.9, 0.999), epsilon=1e-8)
    if name == "sgd":
        return Sgd(parameters, scales, decays, momentum)
    raise BadValueError(f"optimizer '{name}' is unknown; use sgd or adamw")

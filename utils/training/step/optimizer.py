"""SGD and AdamW with parameter groups, equal to PyTorch's: quick to compile, learning rate given by the host.

`mindspore.experimental.optim` is exact too, but with 300 parameters it takes 12 s (SGD) and 20 s (AdamW) to compile and
a step of AdamW takes eight times as long; `nn.AdamWeightDecay` has no bias correction. Measured on 2 CPU cores,
MindSpore 2.10.0.

A step that must be skipped is masked, not branched over: in a graph with an `if`, MindSpore 2.10 on a CPU no longer
sees what the host writes into a parameter (a learning rate, loaded weights) once the graph has run.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from utils.cpu_kernels.choice import chosen_library
from utils.cpu_kernels.updates import adamw_kernel, sgd_kernel
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint_file import STATE_PREFIX

BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam's authors; every published recipe of the suites keeps them
_FLOAT32_BITS = 25  # 1 - x is 1 in float32 where x is not above 2^-25
_UNDECAYED_ENDINGS = ("gamma", "beta", "bias")

_apply_momentum = ops.ApplyMomentum()
_apply_adam = ops.Adam()
_sgd_update = ops.MultitypeFuncGraph("sgd_update")
_adamw_update = ops.MultitypeFuncGraph("adamw_update")
_sgd_in_place = ops.MultitypeFuncGraph("sgd_in_place")
_adamw_in_place = ops.MultitypeFuncGraph("adamw_in_place")


@_sgd_update.register("Tensor", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor", "Number", "Number", "Tensor")
def _update_one_by_sgd(
    factor: ms.Tensor,
    is_bad: ms.Tensor,
    learning_rate: ms.Tensor,
    momentum: ms.Tensor,
    parameter: ms.Parameter,
    moment: ms.Parameter,
    scale: float,
    decay: float,
    gradient: ms.Tensor,
) -> ms.Tensor:
    gradient = gradient * factor
    if decay > 0:
        gradient = gradient + parameter * decay
    gradient = ops.masked_fill(gradient, is_bad, 0.0)
    return _apply_momentum(parameter, moment, learning_rate * scale, gradient, momentum)


@_adamw_update.register(*("Tensor",) * 10, "Number", "Number", "Tensor")
def _update_one_by_adamw(
    factor: ms.Tensor,
    is_bad: ms.Tensor,
    learning_rate: ms.Tensor,
    step_size: ms.Tensor,
    epsilon: ms.Tensor,
    beta1: ms.Tensor,
    beta2: ms.Tensor,
    parameter: ms.Parameter,
    first: ms.Parameter,
    second: ms.Parameter,
    scale: float,
    decay: float,
    gradient: ms.Tensor,
) -> ms.Tensor:
    gradient = ops.masked_fill(gradient * factor, is_bad, 0.0)
    if decay > 0:
        ops.assign(parameter, parameter * (1.0 - learning_rate * (scale * decay)))
    # The bias corrections are already in step_size and epsilon, so the operator's own powers of beta are given as 0.
    return _apply_adam(parameter, first, second, 0.0, 0.0, step_size * scale, beta1, beta2, epsilon, gradient)[0]


@_sgd_in_place.register("Function", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor")
def _update_one_by_sgd_in_place(
    kernel: ops.Custom,
    settings: ms.Tensor,
    parameter: ms.Parameter,
    moment: ms.Parameter,
    own_settings: ms.Tensor,
    gradient: ms.Tensor,
) -> ms.Tensor:
    return kernel(parameter, moment, gradient, settings, own_settings)  # one operator in place of five


@_adamw_in_place.register("Function", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor", "Tensor")
def _update_one_by_adamw_in_place(
    kernel: ops.Custom,
    settings: ms.Tensor,
    parameter: ms.Parameter,
    first: ms.Parameter,
    second: ms.Parameter,
    own_settings: ms.Tensor,
    gradient: ms.Tensor,
) -> ms.Tensor:
    return kernel(parameter, first, second, gradient, settings, own_settings)  # one operator in place of seven


class Optimizer(nn.Cell):
    """What the optimizers have in common.

    Args:
        parameters: the parameters to update, in the order in which `construct` gets their gradients.
        scales: for each parameter, what the learning rate is multiplied with.
        decays: for each parameter, its weight decay.
        make_kernel: makes the operator that updates a float32 parameter in place, where a library is chosen.
    """

    def __init__(
        self,
        parameters: list[ms.Parameter],
        scales: tuple[float, ...],
        decays: tuple[float, ...],
        make_kernel: Callable[[Path], ops.Custom],
    ) -> None:
        super().__init__(auto_prefix=False)
        self.parameters = ms.ParameterTuple(parameters)
        self.learning_rate = _zero("learning_rate")
        self.scales, self.decays = scales, decays
        library = library_for(parameters)
        self.kernel = make_kernel(library) if library else None
        # Each parameter's float32[2] for the kernels: factor of the learning rate, weight decay.
        self.own_settings = tuple(ms.Tensor(pair, ms.float32) for pair in zip(scales, decays, strict=True))
        self.map = ops.HyperMap()

    def set_learning_rate(self, value: float) -> None:
        """Sets the rate of the next step, without recompiling; a parameter's own rate is value * its scale."""
        self.learning_rate.set_data(ms.Tensor(np.float32(value)))


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum and L2 decay in the gradient: `torch.optim.SGD` without dampening.

    A `momentum` of 0 is none.
    """

    def __init__(
        self, parameters: list[ms.Parameter], scales: tuple[float, ...], decays: tuple[float, ...], momentum: float
    ) -> None:
        super().__init__(parameters, scales, decays, sgd_kernel)
        self.moments = self.parameters.clone(f"{STATE_PREFIX}.momentum", init="zeros")
        self.momentum = momentum

    def construct(self, gradients: tuple[ms.Tensor, ...], factor: ms.Tensor, is_finite: ms.Tensor) -> ms.Tensor:
        """Updates every parameter in place with its float32 gradient * factor, or none where `is_finite` is false."""
        learning_rate = ops.select(is_finite, self.learning_rate * 1.0, 0.0)
        if self.kernel is not None:
            settings = ops.stack(
                (factor, is_finite.astype(ms.float32), learning_rate, ops.full_like(learning_rate, self.momentum))
            )
            self.map(
                ops.partial(_sgd_in_place, self.kernel, settings),
                self.parameters,
                self.moments,
                self.own_settings,
                gradients,
            )
            return learning_rate
        momentum = ops.select(is_finite, ops.full_like(learning_rate, self.momentum), 1.0)
        update = ops.partial(_sgd_update, factor, ops.logical_not(is_finite), learning_rate, momentum)
        self.map(update, self.parameters, self.moments, self.scales, self.decays, gradients)
        return learning_rate

    def state_parameters(self) -> list[ms.Parameter]:
        """Returns what a checkpoint must hold beside the weights."""
        return list(self.moments)


class AdamW(Optimizer):
    """Adam with decoupled weight decay and bias correction, as `torch.optim.AdamW`."""

    def __init__(self, parameters: list[ms.Parameter], scales: tuple[float, ...], decays: tuple[float, ...]) -> None:
        super().__init__(parameters, scales, decays, adamw_kernel)
        self.first_moments = self.parameters.clone(f"{STATE_PREFIX}.first_moment", init="zeros")
        self.second_moments = self.parameters.clone(f"{STATE_PREFIX}.second_moment", init="zeros")
        self.updates = _zero(f"{STATE_PREFIX}.updates")
        self.betas, self.epsilon = BETAS, EPSILON
        corrections = bias_corrections(BETAS)
        self.last_row = float(len(corrections) - 1)
        self.corrections = ms.Tensor(corrections)

    def construct(self, gradients: tuple[ms.Tensor, ...], factor: ms.Tensor, is_finite: ms.Tensor) -> ms.Tensor:
        """Updates every parameter in place with its float32 gradient * factor, or none where `is_finite` is false."""
        updates = self.updates + 1.0
        ops.assign(self.updates, ops.select(is_finite, updates, updates - 1.0))
        row = ops.minimum(updates, self.last_row).astype(ms.int32)
        correction1, correction2 = ops.unstack(ops.gather(self.corrections, row, 0))
        learning_rate = ops.select(is_finite, self.learning_rate * 1.0, 0.0)
        step_size, epsilon = learning_rate * correction2 / correction1, self.epsilon * correction2
        if self.kernel is not None:
            settings = ops.stack(
                (
                    factor,
                    is_finite.astype(ms.float32),
                    learning_rate,
                    step_size,
                    epsilon,
                    ops.full_like(updates, self.betas[0]),
                    ops.full_like(updates, self.betas[1]),
                )
            )
            self.map(
                ops.partial(_adamw_in_place, self.kernel, settings),
                self.parameters,
                self.first_moments,
                self.second_moments,
                self.own_settings,
                gradients,
            )
            return learning_rate
        beta1 = ops.select(is_finite, ops.full_like(updates, self.betas[0]), 1.0)
        beta2 = ops.select(is_finite, ops.full_like(updates, self.betas[1]), 1.0)
        update = ops.partial(
            _adamw_update, factor, ops.logical_not(is_finite), learning_rate, step_size, epsilon, beta1, beta2
        )
        self.map(update, self.parameters, self.first_moments, self.second_moments, self.scales, self.decays, gradients)
        return learning_rate

    def state_parameters(self) -> list[ms.Parameter]:
        """Returns what a checkpoint must hold beside the weights."""
        return [*self.first_moments, *self.second_moments, self.updates]


def bias_corrections(betas: tuple[float, float]) -> np.ndarray:
    """Computes what Adam's moments are corrected with after t updates (Kingma and Ba, algorithm 1), in float64.

    Not in the graph, where float32 loses the small ones: MindSpore's expm1 on a CPU is exp(x) - 1 taken literally, so
    that 1 - 0.999^2 came out 7e-6 off, relatively, and 1 - 0.999^t without a logarithm would lose four digits more.

    Returns:
        float32[T, 2], 1 - beta1^t and sqrt(1 - beta2^t) in row t. Both are 1 in the last row, and after any more
        updates; row 0 belongs to no update and holds 1, too.
    """
    # Of the float32 betas, with which the operators compute: 1 - float32(0.999) is 1.3e-5 off, relatively.
    powers = np.array([float(np.float32(beta)) for beta in betas])
    num_updates = math.ceil(-_FLOAT32_BITS * math.log(2) / math.log(powers.max()))
    corrections = 1.0 - powers ** np.arange(num_updates + 1)[:, None]
    corrections[0] = 1.0
    return np.stack([corrections[:, 0], np.sqrt(corrections[:, 1])], axis=1).astype(np.float32)


def build_optimizer(
    name: str,
    parameters: Iterable[ms.Parameter],
    *,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    no_decay_norm_bias: bool = True,
    undecayed: Sequence[str] = (),
    lr_scales: Mapping[str, float] | None = None,
) -> Sgd | AdamW:
    """Builds an optimizer whose learning rate is given by its `set_learning_rate` before each step.

    Args:
        name: "sgd" or "adamw".
        parameters: those that do not require a gradient are left out.
        momentum: momentum of SGD; AdamW does not use it.
        weight_decay: decay of all parameters, or of all but norms, biases and `undecayed`.
        no_decay_norm_bias: leave norms and biases undecayed: parameters of at most one dimension and those whose name
            ends in gamma, beta or bias.
        undecayed: with `no_decay_norm_bias`, parts of the names of further parameters that do not decay.
        lr_scales: name prefix to the factor on the learning rate of the parameters that begin with it; the longest
            prefix wins.

    Raises:
        BadValueError: if the name is unknown, nothing is trainable, or a prefix of `lr_scales` fits no parameter.
    """
    chosen = [parameter for parameter in parameters if parameter.requires_grad]
    if not chosen:
        raise BadValueError("the network has no trainable parameter, nothing to optimize; unfreeze a part of it")
    scales = _learning_rate_scales([parameter.name for parameter in chosen], lr_scales or {})
    decays = tuple(
        0.0 if no_decay_norm_bias and _is_undecayed(parameter, undecayed) else float(weight_decay)
        for parameter in chosen
    )
    if name == "sgd":
        return Sgd(chosen, scales, decays, float(momentum))
    if name == "adamw":
        return AdamW(chosen, scales, decays)
    raise BadValueError(f"optimizer '{name}' is unknown; use sgd or adamw")


def library_for(parameters: Sequence[ms.Parameter]) -> Path | None:
    """Returns the library whose kernels are to update these parameters, None for MindSpore's operators."""
    return chosen_library() if all(item.dtype == ms.float32 for item in parameters) else None


def _zero(name: str) -> ms.Parameter:
    return ms.Parameter(ms.Tensor(0.0, ms.float32), name=name, requires_grad=False)


def _is_undecayed(parameter: ms.Parameter, parts: Sequence[str]) -> bool:
    is_norm_or_bias = parameter.ndim <= 1 or parameter.name.endswith(_UNDECAYED_ENDINGS)
    return is_norm_or_bias or any(part in parameter.name for part in parts)


def _learning_rate_scales(names: list[str], scales: Mapping[str, float]) -> tuple[float, ...]:
    unused = [prefix for prefix in scales if not any(name.startswith(prefix) for name in names)]
    if unused:
        raise BadValueError(
            f"learning rate factor for '{unused[0]}': no trainable parameter's name begins with it, the first name is "
            f"'{names[0]}'; correct the prefix"
        )
    prefixes = sorted(scales, key=len, reverse=True)
    return tuple(next((float(scales[prefix]) for prefix in prefixes if name.startswith(prefix)), 1.0) for name in names)

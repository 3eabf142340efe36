"""Random weights with which a network tells pictures, places and classes apart, as trained ones do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Forward = Callable[[], object]


@dataclass(frozen=True)
class Spread:
    """How the outputs of a last layer are to vary over places and pictures.

    Attributes:
        deviation: standard deviation of its outputs.
        mean_deviation: standard deviation of the means of its outputs, as a share of theirs.
    """

    deviation: float
    mean_deviation: float = 0.0

    def line(self, values: torch.Tensor) -> tuple[float, float]:
        """Returns factor and summand that make float[pictures, N, C] vary as wanted."""
        return self.deviation / values.std().item(), 0.0


@dataclass(frozen=True)
class Peaks:
    """How the highest outputs of a last layer are to lie: few of them count, as the scores of one-stage detectors.

    Attributes:
        low: that a share of the outputs exceeds.
        high: that a hundredth of the share exceeds.
        share: above 0, far below 1.
        mean_deviation: standard deviation of the means of the outputs, as a share of theirs.
    """

    low: float
    high: float
    share: float
    mean_deviation: float = 0.0

    def line(self, values: torch.Tensor) -> tuple[float, float]:
        """Returns factor and summand that put the highest of float[pictures, N, C] as wanted in a usual picture."""
        of_pictures = values.flatten(1)
        count = int(self.share * of_pictures.shape[1])
        highest = of_pictures.topk(count).values
        low, high = highest[:, -1].median().item(), highest[:, count // 100].median().item()
        factor = (self.high - self.low) / (high - low)
        return factor, self.high - factor * high


@torch.no_grad()
def draw_weights(model: nn.Module, forward: Forward, outputs: Mapping[str, Spread | Peaks], seed: int) -> None:
    """Draws all weights of a model, then fits batch norms and last layers to what a forward pass shows.

    Without that the outputs of a hundred random layers are all but constant, or overflow.

    Args:
        model: changed in place; left in evaluation mode.
        forward: runs the whole model on pictures.
        outputs: name of a last layer to how it is to vary, in the order in which they are fitted.
        seed: of the draw.
    """
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        _draw(module, generator)
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.training, norm.momentum = True, 1.0
    forward()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.training, norm.momentum = False, momentum
    for name, spread in outputs.items():
        _fit_output(model.get_submodule(name), forward, spread, generator)


@torch.no_grad()
def change_weights(model: nn.Module, seed: int) -> None:
    """Changes each weight by up to a millionth of itself, some ten roundings: what then differs hangs on rounding."""
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.mul_(1 + 1e-6 * (2 * torch.rand(weight.shape, generator=generator) - 1))


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        deviation = (2 / module.weight[0].numel()) ** 0.5
        module.weight.copy_(torch.randn(module.weight.shape, generator=generator) * deviation)
        if module.bias is not None:
            module.bias.copy_(torch.randn(module.bias.shape, generator=generator) * 0.1)
    elif isinstance(module, _BatchNorm | nn.LayerNorm):
        # Above 0 on the whole: a ReLU behind it then cuts little. Were half of all values cut, each layer would make
        # what differs between pictures, and rounding errors, a fifth larger: thousands of times after fifty layers.
        module.weight.copy_(torch.rand(module.weight.shape, generator=generator) * 0.6 + 0.5)
        module.bias.copy_(torch.randn(module.bias.shape, generator=generator) * 0.2 + 1.0)


def _fit_output(layer: nn.Module, forward: Forward, wanted: Spread | Peaks, generator: torch.Generator) -> None:
    """Scales a convolution (outputs [N, C, H, W]) or dense layer ([N, C]) so that its outputs vary as wanted."""
    seen = []

    def see(_: nn.Module, __: tuple, output: torch.Tensor) -> None:
        seen.append(output.flatten(2).movedim(1, 2) if output.dim() == 4 else output[None])

    hook = layer.register_forward_hook(see)
    forward()
    hook.remove()
    values = torch.cat(seen, dim=1)
    means = values.mean(dim=(0, 1))
    shifts = torch.randn(means.shape, generator=generator) * wanted.mean_deviation * (values - means).std() - means
    factor, summand = wanted.line(values + shifts)
    layer.weight.mul_(factor)
    layer.bias.copy_((layer.bias + shifts) * factor + summand)

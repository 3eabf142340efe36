"""The independent network of the comparisons: transformers' SegFormer with every weight and statistic random."""

import mindspore as ms
import numpy as np
from mindspore import nn

from segformer.src.mix_transformer import MixTransformer
from segformer.src.segformer import Segformer
from segformer.src.segformer_head import SegformerHead
from segformer.src.variants import MIT_VARIANTS
from segformer.src.weight_names import HEAD_NAMINGS, TRANSFORMERS_MODULES
from utils.training.checkpoints.weight_conversion import convert_weights

NAMING, HEAD = TRANSFORMERS_MODULES, HEAD_NAMINGS[2]


def build(backbone, num_classes=19, decoder_channels=None):
    """Returns this suite's network, its weights not yet drawn: they are to be loaded."""
    size = MIT_VARIANTS[backbone]
    with nn.utils.no_init_parameters():
        head = SegformerHead(size.widths, decoder_channels or size.decoder_channels, num_classes)
        return Segformer(MixTransformer(size.widths, size.depths), head).set_train(False)


def reference(backbone, num_classes=19, decoder_channels=None, seed=1):
    """Returns transformers' network in evaluation mode; deep sums stay of order one."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    size = MIT_VARIANTS[backbone]
    config = SegformerConfig(
        hidden_sizes=list(size.widths),
        depths=list(size.depths),
        num_labels=num_classes,
        decoder_hidden_size=decoder_channels or size.decoder_channels,
    )
    model = SegformerForSemanticSegmentation(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if value.ndim > 1:
            value.normal_(0.0, value[0].numel() ** -0.5, generator=generator)
        elif value.is_floating_point() and "norm" in name and name.endswith(("weight", "running_var")):
            value.uniform_(0.7, 1.4, generator=generator)
        elif value.is_floating_point():
            value.normal_(0.0, 0.1, generator=generator)
    return model


def own_arrays(model, depths, gradients=False):
    """Returns the reference's weights, or their gradients, by the name of this network's parameter."""
    named = dict(model.named_parameters()) if gradients else model.state_dict()
    arrays = {name: (value.grad if gradients else value).detach().numpy() for name, value in named.items()}
    sources = NAMING.sources("segformer.", depths) | HEAD.sources()
    return {own: arrays[source.names[0]] for own, source in sources.items() if source.names[0] in arrays}


def copy_weights(model, network, depths):
    """Gives the network the reference's weights, by the table that the converter uses too."""
    arrays = {name: value.numpy() for name, value in model.state_dict().items() if value.ndim}
    shapes = {parameter.name: parameter.shape for parameter in network.get_parameters()}
    sources = NAMING.sources("segformer.", depths) | HEAD.sources()
    assert set(sources) == set(shapes)
    converted = convert_weights(arrays, sources, shapes, {}, file="reference", advice="").arrays
    for parameter in network.get_parameters():
        parameter.set_data(ms.Tensor(converted[parameter.name]))


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()

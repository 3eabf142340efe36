"""The network, and what stands on top of it."""

from utils.training.summary.model_summary import log_parts

from ..config import SegformerConfig
from ..mix_transformer import MixTransformer
from ..segformer import Segformer, SegformerClasses, SegformerInference, count_network
from ..segformer_head import HEADS
from .size import network_size


def build_network(config: SegformerConfig) -> Segformer:
    """Builds the network with random weights."""
    size = network_size(config)
    return Segformer(
        MixTransformer(size.widths, size.depths, config.layer_norm_eps),
        HEADS[config.head](size.widths, size.decoder_channels, config.class_num, config.norm_statistics == "frozen"),
    )


def log_network(config: SegformerConfig, network: Segformer) -> None:
    """Says how large the network is, and what a crop of training costs."""
    size, (height, width) = network_size(config), config.crop_size
    parts = count_network(network, config.crop_size, size.widths, size.depths)
    log_parts(parts, f"a {height}x{width} picture")


def build_inference(config: SegformerConfig, network: Segformer) -> SegformerInference | SegformerClasses:
    """Puts the enlargement to the image's size on top of the network, and the choice of the class if that is asked."""
    return SegformerClasses(network) if config.export_output == "class_map" else SegformerInference(network)

"""The network, and what stands on top of it."""

from utils.training.summary.model_summary import log_parts

from ..config import SegformerConfig
from ..mix_transformer import MixTransformer
from ..segformer import Segformer, SegformerInference, count_network
from ..segformer_head import HEADS
from ..variants import MIT_VARIANTS, MMSEGMENTATION_CHANNELS, MitVariant

SUITE = "segformer"
OUTPUT_NAMES = ("logits",)  # of SegformerInference


def network_size(config: SegformerConfig) -> MitVariant:
    """Returns widths, depths and head of the configured network."""
    variant = MIT_VARIANTS[config.backbone]
    return MitVariant(
        config.backbone_widths or variant.widths,
        config.backbone_depths or variant.depths,
        config.decoder_channels
        or (MMSEGMENTATION_CHANNELS if config.head == "mmsegmentation" else variant.decoder_channels),
    )


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


def build_inference(_config: SegformerConfig, network: Segformer) -> SegformerInference:
    """Puts the enlargement to the image's size on top of the network."""
    return SegformerInference(network)

"""Widths, depths and head of the network. No MindSpore import."""

from ..config import SegformerConfig
from ..variants import MIT_VARIANTS, MMSEGMENTATION_CHANNELS, MitVariant


def network_size(config: SegformerConfig) -> MitVariant:
    """Returns widths, depths and head of the configured network."""
    variant = MIT_VARIANTS[config.backbone]
    return MitVariant(
        config.backbone_widths or variant.widths,
        config.backbone_depths or variant.depths,
        config.decoder_channels
        or (MMSEGMENTATION_CHANNELS if config.head == "mmsegmentation" else variant.decoder_channels),
    )

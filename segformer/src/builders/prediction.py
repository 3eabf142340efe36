"""What applies the network to images."""

from ..config import SegformerConfig
from ..results.compiled_sizes import CompiledSizes
from ..results.inference import Predictor
from ..segformer import Segformer
from .scales import build_canvas


def build_predictor(config: SegformerConfig, network: Segformer) -> Predictor:
    """Builds what applies the network to images as the evaluation keys say."""
    return Predictor(
        CompiledSizes(network, config.max_canvases),
        mean=config.img_norm_mean,
        std=config.img_norm_std,
        canvas=build_canvas(config),
        mode=config.eval_mode,
        slide_crop=config.slide_crop,
        slide_stride=config.slide_stride,
        flip=config.eval_flip,
        scales=config.eval_scales,
    )

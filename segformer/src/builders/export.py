"""The network as a file, and the description of one."""

from utils.cpu_kernels.choice import stock_operators
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription
from utils.exporting.export import ExportedModel, input_shape, share_weights
from utils.exporting.onnx_operators import replace_for_onnx

from ..config import SegformerConfig
from ..score import SUITE
from ..segformer import Segformer, SegformerClasses, SegformerInference
from ..segformer_head import FusingHead
from .classes import build_label_coding, category_ids
from .folded_head import FoldedHead
from .network import build_inference, build_network


def build_export(
    config: SegformerConfig, network: Segformer, file_format: str
) -> SegformerInference | SegformerClasses:
    """Builds a network of operators that a file of this format can hold, with the weights of `network`."""
    with stock_operators():
        portable = build_network(config)
        inference = build_inference(config, portable)
    share_weights(network, portable)
    assert isinstance(portable.head, FusingHead), "it was just built"
    with stock_operators():
        portable.head = FoldedHead(portable.head)
    if file_format == "ONNX":
        replace_for_onnx(inference)
    return inference


def input_description(config: SegformerConfig) -> TensorDescription:
    """Describes what an exported network takes."""
    return TensorDescription("images", "float32", input_shape(config.export_batch_size, 3, *config.base_size))


def describe_model(config: SegformerConfig, names: tuple[str, ...], model: ExportedModel) -> ModelDescription:
    """Describes an exported network for programs that run it; a pixel's class is the one with the highest logit."""
    coding = build_label_coding(config)
    return ModelDescription(
        suite=SUITE,
        file=model.file.name,
        file_format=model.file_format,
        inputs=(input_description(config),),
        outputs=model.outputs,
        preprocessing=Preprocessing(
            channel_order="RGB",
            resize="keep_ratio",
            height=config.base_size[0],
            width=config.base_size[1],
            mean=config.img_norm_mean,
            std=config.img_norm_std,
            padding="bottom_right",
            rounding="half_up",
        ),
        class_names=names,
        category_ids=category_ids(names),
        postprocessing={"ignore_label": config.dataset_ignore_label, **(coding.numbers() if coding else {})},
    )

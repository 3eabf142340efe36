"""The detector as a file, and the description of one."""

from dataclasses import asdict
from functools import partial

from utils.detection.builders import exports
from utils.detection.data.class_names import ClassTable
from utils.detection.test_time.rules import as_described
from utils.exporting.description import ModelDescription, TensorDescription
from utils.exporting.export import ExportedModel, input_shape

from ..config import NasFpnConfig
from ..retinanet_nasfpn import RetinaNetInference, RetinaNetNasFpn
from .network import SUITE, build_inference, build_network, build_selection_rule, input_settings


def build_export(config: NasFpnConfig, network: RetinaNetNasFpn, num_classes: int) -> RetinaNetInference:
    """Builds the detector of MindSpore's own operators, the only ones a file can hold, with `network`'s weights."""
    return exports.portable(network, partial(build_network, config, num_classes), partial(build_inference, config))


def input_description(config: NasFpnConfig) -> TensorDescription:
    """Describes what an exported detector takes."""
    return TensorDescription("images", "float32", input_shape(config.export_batch_size, 3, *config.img_shape))


def describe_model(config: NasFpnConfig, classes: ClassTable, model: ExportedModel) -> ModelDescription:
    """Describes an exported detector for programs that run it."""
    return exports.describe_detector(
        SUITE,
        model,
        classes,
        input_settings(config),
        tensors=(input_description(config),),
        postprocessing={**asdict(build_selection_rule(config)), **as_described(config)},
    )

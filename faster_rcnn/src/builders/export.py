"""The detector as a file, and the description of one."""

from functools import partial

from utils.detection.builders import exports
from utils.detection.data.class_names import ClassTable
from utils.detection.test_time.rules import as_described
from utils.exporting.description import ModelDescription, TensorDescription
from utils.exporting.export import ExportedModel

from ..config import FasterRcnnConfig
from ..FasterRcnn.faster_rcnn_res2net import FasterRcnnRes2net
from ..models.exported import EXPORTED_TOOLS
from ..network_define import FasterRcnnInference
from .network import SUITE, build_inference, build_network, input_settings


def build_export(config: FasterRcnnConfig, network: FasterRcnnRes2net, num_classes: int) -> FasterRcnnInference:
    """Builds the detector of MindSpore's own operators, the only ones a file can hold, with `network`'s weights.

    Args:
        config: from `open_checkpoint`.
        network: from `load_detector`.
        num_classes: of it.
    """
    return exports.portable(network, partial(build_network, config, num_classes), partial(build_inference, config))


def input_descriptions(config: FasterRcnnConfig) -> tuple[TensorDescription, TensorDescription]:
    """Describes what an exported detector takes."""
    batch = config.export_batch_size
    return (
        TensorDescription("images", "float32", (batch, 3, config.img_height, config.img_width)),
        TensorDescription("image_metas", "float32", (batch, 4)),
    )


def describe_model(config: FasterRcnnConfig, classes: ClassTable, model: ExportedModel) -> ModelDescription:
    """Describes an exported detector for programs that run it."""
    return exports.describe_detector(
        SUITE,
        model,
        classes,
        input_settings(config),
        tensors=input_descriptions(config),
        postprocessing={
            "test_score_thr": config.test_score_thr,
            "test_iou_thr": config.test_iou_thr,
            "test_max_per_img": config.test_max_per_img,
            **as_described(config, EXPORTED_TOOLS),
        },
    )

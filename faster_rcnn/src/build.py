"""What turns the configuration into objects, by one name each; every idea has its file in `builders`.

The commands themselves read only the keys that are theirs.
"""

from .builders.checkpoints import configure, load_detector, load_pretrained, open_checkpoint
from .builders.data import (
    build_batch_view,
    build_rpn_rule,
    build_training_source,
    check_data,
    num_classes,
    open_batch_view,
    open_configured_split,
    open_evaluation_split,
)
from .builders.detection import build_detector, build_evaluator, build_picture_detector
from .builders.export import build_export, describe_model, input_descriptions
from .builders.network import (
    OUTPUT_NAMES,
    SUITE,
    build_anchors,
    build_extractor,
    build_inference,
    build_network,
    input_settings,
    log_network,
)
from .builders.opening import open_checkpoint_model
from .builders.training import build_schedule, build_train_step

__all__ = [
    "OUTPUT_NAMES",
    "SUITE",
    "build_anchors",
    "build_batch_view",
    "build_detector",
    "build_evaluator",
    "build_export",
    "build_extractor",
    "build_inference",
    "build_network",
    "build_picture_detector",
    "build_rpn_rule",
    "build_schedule",
    "build_train_step",
    "build_training_source",
    "check_data",
    "configure",
    "describe_model",
    "input_descriptions",
    "input_settings",
    "load_detector",
    "load_pretrained",
    "log_network",
    "num_classes",
    "open_batch_view",
    "open_checkpoint",
    "open_checkpoint_model",
    "open_configured_split",
    "open_evaluation_split",
]

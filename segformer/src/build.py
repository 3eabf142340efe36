"""What turns the configuration into objects, by one name each; every idea has its file in `builders`.

The commands themselves read only the keys that are theirs.
"""

from .builders.checkpoints import configure, load_network, load_pretrained, open_checkpoint
from .builders.classes import build_label_coding, category_ids, colours_of_classes, names_of_classes
from .builders.data import (
    build_batch_view,
    build_layout,
    build_training_source,
    check_data,
    open_batch_view,
    open_split,
)
from .builders.evaluation import build_evaluator
from .builders.export import build_export, describe_model, input_description
from .builders.network import build_inference, build_network, log_network
from .builders.opening import open_checkpoint_model
from .builders.prediction import build_predictor
from .builders.scales import build_canvas, log_scale_of, log_scales, scale_in_training
from .builders.size import network_size
from .builders.training import build_schedule, build_train_step, weigh_training_classes
from .score import SUITE

__all__ = [
    "SUITE",
    "build_batch_view",
    "build_canvas",
    "build_evaluator",
    "build_export",
    "build_inference",
    "build_label_coding",
    "build_layout",
    "build_network",
    "build_predictor",
    "build_schedule",
    "build_train_step",
    "build_training_source",
    "category_ids",
    "check_data",
    "colours_of_classes",
    "configure",
    "describe_model",
    "input_description",
    "load_network",
    "load_pretrained",
    "log_network",
    "log_scale_of",
    "log_scales",
    "names_of_classes",
    "network_size",
    "open_batch_view",
    "open_checkpoint",
    "open_checkpoint_model",
    "open_split",
    "scale_in_training",
    "weigh_training_classes",
]

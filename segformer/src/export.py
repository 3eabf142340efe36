"""The export command: checkpoint in; model file, compared with the network, and its description out."""

import logging
from pathlib import Path

from utils.exporting.export import export_network, file_formats, leave_description
from utils.exporting.files import export_path
from utils.exporting.onnx_form import OnnxForm
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.files import check_writable_folder
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import DEFAULT_FILE, SegformerConfig

logger = logging.getLogger(__name__)

# Of every run, of every evaluation, and of all who give none: they tell no model from another.
COMMON_CONFIGS = ("config", "eval_config", Path(DEFAULT_FILE).stem)


def export(config: SegformerConfig) -> None:
    """Exports `export_ckpt_path` as `export_format` to `run_dir`, under the name that `model_name` gives it.

    config/segformer.b1.1024x1024.city.yaml gives segformer.b1.1024x1024.city.mindir, and a .json that describes it.

    Raises:
        UserError: the checkpoint or a path cannot be used, or the format cannot hold the network.
    """
    set_up_logging()
    with open_job(config) as folder:
        checkpoint = require(config, "export_ckpt_path", "file")
        config, stored = build.open_checkpoint(config, checkpoint)
        check_writable_folder(folder, "--run_dir")
        path = export_path(folder, model_name(config, checkpoint))
        device = set_up_device(config.device_target, config.device_id, seed=config.seed)
        formats = file_formats(config.export_format, config.with_onnx, device.target)
        network = build.load_network(config, stored)
        if config.canvas == "picture":
            logger.info("%s", format_canvas(config.base_size))
        for file_format in formats:
            model = export_network(
                build.build_export(config, network, file_format),
                [build.input_description(config)],
                path,
                file_format,
                output_names=("classes" if config.export_output == "class_map" else "logits",),
                reference=build.build_inference(config, network),
                onnx=OnnxForm(config.onnx_opset),
            )
            leave_description(model, build.describe_model(config, build.names_of_classes(config), model))


def format_canvas(base_size: tuple[int, int]) -> str:
    """Returns what an export does not take over from evaluation, whose canvas follows the picture."""
    return (
        f"the exported network takes pictures of one size: they are fitted into base_size {base_size[0]}x"
        f"{base_size[1]} and padded, where eval.py and infer.py follow the picture"
    )


def model_name(config: SegformerConfig, checkpoint: Path) -> str:
    """Returns `file_name` where it is set, else the configuration file's name, or the checkpoint's for a common one."""
    if config.file_name:
        return config.file_name
    return checkpoint.stem if config.config_name in COMMON_CONFIGS else config.config_name

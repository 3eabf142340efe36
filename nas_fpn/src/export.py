"""The export command: checkpoint in; model file, compared with the network, and its description out."""

from utils.detection.builders.exports import say_exported_size
from utils.exporting.export import export_network, file_formats, leave_description
from utils.exporting.files import export_path
from utils.exporting.onnx_form import OnnxForm
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import NasFpnConfig


def export(config: NasFpnConfig) -> None:
    """Exports `checkpoint_path` to `file_name` (in `run_dir`) as `file_format`; `file_name`.json describes it.

    Raises:
        UserError: the checkpoint or a path cannot be used, or the format cannot hold the network.
    """
    set_up_logging()
    with open_job(config) as folder:
        config, stored = build.open_checkpoint(config, require(config, "checkpoint_path", "file"))
        path = export_path(folder, config.file_name)
        device = set_up_device(config.device_target, config.device_id, seed=config.seed)
        formats = file_formats(config.file_format, config.with_onnx, device.target)
        network, classes = build.load_detector(config, stored)
        say_exported_size(config, build.input_settings(config).size)
        for file_format in formats:
            model = export_network(
                build.build_export(config, network, len(classes.names)),
                [build.input_description(config)],
                path,
                file_format,
                output_names=build.OUTPUT_NAMES,
                reference=build.build_inference(config, network),
                onnx=OnnxForm(config.onnx_opset),
            )
            leave_description(model, build.describe_model(config, classes, model))

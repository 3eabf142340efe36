"""The export command: checkpoint in; model file, compared with the network, and its description out."""

from utils.detection.builders.exports import say_exported_size
from utils.exporting.description import write_description
from utils.exporting.export import choose_format, export_network, format_exported
from utils.exporting.files import export_path
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
        file_format = choose_format(config.file_format, device.target)
        network, classes = build.load_detector(config, stored)
        say_exported_size(config, build.input_settings(config).size)
        model = export_network(
            build.build_export(config, network, len(classes.names)),
            [build.input_description(config)],
            path,
            file_format,
            output_names=build.OUTPUT_NAMES,
            reference=build.build_inference(config, network),
        )
        description = write_description(model.file.parent, build.describe_model(config, classes, model))
        print(format_exported(model))
        print(f"described in {description}")

"""The export command: checkpoint in; model file, compared with the network, and its description out."""

from utils.exporting.description import write_description
from utils.exporting.export import choose_format, export_network, format_exported
from utils.model_utils.config.loading import require
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.files import check_writable_folder
from utils.model_utils.moxing_adapter import open_job
from utils.training.record.logging_setup import set_up_logging

from . import build
from .config import SegformerConfig


def export(config: SegformerConfig) -> None:
    """Exports `export_ckpt_path` as `export_format` to `run_dir`, under the name of the configuration file.

    config/segformer.b1.1024x1024.city.yaml gives segformer.b1.1024x1024.city.mindir, and a .json that describes it.

    Raises:
        UserError: the checkpoint or a path cannot be used, or the format cannot hold the network.
    """
    set_up_logging()
    with open_job(config) as folder:
        config, stored = build.open_checkpoint(config, require(config, "export_ckpt_path", "file"))
        check_writable_folder(folder)
        device = set_up_device(config.device_target, config.device_id, seed=config.seed)
        file_format = choose_format(config.export_format, device.target)
        network = build.load_network(config, stored)
        model = export_network(
            build.build_export(config, network, file_format),
            [build.input_description(config)],
            folder / config.config_name,
            file_format,
            output_names=build.OUTPUT_NAMES,
            reference=build.build_inference(config, network),
        )
        description = write_description(folder, build.describe_model(config, build.names_of_classes(config), model))
        print(format_exported(model))
        print(f"described in {description}")

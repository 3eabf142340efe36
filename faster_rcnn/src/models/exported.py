"""What detects with an exported file, whatever engine runs it. Needs no MindSpore."""

from functools import partial
from pathlib import Path

from utils.detection.builders.opened_model import OpenedModel, exported_model
from utils.detection.command_keys import CANVAS
from utils.detection.network_detector import NetworkDetector
from utils.detection.test_time import keys as test_time
from utils.engines.exported_keys import configure_as_exported, describe_exported
from utils.engines.network import Network
from utils.exporting.description import ModelDescription
from utils.model_utils.device_adapter import set_up_device

from ..config import MINDRECORD_FOLDER, SELECTION, FasterRcnnConfig
from ..detect import image_metas
from ..score import SUITE, selection

EXPORTED_TOOLS = ("only_classes",)  # of TestTimeKeys, those that act on what an exported detector puts out


def build_exported_detector(description: ModelDescription, network: Network) -> NetworkDetector:
    """Builds what an exported file, run by `network`, detects with."""
    return NetworkDetector(network, selection(description), image_metas)


def open_exported(config: FasterRcnnConfig, path: Path) -> OpenedModel[FasterRcnnConfig]:
    """Looks at an exported model that a command is to run in place of a checkpoint.

    Raises:
        MissingPathError: there is no such file, or no description beside it.
        BadValueError: it is no model of this suite, or the command line has a key that cannot act on it.
    """
    description = describe_exported(path, SUITE)
    made = description.preprocessing
    # The graph drops boxes itself: its thresholds stand in the description, and are those of the export.
    thresholds = {key: value for key, value in description.postprocessing.items() if key in SELECTION}
    config, description = configure_as_exported(
        config,
        description,
        path,
        device_target=config.device_target,
        fixed={
            **thresholds,
            "img_height": made.height,
            "img_width": made.width,
            "keep_ratio": made.resize == "keep_ratio",
        },
        baked=(*config.keys_in("FIXED_BY_WEIGHTS"), *SELECTION, *CANVAS, *test_time.KEYS),
        tools=EXPORTED_TOOLS,
    )
    return exported_model(
        config,
        description,
        path,
        mindrecord_folder=MINDRECORD_FOLDER,
        settings=config.engine_settings(),
        set_up=partial(set_up_device, config.device_target, config.device_id, seed=config.seed),
        build=build_exported_detector,
    )

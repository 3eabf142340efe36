"""The door to whatever eval.py and infer.py detect with; MindSpore is imported where it runs the file."""

from pathlib import Path

from utils.detection.builders.opened_model import OpenedModel
from utils.engines.exported_keys import is_exported

from ..config import FasterRcnnConfig


def open_model(config: FasterRcnnConfig, path: Path) -> OpenedModel[FasterRcnnConfig]:
    """Looks at a checkpoint or an exported model.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is none of this suite, or a value on the command line does not fit it.
    """
    if is_exported(path):
        from .exported import open_exported

        return open_exported(config, path)
    from ..build import open_checkpoint_model

    return open_checkpoint_model(config, path)

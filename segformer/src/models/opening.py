"""A file that eval.py and infer.py predict with: a checkpoint, or an exported model. No MindSpore import."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from utils.engines.exported_keys import is_exported

from ..config import SegformerConfig
from ..picture_scale import PictureScale
from ..results.inference import Predictor


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A file that was looked at; what is large or slow has not happened yet.

    Attributes:
        path: of the file.
        config: of the command, with what the file says.
        load: builds what applies the network to images.
        trained: at what sizes training showed the network its pictures; None where that is not known.
    """

    path: Path
    config: SegformerConfig
    load: Callable[[], Predictor]
    trained: PictureScale | None = None


def open_model(config: SegformerConfig, path: Path) -> OpenedModel:
    """Looks at a checkpoint or an exported model.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is none of this suite, or a value on the command line does not fit it.
    """
    if is_exported(path):
        from .exported import open_exported

        return open_exported(config, path)
    from ..build import open_checkpoint_model  # imports MindSpore

    return open_checkpoint_model(config, path)

"""What a checkpoint says of itself, for commands that build the network after it."""

import json
from dataclasses import dataclass
from pathlib import Path

from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint_file import STATE_NAME, read_checkpoint_file
from utils.training.checkpoints.weight_matching import shapes_of


@dataclass(frozen=True)
class CheckpointInfo:
    """The description of a checkpoint.

    Attributes:
        path: the file.
        suite: name of the suite that wrote it; empty where it does not say.
        shapes: of every array in it, by name.
        class_names: name of each class index; empty where it does not say.
        category_ids: the data set's own id of each class index; empty likewise.
        config_text: effective configuration of the run; empty likewise.
    """

    path: Path
    suite: str
    shapes: dict[str, tuple[int, ...]]
    class_names: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()
    config_text: str = ""

    def length(self, parameter: str) -> int:
        """Returns the number of rows of a parameter that every network of the suite has.

        Raises:
            BadValueError: the file does not have it.
        """
        shape = self.shapes.get(parameter)
        if not shape:
            raise BadValueError(
                f"'{self.path}' has no parameter '{parameter}', so it belongs to another network; choose another file"
            )
        return shape[0]


def read_checkpoint_info(path: Path, suite: str) -> CheckpointInfo:
    """Reads the description of a checkpoint: of this engine, or of MindSpore, which has shapes alone.

    Args:
        path: the file.
        suite: name of the suite that is asking.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is damaged, no checkpoint, or of another suite.
    """
    path = Path(path)
    arrays = read_checkpoint_file(path)
    try:
        values = json.loads(arrays[STATE_NAME].tobytes()) if STATE_NAME in arrays else {}
        info = CheckpointInfo(
            path=path,
            suite=values.get("suite", ""),
            shapes=shapes_of(arrays),
            class_names=tuple(map(str, values.get("class_names", ()))),
            category_ids=tuple(map(int, values.get("category_ids", ()))),
            config_text=values.get("config_text", ""),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise BadValueError(f"'{path}' is damaged: its training state cannot be read; choose another file") from error
    if info.suite not in ("", suite):
        raise BadValueError(f"'{path}' is a checkpoint of {info.suite}, wanted one of {suite}; choose another file")
    return info

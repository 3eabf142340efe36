"""What a checkpoint says of the configuration that it was made with, for the command that builds its network."""

from collections.abc import Mapping
from typing import TypeVar

from utils.model_utils.config.base import Config
from utils.model_utils.config.stored import with_stored
from utils.model_utils.config.yaml_files import parse_value
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import Checkpoint

Schema = TypeVar("Schema", bound=Config)


def configure_as_stored(config: Schema, checkpoint: Checkpoint, seen: Mapping[str, object]) -> Schema:
    """Returns the configuration with which a command builds the network of a checkpoint; see `with_stored`.

    Args:
        config: of the command.
        checkpoint: of this suite.
        seen: keys that follow from its weights and class names; they count before its configuration.

    Raises:
        BadValueError: its configuration cannot be read, or a value on the command line does not fit the weights.
    """
    return with_stored(config, {**stored_keys(checkpoint), **seen}, str(checkpoint.path))


def stored_keys(checkpoint: Checkpoint) -> dict[str, object]:
    """Returns the configuration of a checkpoint, by key; empty where it has none.

    Raises:
        BadValueError: it is no YAML mapping.
    """
    try:
        values = parse_value(checkpoint.config_text)
    except ValueError as error:
        values = error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadValueError(f"'{checkpoint.path}' is damaged: its configuration cannot be read; choose another file")
    return values

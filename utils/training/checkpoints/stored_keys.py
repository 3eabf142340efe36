"""What a checkpoint says of the configuration that it was made with, for the command that builds its network."""

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from utils.model_utils.config.base import Config
from utils.model_utils.config.help_text import show_value
from utils.model_utils.config.key_names import right_name
from utils.model_utils.config.loading import as_lists
from utils.model_utils.config.stored import with_stored
from utils.model_utils.config.yaml_files import parse_value
from utils.model_utils.errors import BadValueError
from utils.training.checkpoints.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

Schema = TypeVar("Schema", bound=Config)


def configure_as_stored(config: Schema, checkpoint: Checkpoint, seen: Mapping[str, object]) -> Schema:
    """Returns the configuration with which a command builds the network of a checkpoint; see `with_stored`.

    Args:
        config: of the command.
        checkpoint: of this suite.
        seen: keys that follow from its weights and class names; they count before its configuration.

    Raises:
        BadValueError: a value on the command line does not fit the weights, or keys contradict each other.
    """
    return with_stored(config, {**stored_keys(checkpoint), **seen}, str(checkpoint.path))


def format_changes(config: Config, checkpoint: Checkpoint, keys: Collection[str]) -> list[str]:
    """Returns e.g. ["lr: 0.01 -> 0.001"], for each key that the checkpoint has with another value, in their order."""
    schema = type(config)
    stored = {right_name(schema, key): value for key, value in stored_keys(checkpoint).items()}
    return [
        f"{key}: {show_value(stored[key])} -> {show_value(value)}"
        for key, value in config
        if key in keys and key in stored and as_lists(stored[key]) != as_lists(value)
    ]


@contextlib.contextmanager
def naming_other_network(config: Config, checkpoint: Checkpoint) -> Iterator[None]:
    """Adds to the sentence that weights do not fit which keys of the network have another value in the checkpoint.

    Raises:
        BadValueError: instead of the one that was raised.
    """
    try:
        yield
    except BadValueError as error:
        others = format_changes(config, checkpoint, type(config).keys_in("FIXED_BY_WEIGHTS"))
        if not others:
            raise
        raise BadValueError(f"{error}; from its network to the one of this run: {', '.join(others)}") from error


def stored_keys(checkpoint: Checkpoint) -> dict[str, object]:
    """Returns the configuration of a checkpoint, by key; empty where it has none, or one that is no YAML mapping."""
    try:
        values = parse_value(checkpoint.config_text)
    except ValueError:
        values = checkpoint.config_text
    if isinstance(values, dict):
        return {str(key): value for key, value in values.items()}
    if values is not None:
        logger.warning(
            "'%s': the configuration in it cannot be read; its weights can: if they do not fit, give the --config_path "
            "that they were trained with",
            checkpoint.path,
        )
    return {}

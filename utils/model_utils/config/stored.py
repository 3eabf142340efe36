"""Takes into a configuration what a checkpoint says of the network and of the training that its weights are of."""

import logging
from collections.abc import Mapping
from typing import TypeVar

from utils.model_utils.config.base import COMMAND_LINE, Config, Given, Origin
from utils.model_utils.config.help_text import show_value
from utils.model_utils.config.loading import as_lists, build, join_problems, merge, right_name
from utils.model_utils.errors import BadValueError

logger = logging.getLogger(__name__)

Schema = TypeVar("Schema", bound=Config)


def with_stored(config: Schema, stored: Mapping[str, object], name: str) -> Schema:
    """Returns the configuration of a command that reads a checkpoint.

    A key that the weights fix (`Config.fixed_by_weights`) has the checkpoint's value, whatever a YAML file says: one
    line of the log says where that was another. For any other key counts the first of these that has it: the command
    line, the file of --config_path, the checkpoint, the suite's default file. Keys of the command itself
    (`Config.own_to_a_command`) are never the checkpoint's.

    Args:
        config: as `load_config` has built it.
        stored: values by key that the checkpoint carries; unknown ones, of an older version, are passed over.
        name: of the checkpoint, for messages.

    Raises:
        BadValueError: a value on the command line does not fit the weights, or keys contradict each other.
    """
    schema, sources = type(config), config._sources
    origin = Origin(f"checkpoint '{name}'")
    renamed = {right_name(schema, key): value for key, value in stored.items()}
    taken = {
        key: Given(key, value, origin)
        for key, value in renamed.items()
        if key in schema.model_fields and key not in schema.own_to_a_command()
    }
    fixed = {key: item for key, item in taken.items() if key in schema.fixed_by_weights()}
    *files, command_line = sources.layers
    layers = [taken, *files] if sources.has_file else [*files, taken]
    given = merge([*layers, fixed, command_line])
    given = {key: item for key, item in given.items() if key in schema.model_fields}
    problems: list[str] = []
    built = build(schema, given, sources.suite_dir, problems, [])
    if built is not None:
        problems += _refuse_others(built, command_line, fixed, name)
    if problems or built is None:
        raise BadValueError(join_problems(problems))
    built._notes, built._config_name, built._sources = config._notes, config._config_name, sources
    _log_changes(config, built, fixed, name)
    return built


def _refuse_others(
    built: Config, command_line: Mapping[str, Given], fixed: Mapping[str, Given], name: str
) -> list[str]:
    """Returns a sentence for each value on the command line that is not the one of the weights.

    A checkpoint that says null says nothing: whoever builds the network finds out whether the value fits.
    """
    return [
        f"{COMMAND_LINE}: {key} is {show_value(getattr(built, key))}, but the weights of '{name}' are of a network "
        f"with {show_value(item.value)}: leave --{command_line[key].name} out, or give another checkpoint"
        for key, item in fixed.items()
        if item.value is not None and key in command_line and as_lists(getattr(built, key)) != as_lists(item.value)
    ]


def _log_changes(before: Config, after: Config, fixed: Mapping[str, Given], name: str) -> None:
    changed = [
        f"{key} {show_value(getattr(after, key))}"
        for key, item in fixed.items()
        if item.value is not None and getattr(before, key) != getattr(after, key)
    ]
    if changed:
        logger.info("the network is that of '%s': %s", name, ", ".join(changed))

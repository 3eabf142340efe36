"""Takes into a configuration what a checkpoint says of the network and of the training that its weights are of."""

import contextlib
import logging
import os
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from utils.installation import yaml_paths_folder
from utils.model_utils.config.base import COMMAND_LINE, Config, Given, Origin, Sources, field_kind
from utils.model_utils.config.help_text import show_value
from utils.model_utils.config.key_names import right_name
from utils.model_utils.config.loading import as_lists, build, find_faults, join_problems, merge
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.words import counted

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"  # first word of the origin of its values
MAX_SHOWN = 6  # keys in a line of the log
MAX_CHARACTERS = 40  # of a value there: lists of class names are long

Schema = TypeVar("Schema", bound=Config)


def with_stored(config: Schema, stored: Mapping[str, object], name: str, fixed_too: Collection[str] = ()) -> Schema:
    """Returns the configuration of a command that reads a checkpoint.

    A key that the weights fix (`FIXED_BY_WEIGHTS`) has the checkpoint's value, whatever a YAML file says: one line of
    the log says where that was another. For any other key counts the first of these that has it: the command line, the
    file of --config_path, the checkpoint, the suite's default file. Keys of the command itself (`OWN_TO_A_COMMAND`) are
    never the checkpoint's, nor are the places of its data where another place is given, nor is any path in a job on
    ModelArts, which has places of its own. A null of `LEFT_TO_WEIGHTS` counts as not given.

    Values that do not go with what counts more, and stored ones that are of no use any more, are left out; the log
    names them.

    Args:
        config: as `load_config` has built it.
        stored: values by key that the checkpoint carries; unknown ones, of an older version, are passed over.
        name: of the checkpoint, for messages.
        fixed_too: keys that this one fixes beyond those of `FIXED_BY_WEIGHTS`.

    Raises:
        BadValueError: a value on the command line does not fit the weights, or keys contradict each other.
    """
    schema, sources = type(config), config._sources
    *files, command_line = (_without_open_choices(schema, layer) for layer in sources.layers)
    taken = _take(config, stored, Origin(f"{CHECKPOINT} '{name}'"))
    fixed = {key: item for key, item in taken.items() if key in schema.keys_in("FIXED_BY_WEIGHTS").union(fixed_too)}
    places = {key: item for key, item in taken.items() if key in schema.keys_in("PLACES_OF_DATA")}
    if _given_places(schema, sources):
        taken = {key: item for key, item in taken.items() if key not in places}
        places = {}
    layers = [taken, *files] if sources.has_file else [*files, taken]
    given = merge([*layers, places, fixed, command_line])
    given = {key: item for key, item in given.items() if key in schema.model_fields}
    given = _without_faults(schema, given, sources, taken, fixed)
    problems: list[str] = []
    loose = build(schema, given, sources.suite_dir, problems, [], contradictions_later=True)
    if loose is not None:
        problems += _refuse_others(loose, command_line, fixed, name)
    built = None if problems else build(schema, given, sources.suite_dir, problems, [])
    if built is None:
        raise BadValueError(join_problems(problems))
    built._notes, built._config_name, built._sources = config._notes, config._config_name, sources
    _log_changes(config, built, fixed, name)
    return built


@contextlib.contextmanager
def naming_source(config: Config, keys: Iterable[str]) -> Iterator[None]:
    """Adds to the sentence about a path that is not here where it comes from, and the way out.

    A checkpoint may have named it, or a YAML file may have named it as if relative paths began beside that file.

    Args:
        config: of the command.
        keys: of the paths.

    Raises:
        MissingPathError: instead of the one that was raised.
    """
    try:
        yield
    except MissingPathError as error:
        given = [key for key in keys if getattr(config, key)]
        named = [key for key in given if config.origin(key).where.startswith(CHECKPOINT)]
        if named:
            sentence = f"; it is named in the {config.origin(named[0])}: give --{named[0]}"
            raise MissingPathError(f"{error}{sentence}") from error
        relative = [
            key for key in given if str(getattr(config, key)) in str(error) and _is_relative_in_yaml(config, key)
        ]
        if not relative:
            raise
        folder = yaml_paths_folder(config._sources.suite_dir)
        raise MissingPathError(
            f"{error}; {relative[0]} is from {config.origin(relative[0])}, and relative paths in a YAML file begin in "
            f"'{folder}': write the whole path there"
        ) from error


def _is_relative_in_yaml(config: Config, key: str) -> bool:
    given = merge(config._sources.layers).get(key)
    if given is None or given.origin.line is None or not isinstance(given.value, str):
        return False
    return not os.path.isabs(os.path.expanduser(given.value))


def _take(config: Config, stored: Mapping[str, object], origin: Origin) -> dict[str, Given]:
    """Returns the values that a command may take from a checkpoint."""
    schema = type(config)
    own = schema.keys_in("OWN_TO_A_COMMAND")
    if getattr(config, "enable_modelarts", False):
        own |= {key for key, field in schema.model_fields.items() if field_kind(field).path_rule}
    renamed = {right_name(schema, key): value for key, value in stored.items()}
    return {
        key: Given(key, value, origin)
        for key, value in renamed.items()
        if key in schema.model_fields and key not in own
    }


def _without_open_choices(schema: type[Config], layer: Mapping[str, Given]) -> dict[str, Given]:
    left = schema.keys_in("LEFT_TO_WEIGHTS")
    return {key: item for key, item in layer.items() if not (key in left and item.value is None)}


def _given_places(schema: type[Config], sources: Sources) -> set[str]:
    """Returns the places of data that are given, on the command line or in the file that was named there."""
    *files, command_line = sources.layers
    given = merge([*(files if sources.has_file else ()), command_line])
    return {key for key in schema.keys_in("PLACES_OF_DATA") if key in given and given[key].value}


def _without_faults(
    schema: type[Config],
    given: Mapping[str, Given],
    sources: Sources,
    taken: Mapping[str, Given],
    fixed: Mapping[str, Given],
) -> dict[str, Given]:
    """Returns the values without those that a value which counts more rules out.

    Those are stored values that the weights do not fix, then, where a YAML file contradicts what they fix, the file's.
    What is left is for the user to put right.
    """
    rest, left_out = dict(given), []
    while True:
        ruled_out: set[str] = set()
        for keys in find_faults(schema, rest, sources.suite_dir):
            of_checkpoint = {key for key in keys if key in rest and rest[key] is taken.get(key)}
            of_files = {key for key in keys if key in rest and rest[key].origin.where != COMMAND_LINE}
            ruled_out |= (of_checkpoint - fixed.keys()) or (of_files - fixed.keys() if of_checkpoint else set())
        if not ruled_out:
            break
        left_out += [f"{key} {_shortly(rest[key].value)} ({rest[key].origin})" for key in sorted(ruled_out)]
        rest = {key: item for key, item in rest.items() if key not in ruled_out}
    if left_out:
        logger.info("left out, since the rest of the configuration rules them out: %s", ", ".join(left_out))
    return rest


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
        f"{key} {_shortly(getattr(after, key))}"
        for key, item in fixed.items()
        if item.value is not None and getattr(before, key) != getattr(after, key)
    ]
    beyond = len(changed) - MAX_SHOWN
    more = f" and {counted(beyond, 'more key')}" if beyond > 0 else ""
    if changed:
        logger.info("the network is that of '%s': %s%s", name, ", ".join(changed[:MAX_SHOWN]), more)


def _shortly(value: object) -> str:
    return textwrap.shorten(show_value(value), MAX_CHARACTERS, placeholder=" ...]")

"""The configuration of a command: schema defaults, then YAML files, then the command line, checked and frozen.

A suite describes its keys in a schema, a `Config` of base.py with the shared groups of schema.py, and calls
`load_config`. Nothing here imports MindSpore, so that `--help` answers at once.
"""

import dataclasses
import difflib
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal, TypeVar

from pydantic import ValidationError

from utils.installation import shown_script, yaml_paths_folder
from utils.model_utils.config.base import (
    COMMAND_LINE,
    CONTRADICTIONS_LATER,
    SCHEMA_DEFAULT,
    Config,
    ContradictionsError,
    Given,
    Origin,
    Sources,
    WrongKindError,
    describe_wanted,
    field_kind,
    says_true,
)
from utils.model_utils.config.command_keys import CommandKeys
from utils.model_utils.config.command_line import (
    CONFIG_PATH,
    Arguments,
    absolute_path,
    clear_value,
    split_arguments,
    value_of_text,
)
from utils.model_utils.config.help_text import HelpContext, format_help, show_value
from utils.model_utils.config.key_names import ALIASES, right_name, unknown_key
from utils.model_utils.config.yaml_files import YamlEntry, dump_values, read_yaml_layers
from utils.model_utils.errors import BadValueError, MissingPathError, UserError, short
from utils.model_utils.files import STORED_MARK
from utils.model_utils.guards.path_names import path_fault
from utils.model_utils.near_paths import near_path

logger = logging.getLogger(__name__)

Schema = TypeVar("Schema", bound=Config)


def load_config(
    schema: type[Schema],
    argv: Sequence[str] | None = None,
    *,
    suite_dir: Path,
    default_file: str,
    program: str,
    description: str,
    checkpoint_key: str = "",
    commands: Mapping[str, CommandKeys] = MappingProxyType({}),
) -> Schema:
    """Builds the frozen configuration of a command, or prints its help and exits with code 0.

    Args:
        schema: the suite's keys.
        argv: arguments without the program's name; None takes those of the process.
        suite_dir: folder of the suite: home of the YAML files, and, in a clone, where relative paths in them start.
        default_file: YAML file that counts where `--config_path` is not given, relative to `suite_dir`.
        program: file name of the command, for the help.
        description: what the command does, for the help.
        checkpoint_key: key of the checkpoint that the command reads, if any. Where it is set, keys that contradict each
            other are refused later, by `with_stored`: the checkpoint may have other values for them.
        commands: the keys of each command of the suite by its file name, for the help: `--help` shows those of this
            one, `--help=all` all, `--help=KEY` one. Without them `--help` shows all.

    Raises:
        BadValueError: unknown keys, wrong values, contradictions; all of them in one message, a sentence each. Help is
            asked for of a key that is not there.
        MissingPathError: the YAML file, or one that it is based on, cannot be read.
    """
    arguments = split_arguments(schema, sys.argv[1:] if argv is None else argv, lambda name: right_name(schema, name))
    if arguments.help_topic is not None:
        defaults, note = _defaults(schema, arguments, suite_dir, default_file)
        aliases = {name: key for name, key in ALIASES.items() if right_name(schema, name) != name}
        call = shown_script(suite_dir / program)
        context = HelpContext(schema, defaults, aliases, program, call, description, note, commands)
        print(format_help(context, arguments.help_topic), flush=True)
        raise SystemExit(0)
    problems = list(arguments.problems)
    notes: list[str] = []
    file = find_config_file(arguments.config_path, suite_dir, default_file)
    named = [*map(_given_in_yaml, read_yaml_layers(file)), _given_in_arguments(schema, arguments)]
    layers = tuple(
        _in_own_form(schema, _rename_aliases(schema, layer, problems), suite_dir, problems) for layer in named
    )
    given = merge(layers)
    warnings = _refuse_unknown(schema, given, problems)
    inactive = {key: given.pop(key) for key in schema.inactive_keys() if key in given}
    has_checkpoint = checkpoint_key in given and bool(given[checkpoint_key].value)
    config = build(schema, given, suite_dir, problems, notes, contradictions_later=has_checkpoint)
    if config is not None:
        notes += _check_inactive(config, inactive, problems)
    if problems or config is None:
        raise BadValueError(join_problems(problems))
    config._notes = (*warnings, *notes)
    config._config_name = file.name.removesuffix(".yaml")
    config._sources = Sources(layers, bool(arguments.config_path), suite_dir)
    config.take_effect()
    for note in config.notes():
        logger.log(logging.WARNING if note in warnings else logging.INFO, "%s", note)
    return config


def with_default_file(
    config: Schema, file: str, values: Mapping[str, object] = MappingProxyType({}), where: str = ""
) -> Schema:
    """Returns the configuration of a command that had another default file; the same one where --config_path was given.

    Args:
        config: as `load_config` has built it.
        file: YAML file of the suite.
        values: further ones by key, which count before the file's and below the command line; unknown keys do not.
        where: what has said them, for messages.

    Raises:
        BadValueError: the command line contradicts the file; all faults in one message.
        MissingPathError: the file cannot be read.
    """
    schema, sources = type(config), config._sources
    if sources.has_file:
        return config
    problems: list[str] = []
    path = sources.suite_dir / file
    named = [_rename_aliases(schema, _given_in_yaml(layer), problems) for layer in read_yaml_layers(path)]
    files = [_in_own_form(schema, layer, sources.suite_dir, problems) for layer in named]
    layers = (*files, {key: Given(key, value, Origin(where)) for key, value in values.items()}, sources.layers[-1])
    given = {key: item for key, item in merge(layers).items() if key in schema.model_fields}
    built = build(schema, given, sources.suite_dir, problems, [])
    if problems or built is None:
        raise BadValueError(join_problems(problems))
    built._notes, built._config_name = config._notes, file.removesuffix(".yaml")
    built._sources = Sources(layers, False, sources.suite_dir)
    return built


def find_config_file(config_path: str, suite_dir: Path, default_file: str) -> Path:
    """Returns the YAML file to read: a relative name is looked up in the working directory, then in the suite's folder.

    Raises:
        MissingPathError: there is no such file in either.
    """
    if not config_path:
        return suite_dir / default_file
    if fault := path_fault(config_path):
        raise MissingPathError(f"{COMMAND_LINE}: config_path {short(config_path)} {fault}: name a YAML file")
    path = Path(os.path.expanduser(config_path))
    candidates = [path] if path.is_absolute() else [Path.cwd() / path, suite_dir / path]
    found = [*filter(os.path.isfile, candidates), *filter(os.path.exists, candidates)]
    if found:
        return found[0]
    places = " nor in ".join(dict.fromkeys(str(candidate.parent) for candidate in candidates))
    present = [
        file.relative_to(suite_dir).as_posix()
        for files in (suite_dir.glob("*.yaml"), suite_dir.glob("config/*.yaml"))
        for file in sorted(files)
    ]
    stems = {PurePosixPath(name).stem: name for name in present}
    near = difflib.get_close_matches(path.stem, stems, 1)
    meant = f"'{stems[near[0]]}'" if near else "a YAML file"
    raise MissingPathError(
        f"{COMMAND_LINE}: config_path '{config_path}' is not in {places}: name {meant} "
        f"(the suite has: {', '.join(present) or 'none'})"
    )


def _given_in_yaml(layer: Mapping[str, YamlEntry]) -> Iterator[Given]:
    return (Given(name, entry.value, Origin(str(entry.file), entry.line)) for name, entry in layer.items())


def _given_in_arguments(schema: type[Config], arguments: Arguments) -> Iterator[Given]:
    last = dict(arguments.texts)
    for name, text in last.items():
        field = schema.model_fields.get(right_name(schema, name))
        yield Given(name, value_of_text(text, field_kind(field) if field else None), Origin(COMMAND_LINE))


def _rename_aliases(schema: type[Config], layer: Iterable[Given], problems: list[str]) -> dict[str, Given]:
    renamed: dict[str, Given] = {}
    for item in layer:
        key = right_name(schema, item.name)
        other = renamed.get(key)
        if other is not None and other.value != item.value:
            problems.append(
                f"{item.origin}: {item.name} is {show_value(item.value)} and {other.name}, another name of the key, is "
                f"{show_value(other.value)}: remove one of them"
            )
        renamed[key] = item
    return renamed


def _in_own_form(
    schema: type[Config], layer: Mapping[str, Given], suite_dir: Path, problems: list[str]
) -> dict[str, Given]:
    """Returns a layer in which keys that may be given in several forms have their own (`FormRule`)."""
    rewritten = dict(layer)
    for key, item in layer.items():
        form = field_kind(schema.model_fields[key]).form if key in schema.model_fields else None
        if form is None or item.value in (None, ""):
            continue
        try:
            texts = form.as_texts(item.value, _relative_to(item, suite_dir))
            rewritten[key] = dataclasses.replace(item, value=texts)
        except (ValueError, MissingPathError) as error:
            problems.append(f"{item.origin}: {error}")
            del rewritten[key]
    return rewritten


def _relative_to(item: Given, suite_dir: Path) -> str:
    """Returns the folder in which a relative path begins."""
    return os.getcwd() if item.origin.where == COMMAND_LINE else str(yaml_paths_folder(suite_dir))


def _refuse_unknown(schema: type[Config], given: dict[str, Given], problems: list[str]) -> list[str]:
    """Takes unknown keys out of `given`: a problem each; arguments on ModelArts are warnings, which are returned."""
    warnings: list[str] = []
    known = [*schema.model_fields, *schema.inactive_keys()]
    bears_arguments = "enable_modelarts" in given and says_true(given["enable_modelarts"].value)
    for key in [key for key in given if key not in known]:
        item = given.pop(key)
        if bears_arguments and item.origin.where == COMMAND_LINE:
            warnings.append(f"unknown argument --{key} of the platform is not used")
            continue
        if key == CONFIG_PATH:
            problems.append(
                f"{item.origin}: config_path stands in a YAML file, wanted on the command line: write __BASE__ here"
            )
            continue
        problems.append(f"{item.origin}: {unknown_key(schema, key)}")
    return warnings


def merge(layers: Iterable[Mapping[str, Given]]) -> dict[str, Given]:
    """Returns for each key the value of the last layer that has it."""
    return {key: item for layer in layers for key, item in layer.items()}


def build(
    schema: type[Schema],
    given: Mapping[str, Given],
    suite_dir: Path,
    problems: list[str],
    notes: list[str],
    *,
    contradictions_later: bool = False,
) -> Schema | None:
    """Builds a configuration of the values given by key; appends to `problems` and `notes`.

    Returns:
        None where it cannot be built; then there are problems. With `contradictions_later` keys that contradict each
        other are none.
    """
    values = _plain_values(schema, given, suite_dir)
    origins = {key: item.origin for key, item in given.items()}
    try:
        context = CONTRADICTIONS_LATER if contradictions_later else None
        config = schema.model_validate(schema.normalise(values, notes), context=context)
    except ValidationError as error:
        problems += _describe_errors(schema, error, values, origins)
        return None
    config._origins.update(origins)
    return config


def find_faults(schema: type[Config], given: Mapping[str, Given], suite_dir: Path) -> list[tuple[str, ...]]:
    """Returns the keys of each value that cannot be; where there is none, the keys of each contradiction."""
    values = schema.normalise(_plain_values(schema, given, suite_dir), [])
    try:
        config = schema.model_validate(values, context=CONTRADICTIONS_LATER)
    except ValidationError as error:
        return [(str(detail["loc"][0]),) for detail in error.errors(include_url=False)]
    return [item.keys for item in config.contradictions()]


def _plain_values(schema: type[Config], given: Mapping[str, Given], suite_dir: Path) -> dict[str, object]:
    """Returns the values as the schema takes them, paths absolute."""
    values: dict[str, object] = {}
    for key, field in schema.model_fields.items():
        kind, item = field_kind(field), given.get(key)
        if item is not None:
            values[key] = absolute_path(clear_value(item.value, kind), kind, _relative_to(item, suite_dir))
        elif kind.path_rule and field.default:
            values[key] = absolute_path(field.default, kind, os.getcwd())
    return values


def _describe_errors(
    schema: type[Config], error: ValidationError, values: Mapping[str, object], origins: Mapping[str, Origin]
) -> list[str]:
    default = Origin(SCHEMA_DEFAULT)
    sentences: dict[str, None] = {}
    for detail in error.errors(include_url=False):
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ContradictionsError):
            for item in cause.contradictions:
                places = _join_places([origins[key] for key in item.keys if key in origins])
                sentences[f"{places or default}: {item.sentence}"] = None
            continue
        key = str(detail["loc"][0])
        where = origins.get(key, default)
        if isinstance(cause, ValueError) and not isinstance(cause, WrongKindError):
            sentences[f"{where}: {cause}"] = None
            continue
        got, wanted = show_value(values.get(key)), describe_wanted(schema.model_fields[key])
        sentences[f"{where}: {key} is {got}, wanted {wanted}"] = None
    return list(sentences)


def _join_places(origins: Sequence[Origin]) -> str:
    lines: dict[str, list[str]] = {}
    for origin in origins:
        lines.setdefault(origin.where, []).extend([] if origin.line is None else [str(origin.line)])
    places = [f"{where}, line{'s' * (len(of) > 1)} {', '.join(of)}" if of else where for where, of in lines.items()]
    return " and ".join(places)


def _check_inactive(config: Config, inactive: Mapping[str, Given], problems: list[str]) -> list[str]:
    """Compares keys without effect with what has their place; returns the line for the log."""
    words = []
    for key, item in inactive.items():
        rule = config.inactive_keys()[key]
        derived = rule.derived(config) if rule.derived else None
        if rule.derived and as_lists(item.value) != as_lists(derived):
            problems.append(
                f"{item.origin}: {key} is {show_value(item.value)}, but {show_value(derived)} {rule.reason}: remove "
                "this key"
            )
        words.append(f"{key} ({show_value(derived)} {rule.reason})" if rule.derived else f"{key} ({rule.reason})")
    return [f"keys without effect: {', '.join(words)}"] if words else []


def as_lists(value: object) -> object:
    """Returns a value in which lists stand for tuples, for a comparison."""
    return [as_lists(item) for item in value] if isinstance(value, list | tuple) else value


def join_problems(problems: Sequence[str]) -> str:
    """Returns the sentences as one message."""
    if len(problems) == 1:
        return problems[0]
    return f"{len(problems)} faults in the configuration\n  " + "\n  ".join(problems)


def _defaults(
    schema: type[Config], arguments: Arguments, suite_dir: Path, default_file: str
) -> tuple[dict[str, object], str]:
    """Returns the values of the YAML file for the help, and a sentence that says which file, or why there are none."""
    values: dict[str, object] = {}
    try:
        path = find_config_file(arguments.config_path, suite_dir, default_file)
        for layer in read_yaml_layers(path):
            values |= {right_name(schema, name): entry.value for name, entry in layer.items()}
    except UserError as error:
        return values, f"The defaults below are those of the schema: {error}"
    return values, f"The defaults below are those of {path}."


def dump_config(config: Config) -> str:
    """Returns YAML text of the effective configuration, which `load_config` reads back to an equal one.

    It repeats a run, but neither its place nor the permission to take the place of another
    (`Config.NEVER_REPEATED`).
    """
    values = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in config.model_dump(exclude=set(config.keys_in("NEVER_REPEATED"))).items()
    }
    left_out = f" but {', '.join(sorted(config.keys_in('NEVER_REPEATED')))}" if config.keys_in("NEVER_REPEATED") else ""
    return f"{STORED_MARK} ({type(config).__name__}): every key{left_out}, paths absolute.\n" + dump_values(values)


def require(config: Config, key: str, kind: Literal["file", "folder"] | None = None) -> Path:
    """Returns the path behind a key that a command cannot do without.

    Args:
        config: the configuration.
        key: a key that holds a path.
        kind: what has to be there; None asks only that the key is set.

    Raises:
        MissingPathError: the key is null or empty, or nothing of that kind is there.
    """
    value = getattr(config, key)
    if not value:
        raise MissingPathError(
            f"{key} is not set: give --{key}={(kind or 'path').upper()} or set {key} in the YAML file"
        )
    path = Path(value)
    if kind is None:
        return path
    is_there = os.path.isfile(path) if kind == "file" else os.path.isdir(path)
    if not is_there:
        state = "is no " + kind if os.path.exists(path) else f"does not exist{near_path(path)}"
        raise MissingPathError(f"{key} '{path}' ({config.origin(key)}) {state}, wanted a {kind}: correct --{key}")
    if not os.access(path, os.R_OK):
        raise MissingPathError(f"{key} '{path}' ({config.origin(key)}) cannot be read: change its permissions")
    return path

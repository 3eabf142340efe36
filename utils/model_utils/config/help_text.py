"""Prints the keys of a command, or of a whole schema, in groups, with type, default and meaning."""

import dataclasses
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from utils.installation import IS_INSTALLED
from utils.model_utils.config.base import COMMAND_LINE, Config, describe_wanted, group_of
from utils.model_utils.config.command_keys import CommandKeys
from utils.model_utils.config.command_line import ALL
from utils.model_utils.config.key_names import right_name, unknown_key
from utils.model_utils.errors import SHOWN_LETTERS, BadValueError, short

WIDTH = 110  # fits half of a wide screen; fixed, so that the text is the same in a log
INDENT = " " * 6
DEFAULT_LETTERS = 80  # of a default in the help
MOST_USED = "Most used"


@dataclasses.dataclass(frozen=True)
class HelpContext:
    """What a help text is about.

    Attributes:
        schema: the suite's keys.
        defaults: values of the YAML file; keys that are not there show their schema default.
        aliases: other names with the keys that they stand for.
        program: file name of the command.
        call: how a user starts it, e.g. "python infer.py" in the suite's folder.
        description: what the command does.
        config_note: which file was read, or why it could not be.
        commands: the keys of each command of the suite by its file name; empty where nothing is known of them.
    """

    schema: type[Config]
    defaults: Mapping[str, object]
    aliases: Mapping[str, str]
    program: str
    call: str
    description: str
    config_note: str
    commands: Mapping[str, CommandKeys]


def show_value(value: object, letters: int = SHOWN_LETTERS) -> str:
    """Returns a value as one would write it in YAML, cut to so many letters."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        shown = ", ".join(show_value(item, letters) for item in value[:letters])  # each has a letter at least
        return textwrap.shorten(f"[{shown}]", letters, placeholder=" ...]")
    return short(value, letters)


def format_help(context: HelpContext, topic: str) -> str:
    """Returns the help that is asked for.

    Args:
        context: what it is about.
        topic: "" for the keys of the command, "all" for those of the suite, or a key by any of its names.

    Raises:
        BadValueError: there is no such key.
    """
    if topic == "":
        return format_command_help(context)
    if topic == ALL:
        return format_full_help(context)
    key = right_name(context.schema, topic.removeprefix("--").replace("-", "_"))
    if key not in context.schema.model_fields and key not in context.schema.inactive_keys():
        raise BadValueError(f"{COMMAND_LINE}: --help={topic}: {unknown_key(context.schema, key)}")
    return format_key_help(context, key)


def format_command_help(context: HelpContext) -> str:
    """Returns the keys of the command, the most used first; all keys where nothing is known of the command."""
    command = context.commands.get(context.program)
    if command is None:
        return format_full_help(context)
    keys = command.keys(context.schema)
    rest = len(context.schema.model_fields) - len(keys)
    fixed = context.schema.keys_in("FIXED_BY_WEIGHTS") - {*keys} if command.checkpoint_key else ()
    weights = f"{len(fixed)} keys that its network follows from are the checkpoint's. " if fixed else ""
    end = textwrap.fill(
        f"{weights}--help=KEY says all of one key; --help=all lists the {rest} others of the suite too, and the names "
        "that are accepted.",
        WIDTH,
    )
    sections = {MOST_USED: command.first} | _grouped(context.schema, keys[len(command.first) :])
    aliases = {name: key for name, key in context.aliases.items() if key in keys}
    return _join([*_introduction(context), *_describe_sections(context, sections), _list_aliases(aliases), end])


def format_full_help(context: HelpContext) -> str:
    """Returns every key of the suite, in groups."""
    return _join(
        [
            *_introduction(context),
            *_describe_sections(context, _grouped(context.schema, tuple(context.schema.model_fields))),
            _list_aliases(context.aliases),
            _list_names("Keys without effect, accepted", list(context.schema.inactive_keys())),
        ]
    )


def format_key_help(context: HelpContext, key: str) -> str:
    """Returns all that is known of one key, which is one of the schema or an accepted one without effect."""
    inactive = context.schema.inactive_keys().get(key)
    if inactive is not None:
        return f"--{key} is accepted and has no effect: {inactive.reason}"
    names = [f"--{name}" for name, of in context.aliases.items() if of == key]
    lines = [f"other names: {', '.join(names)}"] if names else []
    lines.append(f"group: {group_of(context.schema, key)}")
    if context.commands:
        users = [program for program, command in context.commands.items() if key in command.keys(context.schema)]
        lines.append(f"acted on by: {', '.join(users) or 'none of the commands'}")
    if key in context.schema.keys_in("FIXED_BY_WEIGHTS"):
        lines.append("where a checkpoint is read, its value counts: the weights are of such a network")
    place, value = "schema", context.schema.model_fields[key].get_default(call_default_factory=True)
    if key in context.defaults:
        place, value = "YAML file", context.defaults[key]
    default = f"default of the {place}: {show_value(value)}"
    return "\n".join(
        [
            _describe_key(context, key),
            *textwrap.wrap(default, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT),
            *(f"{INDENT}{line}" for line in lines),
        ]
    )


def _introduction(context: HelpContext) -> list[str]:
    place = "the working directory too" if IS_INSTALLED else "the suite's folder"
    command = context.commands.get(context.program)
    order = "file of --config_path, checkpoint, default file" if command and command.checkpoint_key else "YAML file"
    return [
        f"usage: {context.call} [--config_path=FILE] [--key=value | --key value] ...",
        textwrap.fill(context.description, WIDTH),
        textwrap.fill(
            f"A value counts in this order: command line, {order}, schema. A relative path on the command line starts "
            f"in the working directory, one in a YAML file in {place}. --key= and --key=null clear a value.",
            WIDTH,
        ),
        textwrap.fill(context.config_note, WIDTH, break_long_words=False, break_on_hyphens=False),  # has a path
    ]


def _grouped(schema: type[Config], keys: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(group_of(schema, key), []).append(key)
    return groups


def _describe_sections(context: HelpContext, sections: Mapping[str, Iterable[str]]) -> list[str]:
    return [f"{title}\n" + "\n".join(_describe_key(context, key) for key in keys) for title, keys in sections.items()]


def _describe_key(context: HelpContext, key: str) -> str:
    field = context.schema.model_fields[key]
    value = context.defaults.get(key, field.default)
    text = f"{field.description} ({describe_wanted(field)})"
    return f"  --{key}={show_value(value, DEFAULT_LETTERS)}\n" + textwrap.fill(
        text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT
    )


def _list_aliases(aliases: Mapping[str, str]) -> str:
    return _list_names("Other names that are accepted", [f"{name} ({key})" for name, key in aliases.items()])


def _list_names(title: str, names: list[str]) -> str:
    if not names:
        return ""
    body = textwrap.fill(", ".join(names), WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return f"{title}\n{body}"


def _join(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part)

"""Prints every key of a schema in groups, with type, default and meaning."""

import textwrap
from collections.abc import Mapping

from utils.installation import IS_INSTALLED
from utils.model_utils.config.base import Config, describe_wanted, group_of
from utils.model_utils.errors import SHOWN_LETTERS, short

WIDTH = 110  # fits half of a wide screen; fixed, so that the text is the same in a log
INDENT = " " * 6
DEFAULT_LETTERS = 80  # of a default in the help


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


def format_help(
    schema: type[Config],
    defaults: Mapping[str, object],
    aliases: Mapping[str, str],
    *,
    program: str,
    description: str,
    config_note: str,
) -> str:
    """Returns the help text.

    Keys that are not among the `defaults` of the YAML file show their schema default; `aliases` are other names with
    the keys that they stand for; `config_note` says which file was read, or why it could not be.
    """
    place = "the working directory too" if IS_INSTALLED else "the suite's folder"
    parts = [
        f"usage: python {program} [--config_path=FILE] [--key=value | --key value] ...",
        textwrap.fill(description, WIDTH),
        textwrap.fill(
            "A value counts in this order: command line, YAML file, schema. A relative path on the command line starts "
            f"in the working directory, one in a YAML file in {place}. --key= and --key=null clear a value.",
            WIDTH,
        ),
        textwrap.fill(config_note, WIDTH),
    ]
    groups: dict[str, list[str]] = {}
    for key in schema.model_fields:
        groups.setdefault(group_of(schema, key), []).append(_describe_key(schema, key, defaults))
    parts += [f"{title}\n" + "\n".join(lines) for title, lines in groups.items()]
    parts.append(_list_names("Other names that are accepted", [f"{name} ({key})" for name, key in aliases.items()]))
    parts.append(_list_names("Keys without effect, accepted", list(schema.inactive_keys())))
    return "\n\n".join(part for part in parts if part)


def _describe_key(schema: type[Config], key: str, defaults: Mapping[str, object]) -> str:
    field = schema.model_fields[key]
    value = defaults.get(key, field.default)
    text = f"{field.description} ({describe_wanted(field)})"
    return f"  --{key}={show_value(value, DEFAULT_LETTERS)}\n" + textwrap.fill(
        text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT
    )


def _list_names(title: str, names: list[str]) -> str:
    if not names:
        return ""
    body = textwrap.fill(", ".join(names), WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return f"{title}\n{body}"

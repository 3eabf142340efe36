"""Reads the command line into values: `--key=value` and `--key value`, typed by the field that they are for."""

import dataclasses
import os
from collections.abc import Callable, Sequence

from utils.model_utils.config.base import COMMAND_LINE, Config, FieldKind, field_kind
from utils.model_utils.config.yaml_files import parse_value
from utils.model_utils.errors import short

CONFIG_PATH = "config_path"
HELP_FLAGS = ("-h", "--help")
HELP_OF = "--help="  # "all", or the name of a key, stands behind it
ALL = "all"
NULL_WORDS = ("null", "Null", "NULL", "None", "~")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A command line, taken apart.

    Args:
        texts: (name as typed, with underscores for hyphens; text of the value) in the order given.
        config_path: the file named by `--config_path`, "" where there is none.
        help_topic: "" for `--help`, what stands behind `--help=` or `--help ` else; None where no help is asked for.
        problems: a sentence for each argument that is not `--key=value`.
    """

    texts: tuple[tuple[str, str], ...]
    config_path: str
    help_topic: str | None
    problems: tuple[str, ...]


def split_arguments(schema: type[Config], argv: Sequence[str], right_name: Callable[[str], str]) -> Arguments:
    """Takes a command line apart; values stay text.

    A true/false key may stand alone (`--overwrite`). A value that begins with two hyphens needs the form with `=`.
    `right_name` turns an alias into its key.
    """
    texts: list[tuple[str, str]] = []
    problems: list[str] = []
    config_path = ""
    topics: list[str] = []
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        if token in HELP_FLAGS:
            topics.append(rest.pop(0) if rest and not rest[0].startswith("-") else "")
            continue
        if token.startswith(HELP_OF):
            topics.append(token.removeprefix(HELP_OF))
            continue
        if not token.startswith("--") or len(token) == len("--"):
            problems.append(f"{COMMAND_LINE}: {short(token)} belongs to no key: write --key=value")
            continue
        typed_name, has_value, text = token[2:].partition("=")
        name = typed_name.replace("-", "_")
        key = right_name(name)
        if not has_value and rest and not rest[0].startswith("--") and rest[0] not in HELP_FLAGS:
            text, has_value = rest.pop(0), "="
        if not has_value:
            if not _may_stand_alone(schema, key):
                problems.append(f"{COMMAND_LINE}: --{typed_name} has no value: write --{typed_name}=VALUE")
                continue
            text = "true"
        if key == CONFIG_PATH:
            config_path = _without_quotes(text)
        else:
            texts.append((name, text))
    return Arguments(tuple(texts), config_path, topics[-1] if topics else None, tuple(problems))


def _may_stand_alone(schema: type[Config], key: str) -> bool:
    """Says whether `--key` without a value is complete: true/false keys, and names that the schema does not know."""
    field = schema.model_fields.get(key)
    return key != CONFIG_PATH and (field is None or field_kind(field).scalar is bool)


def value_of_text(text: str, kind: FieldKind | None) -> object:
    """Returns the value that a text on the command line stands for.

    Text stays as it is typed but for quotes around it, everything else is read as in YAML; the items of a list need no
    brackets. `kind` None is a key without effect.
    """
    if text == "" or text in NULL_WORDS:
        return None if text else ""
    if kind is not None and kind.scalar is str and not kind.is_list:
        return _without_quotes(text)
    if kind is not None and kind.form and not text.lstrip().startswith(("[", "{")):
        return _without_quotes(text)  # a word, a path or a short form of its own
    if kind is not None and kind.is_list and not kind.form and not text.lstrip().startswith("["):
        text = f"[{text}]"
    try:
        return parse_value(text)
    except ValueError:
        return text


def _without_quotes(text: str) -> str:
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def clear_value(value: object, kind: FieldKind) -> object:
    """Returns what null and the empty text mean for a field: null where it may be, else an empty text or list."""
    is_text = kind.scalar is str and not kind.is_list
    if value is None and not kind.is_optional:
        return "" if is_text else [] if kind.is_list else None
    if value == "" and not is_text:
        return None if kind.is_optional else [] if kind.is_list else ""
    return value


def absolute_path(value: object, kind: FieldKind, folder: str) -> object:
    """Makes a relative path absolute from `folder`; expands `~`; leaves URLs, empty texts and words of the program."""
    if kind.path_rule is None or not isinstance(value, str) or not value or "://" in value:
        return value
    if value.lower() in kind.path_rule.keep_words:
        return value.lower()
    return os.path.normpath(os.path.join(folder, os.path.expanduser(value)))

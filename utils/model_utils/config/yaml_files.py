"""Reads flat YAML files for the configuration: plain values only, every fault one sentence with file and line."""

import itertools
import os
import re
from pathlib import Path
from typing import NamedTuple

import yaml

from utils.model_utils.errors import BadValueError, MissingPathError, os_errors_as, short
from utils.model_utils.guards.path_names import path_fault

BASE_KEY = "__BASE__"
MAX_FILE_BYTES = 1 << 20  # the largest here has 4 kB; whoever names a checkpoint by mistake is told at once
MOST_VALUES = 100_000  # of a file, those that aliases repeat counted each time; a list of class names has hundreds
MOST_DIGITS = 400  # of a whole number; what float64 holds has 309

TAG = "tag:yaml.org,2002:"
ALLOWED_TAGS = tuple(TAG + name for name in ("null", "bool", "float", "str", "seq", "map"))
# The scalars of YAML 1.2's core schema. YAML 1.1, PyYAML's, reads 1e-3 as text, 010 as 8, 1:30 as 90, `no` as false and
# 2024-01-01 as a date.
PLAIN_SCALARS = {
    "bool": r"true|True|TRUE|false|False|FALSE",
    "null": r"~|null|Null|NULL|None|",
    "int": r"[-+]?[0-9]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}


class YamlEntry(NamedTuple):
    """A value, the file it stands in and the line of its key, counted from 1."""

    value: object
    file: Path
    line: int


def _plain_resolvers() -> dict[None, list[tuple[str, re.Pattern[str]]]]:
    return {None: [(TAG + name, re.compile(rf"(?:{pattern})\Z")) for name, pattern in PLAIN_SCALARS.items()]}


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars above, without sets, dates, binary and merge keys."""

    yaml_implicit_resolvers = _plain_resolvers()

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        """Returns the text of a value; one with a tag, like `!!int 1_0`, has to read as such without it."""
        text, kind = super().construct_scalar(node), node.tag.removeprefix(TAG)
        kinds = ("int", "float") if kind == "float" else (kind,) if kind in PLAIN_SCALARS else ()
        if kinds and not any(re.fullmatch(PLAIN_SCALARS[each], text) for each in kinds):
            raise ValueError(f"{short(text)} is no {kind}")
        return text

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Reads decimal and 0x numbers; a leading zero is no octal number."""
        text = self.construct_scalar(node)
        if len(text) > MOST_DIGITS:
            raise ValueError(f"it is a number of {len(text)} digits")
        return int(text, 16) if text.lower().startswith("0x") else int(text)

    yaml_constructors = {
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag in ALLOWED_TAGS
    } | {TAG + "int": construct_yaml_int}


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes what `_Loader` would read as something else than text."""

    yaml_implicit_resolvers = _plain_resolvers()


def parse_value(text: str) -> object:
    """Reads one plain value as it would stand behind a key.

    Raises:
        ValueError: the text is no YAML value.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_many(node)
        return loader.construct_document(node)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(getattr(error, "problem", None) or "no plain value") from error


def dump_values(values: dict[str, object]) -> str:
    """Returns YAML text that `read_yaml_layers` reads back to equal values."""
    text = _dump(values, allow_unicode=True)
    # PyYAML writes these raw and reads them back as the end of a line
    return _dump(values, allow_unicode=False) if any(letter in text for letter in "\x85\u2028\u2029") else text


def _dump(values: dict[str, object], allow_unicode: bool) -> str:
    return yaml.dump(
        values, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=120, default_flow_style=None
    )


def read_yaml_layers(path: Path) -> list[dict[str, YamlEntry]]:
    """Reads a file and those that its `__BASE__` names.

    Returns:
        One dictionary per file in the order in which they count: bases first, the file itself last.

    Raises:
        MissingPathError: a file is missing, is a folder or cannot be read.
        BadValueError: not a flat mapping of plain values, a key twice, or bases in a circle.
    """
    return _read_layers(path, ())


def _read_layers(path: Path, chain: tuple[Path, ...]) -> list[dict[str, YamlEntry]]:
    if path.resolve() in [link.resolve() for link in chain]:
        circle = " -> ".join(str(link) for link in (*chain, path))
        raise BadValueError(f"{chain[-1]}: {BASE_KEY} goes round in a circle ({circle}): remove one of these lines")
    entries = _read_file(path, wanted_by=chain[-1] if chain else None)
    base = entries.pop(BASE_KEY, None)
    layers: list[dict[str, YamlEntry]] = []
    for name in _base_names(base):
        layers += _read_layers(path.parent / os.path.expanduser(name), (*chain, path))
    return [*layers, entries]


def _base_names(base: YamlEntry | None) -> list[str]:
    if base is None or base.value in (None, ""):
        return []
    given = base.value if isinstance(base.value, list) else [base.value]
    names = [name for name in given if isinstance(name, str) and name]
    if len(names) < len(given):
        raise BadValueError(
            f"{base.file}, line {base.line}: {BASE_KEY} is {short(base.value)}, wanted a file name or a list of file "
            "names"
        )
    for name in names:
        if fault := path_fault(name):
            raise BadValueError(f"{base.file}, line {base.line}: {BASE_KEY} {short(name)} {fault}: correct the name")
    return names


def _read_file(path: Path, wanted_by: Path | None) -> dict[str, YamlEntry]:
    text = _read_text(path, wanted_by)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None or node.tag == TAG + "null":
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise BadValueError(f"{path}: the file holds {_node_words(node)} where lines 'key: value' were wanted")
        _refuse_many(node)
        return _read_mapping(loader, node, path)
    except yaml.YAMLError as error:
        raise BadValueError(_yaml_sentence(path, error)) from error
    except RecursionError as error:
        raise BadValueError(f"{path}: lists are nested too deeply, flat lines 'key: value' were wanted") from error
    except ValueError as error:
        if isinstance(error, BadValueError):
            raise
        raise BadValueError(f"{path}: {error}, flat lines 'key: value' were wanted") from error


def _refuse_many(node: yaml.Node) -> None:
    """Counts values as often as they stand there once aliases are written out: nine lines can stand for 9^9.

    Raises:
        ValueError: there are too many.
    """
    if _count_values(node, {}) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values, those counted that aliases (*name) repeat")


def _count_values(node: yaml.Node, counts: dict[int, int]) -> int:
    """Returns how many values a node stands for; `counts` has those of the nodes that were counted, by their id."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in counts:
        counts[id(node)] = 0  # a list that holds itself, which is refused when it is built
        items = itertools.chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
        counts[id(node)] = 1 + sum(_count_values(item, counts) for item in items)
    return counts[id(node)]


def _read_text(path: Path, wanted_by: Path | None) -> str:
    because = f" (named by {BASE_KEY} in {wanted_by})" if wanted_by else ""
    if os.path.isdir(path):
        raise MissingPathError(f"{path}{because} is a folder where a YAML file was wanted: name the file in it")
    if not os.path.isfile(path):
        raise MissingPathError(
            f"{path}{because} does not exist or is no ordinary file: correct the name of the YAML file"
        )
    with os_errors_as(MissingPathError, f"{path}{because} cannot be read", ": change its permissions"):
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    if size > MAX_FILE_BYTES:
        raise BadValueError(f"{path} has {size} bytes, a configuration has at most {MAX_FILE_BYTES}: name a YAML file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadValueError(
            f"{path} is no UTF-8 text (byte {error.start}): name a YAML file, or save it as UTF-8"
        ) from error


def _read_mapping(loader: _Loader, node: yaml.MappingNode, path: Path) -> dict[str, YamlEntry]:
    entries: dict[str, YamlEntry] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise BadValueError(f"{path}, line {line}: the key is {_node_words(key_node)}, wanted a name")
        key = key_node.value
        if key in entries:
            raise BadValueError(
                f"{path}, line {line}: key {short(key)} stands twice, first in line {entries[key].line}: remove one of "
                "them"
            )
        try:
            value = loader.construct_object(value_node, deep=True)
        except ValueError as error:
            raise BadValueError(f"{path}, line {line}: the value of {short(key)} cannot be read ({error})") from error
        entries[key] = YamlEntry(value, path, line)
    return entries


def _node_words(node: yaml.Node) -> str:
    words: dict[type[yaml.Node], str] = {yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}
    return words.get(type(node), f"the single value {str(node.value)[:40]!r}")


def _yaml_sentence(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    where = f"{path}, line {mark.line + 1}" if mark else str(path)
    if isinstance(error, yaml.reader.ReaderError):
        return f"{path}: character {error.position + 1} is no text ({error.reason}): remove it, or name a YAML file"
    if "another document" in problem:
        return f"{where}: a second document begins here ('---'), one was wanted: keep only the one with the values"
    if "could not determine a constructor" in problem:
        tag = problem.split("'")[1].replace(TAG, "!!")
        return f"{where}: the tag '{tag}' would build an object, only plain values are read: remove the tag"
    if "'\\t'" in problem:
        return f"{where}: a tab stands where spaces are wanted: replace tabs by spaces"
    return f"{where}: not valid YAML ({problem}): write 'key: value', texts with special characters in quotes"

"""What a configuration schema is made of: the frozen base class, path texts, keys without effect, contradictions.

A schema is a pydantic class per suite. Here is also what a message needs to know about a field: its kind and its wants.
"""

import dataclasses
import itertools
import time
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

from utils.model_utils.errors import short
from utils.model_utils.guards.numbers import has_plain_digits
from utils.model_utils.guards.path_names import path_fault, text_fault

COMMAND_LINE = "command line"
SCHEMA_DEFAULT = "schema default"
CONTRADICTIONS_LATER = "contradictions later"  # context of a validation before a checkpoint has had its say
TRUE_WORDS = ("true", "t", "yes", "y", "on", "1")


@dataclasses.dataclass(frozen=True)
class PathRule:
    """Marks a text field as a path, which the loader makes absolute.

    Args:
        keep_words: values that are words of the program and not paths, e.g. "auto".
    """

    keep_words: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class FormRule:
    """Marks a list of texts that may be given in other forms, which the loader turns into that list.

    Args:
        wanted: the forms in words, for messages.
        as_texts: (value as given, folder in which a relative path in it begins) to the texts. A list of such texts
            stays as it is; anything else that cannot be raises ValueError with a sentence.
        kinds: of JSON's values that the forms have, for editors.
    """

    wanted: str
    as_texts: Callable[[object, str], list[str]]
    kinds: tuple[str, ...]


PathText = Annotated[str, PathRule()]
InputText = Annotated[str, PathRule(keep_words=("-",))]  # "-": a list on standard input
Positive = Annotated[int, Field(ge=1)]
PositiveNumber = Annotated[float, Field(gt=0)]


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a value was given: the command line, a line of a YAML file, or the schema."""

    where: str
    line: int | None = None

    def __str__(self) -> str:
        """Returns what a message says, e.g. "/suite/default_config.yaml, line 7"."""
        return self.where if self.line is None else f"{self.where}, line {self.line}"


@dataclasses.dataclass(frozen=True)
class Given:
    """A value as given: under which name and where."""

    name: str
    value: object
    origin: Origin


@dataclasses.dataclass(frozen=True)
class Sources:
    """What a configuration was made from, so that it can be made again with what a checkpoint says.

    Args:
        layers: values by key in the order in which they count: those of the YAML files, then those of the command line.
        has_file: whether the YAML file was named on the command line.
        suite_dir: the suite's folder.
    """

    layers: tuple[Mapping[str, Given], ...] = ({},)
    has_file: bool = False
    suite_dir: Path = Path()


@dataclasses.dataclass(frozen=True)
class Contradiction:
    """Two or more keys whose values cannot hold together; `sentence` names them, their values and the way out."""

    keys: tuple[str, ...]
    sentence: str


class ContradictionsError(ValueError):
    """All contradictions of one configuration."""

    def __init__(self, contradictions: list[Contradiction]) -> None:
        super().__init__("; ".join(item.sentence for item in contradictions))
        self.contradictions = contradictions


class Config(BaseModel):
    """Base of every schema: frozen, unknown keys forbidden, true and false are no numbers, choices in any case.

    Subclasses set `GROUP`, the heading of their keys in the help, and extend `contradictions`, `inactive_keys`, `notes`
    and `normalise` where they have something to add; each calls super() so that mixins combine. The lists of keys of
    all classes of a schema count together:

    - `FIXED_BY_WEIGHTS` say what network the weights of a checkpoint are of: there the checkpoint decides.
    - `OWN_TO_A_COMMAND` a command never takes from a checkpoint: its place, its device, what it reads.
    - `NEVER_REPEATED` are not stored: whoever trains again from what a run has stored does it in another place.
    - `PLACES_OF_DATA` belong together: where one of them is given, none is the checkpoint's.
    - `COURSE_OF_TRAINING` change what a run learns: one that goes on with another value says so.
    - `LEFT_TO_WEIGHTS` leave the choice to a checkpoint where they are null, wherever that is said.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=(), defer_build=True
    )
    GROUP: ClassVar[str] = "Other keys"
    FIXED_BY_WEIGHTS: ClassVar[tuple[str, ...]] = ()
    OWN_TO_A_COMMAND: ClassVar[tuple[str, ...]] = ()
    NEVER_REPEATED: ClassVar[tuple[str, ...]] = ()
    PLACES_OF_DATA: ClassVar[tuple[str, ...]] = ()
    COURSE_OF_TRAINING: ClassVar[tuple[str, ...]] = ()
    LEFT_TO_WEIGHTS: ClassVar[tuple[str, ...]] = ()
    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)
    _notes: tuple[str, ...] = PrivateAttr(default=())
    _config_name: str = PrivateAttr(default="")
    _sources: Sources = PrivateAttr(default_factory=Sources)
    _built_at: float = PrivateAttr(default_factory=time.time)

    @classmethod
    def inactive_keys(cls) -> dict[str, "InactiveKey"]:
        """Returns the keys that are accepted and have no effect."""
        return {}

    @classmethod
    def keys_in(cls, name: str) -> frozenset[str]:
        """Returns the keys in the lists of this name of all classes of the schema, e.g. of "FIXED_BY_WEIGHTS"."""
        return frozenset(itertools.chain.from_iterable(vars(each).get(name, ()) for each in cls.__mro__))

    @classmethod
    def normalise(cls, values: dict[str, object], notes: list[str]) -> dict[str, object]:
        """Returns the values with older ways of saying the same thing rewritten, and appends to `notes` what it did."""
        del notes
        return values

    def contradictions(self) -> Iterator[Contradiction]:
        """Yields the keys that do not fit each other."""
        yield from ()

    def notes(self) -> Iterator[str]:
        """Yields what the log should say about this configuration."""
        yield from self._notes

    def take_effect(self) -> None:
        """Sets what holds for the whole process; `load_config` calls it once."""

    def origin(self, key: str) -> Origin:
        """Returns where the value of `key` was given."""
        return self._origins.get(key, Origin(SCHEMA_DEFAULT))

    @property
    def config_name(self) -> str:
        """Name of the YAML file that was read, without `.yaml`; empty where none was."""
        return self._config_name

    @property
    def built_at(self) -> float:
        """When the configuration was put together, seconds since 1970: before the command has made anything."""
        return self._built_at

    def was_given(self, key: str) -> bool:
        """Returns whether `key` was set in a YAML file or on the command line."""
        return key in self._origins

    def is_given_over(self, key: str, other: str) -> bool:
        """Returns whether `key` was set, and not in a file that the one which sets `other` builds on."""
        places = {name: place for place, layer in enumerate(self._sources.layers) for name in layer}
        return self.was_given(key) and places.get(key, -1) >= places.get(other, -1)

    @field_validator("*", mode="before")
    @classmethod
    def _check_plain_kind(cls, value: object, info: ValidationInfo) -> object:
        name = typing.cast(str, info.field_name)
        kind = field_kind(cls.model_fields[name])
        items = value if isinstance(value, list | tuple) else [value]
        if kind.scalar in (int, float) and any(isinstance(item, bool) for item in items):
            raise WrongKindError
        if kind.scalar in (int, float) and any(isinstance(item, str) and not has_plain_digits(item) for item in items):
            raise WrongKindError
        for item in items:
            _refuse_unusable(name, item, kind)
        if kind.choices and kind.is_list and isinstance(value, list | tuple):
            return [_chosen(item, kind) for item in value]
        return _chosen(value, kind)

    @model_validator(mode="after")
    def _refuse_contradictions(self, info: ValidationInfo) -> typing.Self:
        found = [] if info.context == CONTRADICTIONS_LATER else list(self.contradictions())
        if found:
            raise ContradictionsError(found)
        return self

    def __eq__(self, other: object) -> bool:
        """Compares the values; where they were given does not matter."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.__dict__.items())))


@dataclasses.dataclass(frozen=True)
class InactiveKey:
    """A documented key that does nothing here.

    Args:
        reason: what has its place, for the log, e.g. "follows from img_shape".
        derived: the value that is used instead; a key given with another value is refused. None accepts any value.
    """

    reason: str
    derived: Callable[[typing.Any], object] | None = None


def _chosen(value: object, kind: "FieldKind") -> object:
    """Returns the choice that a text names in any case; else the value itself."""
    if not isinstance(value, str):
        return value
    return next((choice for choice in kind.choices if str(choice).lower() == value.lower()), value)


def _refuse_unusable(key: str, item: object, kind: "FieldKind") -> None:
    """Refuses what no file system and no 64 bits hold.

    Raises:
        ValueError: the item of a key cannot be; with the sentence.
    """
    if kind.scalar is int and isinstance(item, int) and not -(2**63) <= item < 2**63:
        raise ValueError(f"{key} is {short(item)}, which 64 bits do not hold: give a smaller number")
    if kind.scalar is str and isinstance(item, str):
        fault = path_fault(item) if kind.path_rule else text_fault(item)
        if fault:
            raise ValueError(f"{key} is {short(item)}, which {fault}: correct it")


class WrongKindError(ValueError):
    """A value of another kind than the field; the loader's own words say which."""


@dataclasses.dataclass(frozen=True)
class FieldKind:
    """What a field holds.

    Args:
        scalar: bool, int, float or str: the value itself, or the items where `is_list`.
        is_list: whether the value is a list.
        length: number of items of a list, None for any.
        choices: the allowed values, or items where `is_list`; empty for any.
        is_optional: whether null is allowed.
        path_rule: set where the text is a path.
        form: set where a list of texts may be given in other forms.
        limits: pydantic's, of the value or of the items.
    """

    scalar: type
    is_list: bool = False
    length: int | None = None
    choices: tuple[object, ...] = ()
    is_optional: bool = False
    path_rule: PathRule | None = None
    form: FormRule | None = None
    limits: tuple[object, ...] = ()


def says_true(value: object) -> bool:
    """Returns whether a value as given, before it is checked, stands for true."""
    return str(value).lower() in TRUE_WORDS


def field_kind(field: FieldInfo) -> FieldKind:
    """Reads the kind of a field from its annotation."""
    return _kind_of(field.annotation, field.metadata)


def _kind_of(annotation: object, metadata: list[object]) -> FieldKind:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        extras = [extra.metadata if isinstance(extra, FieldInfo) else [extra] for extra in arguments[1:]]
        return _kind_of(arguments[0], [*metadata, *itertools.chain(*extras)])
    if origin in (typing.Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        return dataclasses.replace(_kind_of(inner, metadata), is_optional=types.NoneType in arguments)
    if origin is Literal:
        return FieldKind(type(arguments[0]), choices=arguments)
    if origin is tuple:
        items = _kind_of(arguments[0], [])
        length = None if Ellipsis in arguments else len(arguments)
        form = next((item for item in metadata if isinstance(item, FormRule)), None)
        return FieldKind(
            items.scalar, is_list=True, length=length, choices=items.choices, form=form, limits=items.limits
        )
    path_rule = next((item for item in metadata if isinstance(item, PathRule)), None)
    return FieldKind(typing.cast(type, annotation), path_rule=path_rule, limits=tuple(metadata))


SINGULAR = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
PLURAL = {bool: "true/false values", int: "whole numbers", float: "numbers", str: "texts"}


def describe_wanted(field: FieldInfo) -> str:
    """Returns what a field accepts in words, e.g. "a number from 0 to 1, or null"."""
    kind = field_kind(field)
    choices = f"one of {', '.join(str(choice) for choice in kind.choices)}"
    if kind.choices:
        words = f"a list of {PLURAL[kind.scalar]}, each {choices}" if kind.is_list else choices
    elif kind.form:
        words = kind.form.wanted
    elif kind.is_list:
        words = f"a list of {kind.length or ''} {PLURAL[kind.scalar]}".replace("  ", " ")
        item_bounds = _describe_bounds(kind.limits)
        words += f", each {item_bounds}" if item_bounds else ""
    elif kind.path_rule:
        words = "a path" + "".join(f" or {word}" for word in kind.path_rule.keep_words)
    elif any(getattr(item, "min_length", None) for item in kind.limits):
        words = "text that is not empty"
    else:
        words = f"{SINGULAR[kind.scalar]} {_describe_bounds(kind.limits)}".rstrip()
    return words + (", or null" if kind.is_optional else "")


def _describe_bounds(limits: Sequence[object]) -> str:
    bounds = {
        name: getattr(item, name)
        for item in limits
        for name in ("ge", "gt", "le", "lt", "multiple_of")
        if getattr(item, name, None) is not None
    }
    words = []
    if "ge" in bounds and "le" in bounds:
        words.append(f"from {bounds['ge']} to {bounds['le']}")
    else:
        phrases = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
        words += [f"{phrase} {bounds[name]}" for name, phrase in phrases.items() if name in bounds]
    if "multiple_of" in bounds:
        words.append(f"a multiple of {bounds['multiple_of']}")
    text = " and ".join(words)
    return f"of {text}" if text.startswith("at ") else text


def group_of(schema: type[Config], key: str) -> str:
    """Returns the heading of a key in the help: the `GROUP` of the class that first declared it."""
    owners = [parent for parent in schema.__mro__ if key in vars(parent).get("__annotations__", {})]
    return getattr(owners[-1], "GROUP", Config.GROUP) if owners else Config.GROUP

"""Reads objects/*.json and checks every key, name, label and expression in it; objects/README.md describes them."""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.sample_data.expressions import DRAWS, FUNCTIONS, Formula, Value, formula
from utils.sample_data.files import table
from utils.sample_data.labels import CITYSCAPES_IDS, COCO_CATEGORIES

FOLDER = Path(__file__).parent / "objects"
WORDS = ("name", "use", "plane", "label", "category", "object", "detail", "soft", "crowd")  # keys without expressions
COMMON = ("name", "each", "when")
FACE = ("layer", "detail", "shapes")
STYLE = ("glow", "out", "detail")
# Families of nodes; in each its kinds, which are keys of a node, with the keys that must and that may be there too.
FAMILIES: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "shapes": {
        "box": (("fill",), ("corner", *STYLE)),
        "ellipse": (("fill",), ("corners", "turn", *STYLE)),
        "ring": (("fill",), ("corners", *STYLE)),
        "polygon": (("fill",), ("smooth", *STYLE)),
        "line": (("fill", "width"), STYLE),
        "limb": (("fill",), STYLE),
        "text": (("fill", "at", "height"), ("bold", *STYLE)),
        "leaves": (("fill", "size", "count"), ("square", "snow")),
        "use": ((), ("with", "move", "scale")),
    },
    "faces": {
        "plane": (("shapes",), ("at", *FACE)),
        "sheet": (("shapes",), FACE),
        "skin": (("half", "fill"), ()),
        "block": (("fill",), ("lid", "layer")),
        "use": ((), ("with",)),
    },
    "halos": {"halo": (("radius", "colour"), ())},
    "items": {
        "label": ((), ("category", "footprint", "texture", "behind", "soft", "crowd", "shapes", "faces", "halos")),
        "object": ((), ("at", "turn", "with")),
    },
}
NAMED = {  # words of which there is a fixed list
    "plane": ("along", "across", "sides", "left", "right", "front", "rear", "top"),
    "label": (*CITYSCAPES_IDS, None),
    "category": tuple(COCO_CATEGORIES),
}
PARTS = ("items", "backdrop", "trees")  # lists of items; the last two are of streets
FILE_KEYS = ("note", "inputs", "variants", "chances", "values", "groups", "places", *PARTS)
GROUP_KEYS = ("note", "needs", "values", "shapes", "faces")
LEANING = (("plane", "at"), ("skin", "half"))  # may depend on `y`, the height of each point


@dataclass(frozen=True)
class Node:
    """One line of an object file: an item, a face, a shape, a halo, or the use of a group or another object.

    Args:
        kind: which of the kinds of its family.
        place: file and path of keys, for messages.
        options: keys with expressions.
        words: keys with plain words or flags.
        each: loop variables, the outermost first, and their values.
        given: names that the used group or object gets.
        children: keys with nodes.
    """

    kind: str
    place: str
    options: dict[str, Formula]
    words: dict[str, Any]
    each: dict[str, Formula]
    given: dict[str, Formula]
    children: dict[str, tuple["Node", ...]]


@functools.cache
def colours() -> dict[str, tuple]:
    """The named colours and palettes of tables/colours.json, as tuples of RGB, 0-255."""

    def frozen(value: Value) -> Value:
        return tuple(map(frozen, value)) if isinstance(value, list) else value

    return {name: frozen(value) for name, value in table("colours").items()}


@functools.cache
def _raw(path: Path) -> dict:
    """The JSON of an object file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(sorted(other.stem for other in path.parent.glob("*.json")))
        raise MissingPathError(f"there is no object file '{path.name}', only: {names}") from None
    except ValueError as error:
        raise BadValueError(f"{path.name} is not JSON: {error}") from None
    check_keys(content, FILE_KEYS, path.name)
    return content


class ObjectFile:
    """A checked object file.

    Args:
        name: of the object.
        folder: of the object files.

    Attributes:
        inputs: what the scene may give, with what holds otherwise.
        variants: sets of values, of which one is drawn.
        chances: of the variants; None when they are equally likely.
        values: worked out in this order.
        groups: values and nodes of what may be used in many places.
        places: by object, values that end in `x`, `z` and `heading`.
        parts: lists of items.

    Raises:
        MissingPathError: when the file or one that it uses is not there.
        BadValueError: when something in it is wrong; the sentence names the file and the shape.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        file, raw = f"{name}.json", _raw(folder / f"{name}.json")
        known = {*FUNCTIONS, *DRAWS, *colours()}
        self.inputs = self._values(_mapping(raw, "inputs", file), known, f"{file}, inputs")
        known |= self.inputs.keys()
        self.variants = self._sets(_mapping(raw, "variants", file), known, f"{file}, variant")
        wanted = {key for values in self.variants.values() for key in values}
        for variant, values in self.variants.items():
            if wanted - values.keys():
                raise BadValueError(f"{file}: variant '{variant}' lacks '{min(wanted - values.keys())}'")
        chances = raw.get("chances", dict.fromkeys(self.variants))
        if chances.keys() != self.variants.keys():
            raise BadValueError(f"{file}: chances are for {sorted(chances)}, but variants are {sorted(self.variants)}")
        self.chances = [chances[variant] for variant in self.variants] if "chances" in raw else None
        known |= wanted | ({"variant"} if self.variants else set())
        self.values = self._values(_mapping(raw, "values", file), known, f"{file}, values")
        known |= self.values.keys()
        self.groups = {
            key: self._group(group, known, f"{file}: {key}") for key, group in _mapping(raw, "groups", file).items()
        }
        self.places = self._sets(_mapping(raw, "places", file), known, f"{file}, place of")
        for kind, values in self.places.items():
            if not {"x", "z", "heading"} <= values.keys():
                raise BadValueError(f"{file}, place of {kind} says {', '.join(values)}, but must say x, z and heading")
        self.parts = {part: self._nodes("items", raw.get(part, []), known, f"{file}: {part}") for part in PARTS}

    @staticmethod
    def _values(raw: dict, known: Iterable[str], place: str) -> dict[str, Formula]:
        """Named values of which each may use those before it."""
        found: dict[str, Formula] = {}
        for name, value in raw.items():
            found[name] = formula(value, {*known, *found}, f"{place}, {name}")
        return found

    def _sets(self, raw: dict, known: Iterable[str], place: str) -> dict[str, dict[str, Formula]]:
        return {name: self._values(values, known, f"{place} {name}") for name, values in raw.items()}

    def _group(self, raw: dict, known: set[str], place: str) -> tuple[dict[str, Formula], tuple[Node, ...]]:
        check_keys(raw, GROUP_KEYS, place)
        known = known | set(raw.get("needs", ()))
        values = self._values(_mapping(raw, "values", place), known, f"{place}, values")
        family = "faces" if "faces" in raw else "shapes"
        return values, self._nodes(family, raw.get(family, []), known | values.keys(), f"{place}, {family}")

    def _nodes(self, family: str, raw: list, known: set[str], place: str) -> tuple[Node, ...]:
        return tuple(self._node(family, node, known, f"{place}[{index}]") for index, node in enumerate(raw))

    def _node(self, family: str, raw: dict, known: set[str], place: str) -> Node:
        """Checks one node of a family."""
        kinds = FAMILIES[family]
        kind = next((key for key in kinds if key in raw), None)
        if kind is None:
            raise BadValueError(f"{place}: none of {', '.join(raw)} says what it is: {', '.join(kinds)}")
        place += f" ({raw.get('name', kind)})"
        must, may = kinds[kind]
        check_keys(raw, (kind, *must, *may, *COMMON), place)
        for key in must:
            if key not in raw:
                raise BadValueError(f"{place}: '{key}' is missing")
        for key in NAMED.keys() & raw.keys():
            if raw[key] not in NAMED[key]:
                raise BadValueError(f"{place}: there is no {key} '{raw[key]}', only: {', '.join(map(str, NAMED[key]))}")
        each = _formulas(raw, "each", known, place)
        known = known | each.keys()
        words = {key: value for key, value in raw.items() if key in WORDS}
        if words.get("plane") == "sides":
            known = known | {"side"}
        given = _formulas(raw, "with", known, place)
        if kind == "use":
            words["use"] = self._check_use(family, raw, known, place)
        elif kind == "object":
            check_keys(given, load(raw["object"], self.folder).inputs, f"{place}, with")
        return Node(
            kind,
            place,
            {
                key: formula(value, known | {"y"} if (kind, key) in LEANING else known, f"{place}, {key}")
                for key, value in raw.items()
                if key not in (*WORDS, *FAMILIES, "each", "with")
            },
            words,
            each,
            given,
            {key: self._nodes(key, raw[key], known, f"{place}, {key}") for key in FAMILIES if key in raw},
        )

    def _check_use(self, family: str, raw: dict, known: set[str], place: str) -> tuple[str, str]:
        """File and name of a group, which must be there, be of that family and get all it needs."""
        file, _, name = raw["use"].rpartition(".")
        file = file or self.name
        content = _raw(self.folder / f"{file}.json")
        group = content.get("groups", {}).get(name)
        if group is None or family not in group:
            raise BadValueError(f"{place}: there is no group '{name}' of {family} in {file}.json")
        if file != self.name and {"inputs", "variants", "values"} & content.keys():
            raise BadValueError(f"{place}: {file}.json has values, so that its groups cannot be used from elsewhere")
        needs, given = set(group.get("needs", ())), _mapping(raw, "with", place)
        check_keys(given, needs, f"{place}, with")
        if needs - given.keys() - known:
            raise BadValueError(f"{place}: group '{name}' needs '{min(needs - given.keys() - known)}'")
        return file, name


@functools.cache
def load(name: str, folder: Path = FOLDER) -> ObjectFile:
    """The object file `name`, read once."""
    return ObjectFile(name, folder)


def _mapping(raw: dict, key: str, place: str) -> dict:
    """What a key of an object file holds, which must be a mapping; an empty one when the key is not there."""
    check_keys(raw.get(key, {}), raw.get(key, {}), f"{place}, {key}")
    return raw.get(key, {})


def _formulas(raw: dict, key: str, known: set[str], place: str) -> dict[str, Formula]:
    return {name: formula(value, known, f"{place}, {name}") for name, value in _mapping(raw, key, place).items()}


def check_keys(raw: object, keys: Iterable[str], place: str) -> None:
    """Raises BadValueError, with one sentence, unless `raw` is a mapping that has only these keys."""
    if not isinstance(raw, dict):
        raise BadValueError(f"{place} is {raw!r}, but must be a mapping")
    unknown = [key for key in raw if key not in keys]
    if unknown:
        raise BadValueError(f"{place}: there is no key '{unknown[0]}', only: {', '.join(keys) or 'none'}")

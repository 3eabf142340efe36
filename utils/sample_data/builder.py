"""Draws objects of a kind: works out the values of an object file and puts its shapes on their planes."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.model_utils.errors import BadValueError
from utils.sample_data.drawing.parts import Colour, Face, Halo, Item, Part
from utils.sample_data.expressions import FUNCTIONS, Formula, Value, drawing_functions
from utils.sample_data.geometry import SHAPES, leaves
from utils.sample_data.object_files import FOLDER, Node, check_keys, colours, load

SPOILT = (TypeError, ValueError, IndexError, KeyError, NameError, ArithmeticError, AttributeError)
# By eye: crowns look round and lit from above, and snow lies more on top.
DARKEST, RISE, VARIETY = 0.58, 0.55, 0.06  # brightness of leaves: below, what the top has more, standard deviation
SNOWED, SNOWED_RISE, COVER = 0.25, 0.5, 0.75  # chance of snow on leaves: below, more at the top; share of white


class Plane(NamedTuple):
    """Where the shapes of a face lie; local axes are 0 forward, 1 up, 2 across."""

    axes: tuple[int, int]  # of the shapes' x and y
    constant: int  # the third axis
    outward: int  # which way along it is outward; 0 for a face that is seen from everywhere
    mirrored: bool = False  # whether x runs to the left of who reads it

    def normal(self) -> np.ndarray | None:
        """float[3], outwards in local axes."""
        return np.eye(3)[self.constant] * self.outward if self.outward else None


PLANES = {
    "along": Plane((0, 1), 2, 0),
    "across": Plane((2, 1), 0, 0),
    "left": Plane((0, 1), 2, 1, True),
    "right": Plane((0, 1), 2, -1),
    "front": Plane((2, 1), 0, 1),
    "rear": Plane((2, 1), 0, -1, True),
    "top": Plane((0, 2), 1, 1),
}


class Flat(NamedTuple):
    """A polygon before it is put on its plane: float[N, 2] metres; `detail` None leaves that to the face."""

    points: np.ndarray
    colour: Colour
    detail: bool | None = None
    glow: bool = False
    out: float = 0.0


class Drawn:
    """One object whose values are drawn.

    Args:
        rng: where its draws come from.
        name: of the object file.
        surroundings: inputs for it and for the objects in it, as far as they have them.
        variant: of the file; drawn when it is None.
        folder: of the object files.
        inputs: what the file lets the scene decide.

    Raises:
        MissingPathError: when there is no such file.
        BadValueError: when the file is bad, or has no such variant or input.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        name: str,
        surroundings: dict | None = None,
        variant: str | None = None,
        folder: Path = FOLDER,
        **inputs: Value,
    ) -> None:
        self.rng, self.name, self.folder, self.surroundings = rng, name, folder, surroundings or {}
        self.file = load(name, folder)
        self.functions = {"__builtins__": {}, **FUNCTIONS, **colours(), **drawing_functions(rng)}
        check_keys(inputs, self.file.inputs, f"{name}.json, inputs")
        check_keys({variant: None} if variant else {}, self.file.variants, f"{name}.json, variants")
        self.scope: dict[str, Value] = {}
        self._add(self.scope, self.file.inputs, name)
        self.scope |= {key: value for key, value in self.surroundings.items() if key in self.file.inputs} | inputs
        if self.file.variants:
            names = list(self.file.variants)
            self.scope["variant"] = variant or names[int(rng.choice(len(names), p=self.file.chances))]
            self._add(self.scope, self.file.variants[self.scope["variant"]], name)
        self._add(self.scope, self.file.values, name)

    def items(self, part: str = "items") -> Iterator[Item]:
        """The items of a part of the file in drawing order, around the origin."""
        for node in self.file.parts[part]:
            for scope in self._scopes(node, self.scope):
                if node.kind == "label":
                    yield self._item(node, scope)
                    continue
                given = {key: self._value(value, scope, node.place) for key, value in node.given.items()}
                drawn = Drawn(self.rng, node.words["object"], self.surroundings, folder=self.folder, **given)
                x, z = self._option(node, "at", scope, (0.0, 0.0))
                turn = self._option(node, "turn", scope, 0.0)
                yield from (item.moved(x, z, turn) for item in drawn.items())

    def place(self, kind: str) -> dict:
        """Draws where an object of a kind may stand: world metres `x` and `z`, `heading` in radians, perhaps `view`."""
        scope = dict(self.scope)
        self._add(scope, self.file.places[kind], f"place of {kind}")
        return {"view": None} | scope

    def _value(self, formula: Formula, scope: dict, place: str) -> Value:
        try:
            return formula.value(self.functions, scope)
        except SPOILT as error:
            raise BadValueError(f"{place}: {error}") from error

    def _add(self, scope: dict, values: dict[str, Formula], place: str) -> None:
        """Works out named values into a scope, each of which may use those before it."""
        for name, value in values.items():
            scope[name] = self._value(value, scope, f"{self.name}.json, {place}, {name}")

    def _option(self, node: Node, key: str, scope: dict, default: Value = None) -> Value:
        option = node.options.get(key)
        return default if option is None else self._value(option, scope, node.place)

    def _scopes(self, node: Node, scope: dict) -> Iterator[dict]:
        """The scopes in which a node is drawn: one for each value of its loops, when its condition holds."""
        scopes = [scope]
        for name, values in node.each.items():
            scopes = [{**outer, name: value} for outer in scopes for value in self._value(values, outer, node.place)]
        return (inner for inner in scopes if self._option(node, "when", inner, True))

    def _entered(self, node: Node, scope: dict) -> tuple[tuple[Node, ...], dict]:
        """The nodes of a used group and the scope inside of it."""
        file, name = node.words["use"]
        values, nodes = load(file, self.folder).groups[name]
        inner = scope | {key: self._value(value, scope, node.place) for key, value in node.given.items()}
        self._add(inner, values, name)
        return nodes, inner

    def _item(self, node: Node, scope: dict) -> Item:
        faces = list(self._faces(node.children.get("faces", ()), scope))
        if "shapes" in node.children:
            faces.insert(0, Face(tuple(self._parts(node, scope, PLANES["along"]))))
        halos = (
            Halo(*(self._option(halo, key, inner) for key in ("halo", "radius", "colour")))
            for halo in node.children.get("halos", ())
            for inner in self._scopes(halo, scope)
        )
        return Item(
            node.words["label"],
            tuple(faces),
            z=self._option(node, "behind", scope, 0.0),
            category=node.words.get("category"),
            footprint=self._option(node, "footprint", scope, (0.0, 0.0)),
            soft=node.words.get("soft", False),
            crowd=node.words.get("crowd", False),
            texture=self._option(node, "texture", scope, ""),
            halos=tuple(halos),
        )

    def _faces(self, nodes: tuple[Node, ...], scope: dict) -> Iterator[Face]:
        kinds = {"plane": self._planes, "sheet": self._sheet, "skin": self._skin, "block": self._block}
        for node in nodes:
            for inner in self._scopes(node, scope):
                if node.kind == "use":
                    yield from self._faces(*self._entered(node, inner))
                else:
                    yield from kinds[node.kind](node, inner)

    def _planes(self, node: Node, scope: dict) -> Iterator[Face]:
        """The face on a plane, or those on both sides; none when it has no shapes."""
        name = node.words["plane"]
        for side, plane in ((-1, "right"), (1, "left")) if name == "sides" else ((1, name),):
            parts = tuple(self._parts(node, {**scope, "side": side}, PLANES[plane], side))
            if parts:
                yield Face(parts, PLANES[plane].normal(), self._option(node, "layer", scope, 0))

    def _parts(self, node: Node, scope: dict, plane: Plane, side: int = 1) -> Iterator[Part]:
        """The shapes of a node, put on a plane at side * "at"."""
        leaning = dict(scope)
        for flat in self._flats(node.children["shapes"], scope, plane.mirrored):
            leaning["y"] = flat.points[:, 1]
            points = np.empty((len(flat.points), 3))
            points[:, plane.axes[0]], points[:, plane.axes[1]] = flat.points[:, 0], flat.points[:, 1]
            level = self._option(node, "at", leaning, 0.0)
            points[:, plane.constant] = side * level + plane.outward * flat.out
            yield _part(points, flat, node)

    def _sheet(self, node: Node, scope: dict) -> Iterator[Face]:
        """A face between four corners, anticlockwise from outside; its shapes run from 0 to 1 along both sides."""
        corners = np.array(self._option(node, "sheet", scope), dtype=np.float64)
        normal = np.cross(corners[3] - corners[0], corners[1] - corners[0])
        normal /= np.linalg.norm(normal)
        parts = []
        for flat in self._flats(node.children["shapes"], scope):
            x, y = flat.points[:, :1], flat.points[:, 1:]
            low, high = corners[0] + (corners[1] - corners[0]) * x, corners[3] + (corners[2] - corners[3]) * x
            parts.append(_part(low + (high - low) * y + normal * flat.out, flat, node))
        yield Face(tuple(parts), normal, self._option(node, "layer", scope, 0))

    def _skin(self, node: Node, scope: dict) -> Iterator[Face]:
        """A profile (forward, up), from the rear's lower edge over the top to the front's, pulled out to both sides."""
        profile = np.asarray(self._option(node, "skin", scope), dtype=np.float64)
        half = self._option(node, "half", {**scope, "y": profile[:, 1]}) * np.ones(len(profile))
        paint = self._option(node, "fill", scope)
        left, right = np.column_stack([profile, half]), np.column_stack([profile, -half])
        strips = np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=1)
        steps = np.diff(profile, axis=0)
        normals = np.column_stack([-steps[:, 1], steps[:, 0], np.zeros(len(steps))])
        normals /= np.linalg.norm(steps, axis=1, keepdims=True)
        sides = [PLANES["left"].normal(), PLANES["right"].normal()]
        for corners, normal in zip([*strips, left, right], [*normals, *sides], strict=True):
            yield Face((Part(corners, paint),), normal, 1)

    def _block(self, node: Node, scope: dict) -> Iterator[Face]:
        """Sides and lid of a box (rear, low, right, front, high, left)."""
        ends = np.reshape(self._option(node, "block", scope), (2, 3))
        fill = self._option(node, "fill", scope)
        for name in ("left", "right", "front", "rear", "top"):
            plane = PLANES[name]
            points = np.full((4, 3), float(ends[int(plane.outward > 0), plane.constant]))
            points[:, plane.axes] = SHAPES["box"](ends[:, plane.axes].ravel())[0]
            colour = self._option(node, "lid", scope, fill) if name == "top" else fill
            yield Face((Part(points, colour),), plane.normal(), self._option(node, "layer", scope, 1))

    def _flats(
        self, nodes: tuple[Node, ...], scope: dict, mirrored: bool = False, frame: tuple = (1.0, 0.0, 0.0)
    ) -> Iterator[Flat]:
        """The polygons of shapes; `frame` is (scale, shift along x, shift along y) of the groups they are in."""
        scale, x, y = frame
        for node in nodes:
            for inner in self._scopes(node, scope):
                if node.kind == "use":
                    move = self._option(node, "move", inner, (0.0, 0.0))
                    larger = scale * self._option(node, "scale", inner, 1.0)
                    shifted = (larger, x + scale * move[0], y + scale * move[1])
                    yield from self._flats(*self._entered(node, inner), mirrored, shifted)
                    continue
                for flat in self._leaves(node, inner) if node.kind == "leaves" else self._shape(node, inner, mirrored):
                    yield flat._replace(points=flat.points * scale + (x, y)) if frame != (1.0, 0.0, 0.0) else flat

    def _shape(self, node: Node, scope: dict, mirrored: bool) -> Iterator[Flat]:
        """The polygons of one shape; words on a mirrored plane are turned round, so that they can be read."""
        options = {key: self._option(node, key, scope) for key in node.options if key != "when"}
        body, fill = options.pop(node.kind), options.pop("fill")
        glow, out = options.pop("glow", False), options.pop("out", 0.0)
        try:
            polygons = SHAPES[node.kind](body, **options)
        except SPOILT as error:
            raise BadValueError(f"{node.place}: {error}") from error
        if mirrored and node.kind == "text":
            polygons = [points * (-1.0, 1.0) + (2 * options["at"][0], 0.0) for points in polygons]
        return (Flat(points, fill, node.words.get("detail"), glow, out) for points in polygons)

    def _leaves(self, node: Node, scope: dict) -> Iterator[Flat]:
        """Clumps of leaves, darker below; with snow many of the upper ones are white."""
        body, size, count = (self._option(node, key, scope) for key in ("leaves", "size", "count"))
        clumps, height = leaves(self.rng, body, size, count, self._option(node, "square", scope, False))
        brightness = DARKEST + RISE * height + self.rng.normal(0, VARIETY, count)
        shades = np.clip(np.array(self._option(node, "fill", scope)) * brightness[:, None], 0, 255)
        if self._option(node, "snow", scope, False):
            white = self.rng.random(count) < SNOWED + SNOWED_RISE * height
            shades[white] += (np.array(colours()["snow"]) - shades[white]) * COVER
        return (Flat(points, tuple(shade)) for points, shade in zip(clumps, shades, strict=True))


def _part(points: np.ndarray, flat: Flat, node: Node) -> Part:
    """A polygon on its plane; whether it is a detail is the face's to say when the shape does not."""
    detail = node.words.get("detail", False) if flat.detail is None else flat.detail
    return Part(points, flat.colour, not detail, flat.glow)

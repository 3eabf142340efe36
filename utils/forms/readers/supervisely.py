"""Supervisely: a JSON file for each picture in `ann`, pictures in `img`, classes in meta.json."""

import base64
import binascii
import zlib
from pathlib import PurePosixPath

import numpy as np

from utils.data_sets.label_files import decode_label
from utils.forms.class_lists import in_order
from utils.forms.content import DataSet, Picture, make_objects
from utils.forms.options import Options
from utils.forms.outlines.shapes import Bitmap, Polygons, Shape, rings_of
from utils.forms.readers.sizes import agreed_size
from utils.forms.readers.texts import read_json_object, readable_json
from utils.forms.source_files import SourceFiles
from utils.forms.split_folders import split_of
from utils.forms.tally import Tally
from utils.model_utils.errors import BadValueError, UserError
from utils.model_utils.guards.json_text import Json, JsonTextError
from utils.progress import track
from utils.words import counted

META = "meta.json"
MOST_BYTES = 64 * 10**6  # of an unpacked bitmap: a PNG file of one bit a pixel
PIXELS = ("polygon", "rectangle", "bitmap")


def read(files: SourceFiles, options: Options, tally: Tally) -> DataSet:
    """Reads the annotations of all folders of a project; the classes are in the order of its meta.json.

    Raises:
        BadValueError: no file can be used.
    """
    del options
    names = [name for name in files.ending_in(".json") if PurePosixPath(name).name != META]
    contents: list[tuple[str, dict]] = []
    for name in track(names, len(names), "reading JSON"):
        content = _read_file(files, name, tally)
        if content is not None:
            contents.append((name, content))
    if not contents:
        raise BadValueError(f"none of {counted(len(names), 'JSON file')} in '{files.root}' is Supervisely's")
    class_names = _class_names(files, contents)
    pictures = [each for name, content in contents if (each := _picture(files, name, content, class_names, tally))]
    for name in files.unused():
        tally.drop("picture", "without a JSON file that can be read", name)
    return DataSet(class_names, pictures, tally)


def is_supervisely(content: Json) -> bool:
    """Whether the value of a JSON file is an annotation of Supervisely's."""
    return (
        isinstance(content, dict) and isinstance(content.get("objects"), list) and isinstance(content.get("size"), dict)
    )


def _read_file(files: SourceFiles, name: str, tally: Tally) -> dict | None:
    content = readable_json(files, name, tally)
    return content if is_supervisely(content) else None


def _class_names(files: SourceFiles, contents: list[tuple[str, dict]]) -> tuple[str, ...]:
    """Returns the classes of meta.json, and behind them those that only objects have."""
    listed: list[str] = []
    for name in (each for each in files.ending_in(".json") if PurePosixPath(each).name == META):
        try:
            classes = read_json_object(files.path(name)).get("classes")
        except JsonTextError as error:
            raise BadValueError(f"'{files.path(name)}' cannot be read: {error}; repair the file") from error
        listed += [_title(each, "title") for each in classes or [] if isinstance(each, dict)]
    used = {_title(each) for _, content in contents for each in content["objects"] if isinstance(each, dict)}
    return tuple(dict.fromkeys([*listed, *in_order(used.difference(listed))]))


def _title(entry: dict, key: str = "classTitle") -> str:
    """Returns the name of a class, "" where there is none."""
    title = entry.get(key)
    return title if isinstance(title, str) else ""


def _picture(
    files: SourceFiles, name: str, content: dict, class_names: tuple[str, ...], tally: Tally
) -> Picture | None:
    path = PurePosixPath(name)
    inside = path.parent.parent / "img" / path.stem  # a.jpg.json is the annotation of a.jpg
    match = files.find(inside.as_posix(), name, split_of(name))
    match = match if match.name is not None else files.find_stem(path.stem, name)
    found = match.name
    if found is None:
        tally.drop("JSON file", match.why_not(), name)
        return None
    size = content["size"].get("height"), content["size"].get("width")
    declared = size if all(type(side) is int and side > 0 for side in size) else None
    agreed = agreed_size(files.path(found), found, declared, tally)
    if agreed is None:
        return None
    labels: list[int] = []
    shapes: list[Shape | None] = []
    for entry in content["objects"]:
        shape = _shape(entry, name, tally)
        if shape is not None:
            labels.append(class_names.index(_title(entry)))
            shapes.append(shape)
    split, objects = files.split_of(name) or _tagged_split(content), make_objects(labels, shapes)
    return Picture(found, files.path(found), split, agreed, objects, rank=match.rank, named_by=name)


def _tagged_split(content: dict) -> str:
    """Returns the split that a tag of the picture names, "" where none does."""
    tags = content.get("tags")
    names = [str(tag.get("name", "")) for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    return next((split for name in names if (split := split_of(name, with_stem=True))), "")


def _shape(entry: Json, name: str, tally: Tally) -> Shape | None:
    kind = entry.get("geometryType") if isinstance(entry, dict) else None
    if kind not in PIXELS:
        tally.drop("object", f"of the kind {str(kind)[:20]!r}, which has no area", name)
        return None
    try:
        shape = _bitmap(entry["bitmap"]) if kind == "bitmap" else _outline(kind, entry["points"])
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error, zlib.error, UserError):
        shape = None
    if shape is None:
        tally.drop("object", "that cannot be read", name)
    return shape


def _outline(kind: str, points: dict) -> Polygons | None:
    """Returns a polygon with its holes, or the four corners of a rectangle."""
    if kind == "rectangle":
        corners = np.array(points["exterior"], np.float64).reshape(2, 2)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        if (
            np.isfinite(corners).all() and (corners % 1 == 0).all()
        ):  # numbers of pixels, the last of which belongs to it
            right, bottom = right + 1, bottom + 1
        exterior = rings_of([[left, top], [right, top], [right, bottom], [left, bottom]])
        return None if exterior is None else Polygons((exterior,))
    exterior = rings_of(points["exterior"])
    holes = tuple(ring for each in points.get("interior") or [] if (ring := rings_of(each)) is not None)
    return None if exterior is None else Polygons((exterior,), holes)


def _bitmap(entry: dict) -> Bitmap:
    """Returns the pixels of a bitmap: base64 of zlib of a PNG file, in whose alpha, else first channel, they lie."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(entry["data"]), MOST_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError("more than a bitmap has")
    left, top = (int(value) for value in entry["origin"])
    return Bitmap(_object_pixels(data), left, top)


def _object_pixels(data: bytes) -> np.ndarray:
    label = decode_label(data, "bitmap")
    return label.alpha > 0 if label.alpha is not None else label.values.reshape(*label.size, -1).max(axis=2) > 0

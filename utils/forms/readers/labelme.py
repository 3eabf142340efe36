"""LabelMe: a JSON file for each picture, whose shapes are polygons, rectangles, circles and masks."""

import base64
import binascii
import functools
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from utils.forms.class_lists import LABELME_NO_CLASS, background_of, find_name_list, in_order
from utils.forms.content import IGNORED, DataSet, Picture, make_objects
from utils.forms.matching import Found
from utils.forms.options import Options
from utils.forms.outlines.shapes import Bitmap, Disk, Polygons, Shape, cropped, mask_of, rings_of
from utils.forms.readers.sizes import agreed_size
from utils.forms.readers.texts import read_json_object, read_lines, readable_json
from utils.forms.source_files import MATCHES, SourceFiles
from utils.forms.tally import Tally
from utils.images import decode_image, read_header
from utils.model_utils.errors import BadValueError, MissingPathError, UserError
from utils.model_utils.guards.json_text import Json, JsonTextError
from utils.progress import track
from utils.words import counted

OWN_LIST = "labels.txt"  # that its option --labels is given
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp", "GIF": ".gif"}
PIXELS = {"polygon", "rectangle", "circle", "mask"}  # kinds of shapes that have an area


@dataclass(frozen=True)
class _Object:
    """One or several shapes that are one object."""

    label: str
    shape: Shape


def read(files: SourceFiles, options: Options, tally: Tally) -> DataSet:
    """Reads all JSON files with shapes, and the pictures that they name or hold.

    Shapes of one label and one group_id are one object: of polygons one with several rings, else the pixels of all.

    Raises:
        BadValueError: no file can be used.
    """
    del options
    names = files.ending_in(".json")
    stems = Counter(PurePosixPath(name).stem.lower() for name in names)
    found: list[tuple[Picture | None, list[_Object]]] = []
    for name in track(names, len(names), "reading JSON"):
        content = _read_file(files, name, tally)
        if content is not None:
            picture = _picture(files, name, content, stems, tally)
            found.append((picture, _objects(content["shapes"], name, picture.size if picture else None, tally)))
    if not found:
        raise BadValueError(f"none of {counted(len(names), 'JSON file')} in '{files.root}' is LabelMe's, with 'shapes'")
    class_names, note = _class_names(files, {each.label for _, objects in found for each in objects})
    index_of = {name: index for index, name in enumerate(class_names)}
    pictures = []
    for picture, objects in found:
        labels = [index_of.get(each.label, IGNORED) for each in objects]
        columns = make_objects(labels, [each.shape for each in objects])
        if picture is not None:
            pictures.append(replace(picture, objects=columns))
    for name in files.unused():
        tally.drop("picture", "without a JSON file that can be read", name)
    return DataSet(class_names, pictures, tally, [note], background=background_of(class_names))


def is_labelme(content: Json) -> bool:
    """Whether the value of a JSON file is one of LabelMe's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def _read_file(files: SourceFiles, name: str, tally: Tally) -> dict | None:
    content = readable_json(files, name, tally)
    if content is not None and not is_labelme(content):
        tally.drop("JSON file", "without 'shapes'", name)
        return None
    return content


def _class_names(files: SourceFiles, used: set[str]) -> tuple[tuple[str, ...], str]:
    """Returns the classes, those of a list in its order, and a sentence."""
    listed = find_name_list(files, OWN_LIST)
    names = list(dict.fromkeys(read_lines(files.path(listed)))) if listed else []
    others = in_order(used.difference(names))
    names = [name for name in (*names, *others) if name.lower() != LABELME_NO_CLASS]
    return tuple(names), f"class names are those of {listed}" if listed else "class names are in alphabetical order"


def _objects(shapes: list, name: str, size: tuple[int, int] | None, tally: Tally) -> list[_Object]:
    """Returns the objects of a file, in the order of their first shapes.

    Args:
        shapes: of the file.
        name: of the file.
        size: (height, width) of the picture; None where there is none, and the labels alone count.
        tally: counts shapes that are left out.
    """
    groups: dict[object, list[_Object]] = {}
    for number, entry in enumerate(shapes):
        entry = entry if isinstance(entry, dict) else {}
        kind = entry.get("shape_type") or "polygon"
        if kind not in PIXELS:
            tally.drop("shape", f"of the kind {str(kind)[:20]!r}, which has no area", name)
            continue
        label, shape = entry.get("label"), _shape(kind, entry)
        if not isinstance(label, str) or shape is None:
            tally.drop("shape", "that cannot be read", name)
            continue
        group = entry.get("group_id")
        is_grouped = isinstance(group, int | str)
        groups.setdefault((label, group) if is_grouped else number, []).append(_Object(label, shape))
    return [_merged(group, size) for group in groups.values()]


def _merged(group: list[_Object], size: tuple[int, int] | None) -> _Object:
    if len(group) == 1 or size is None:
        return group[0]
    if all(isinstance(each.shape, Polygons) for each in group):
        rings = tuple(ring for each in group if isinstance(each.shape, Polygons) for ring in each.shape.rings)
        return _Object(group[0].label, Polygons(rings))
    pixels = np.logical_or.reduce([mask_of(each.shape, size) for each in group])
    return _Object(group[0].label, cropped(pixels))


def _shape(kind: str, entry: dict) -> Shape | None:
    """Returns the outline of a shape; None where its points or its mask are no such thing."""
    try:
        points = np.array(entry.get("points"), np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        return None
    if not np.isfinite(points).all():
        return None
    if kind == "polygon":
        ring = rings_of(points.tolist())
        return None if ring is None else Polygons((ring,))
    if len(points) != 2:
        return None
    if kind == "circle":
        radius = float(np.hypot(*(points[1] - points[0])))
        return Disk((float(points[0, 0]), float(points[0, 1])), radius)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if kind == "rectangle":
        return Polygons((np.array([[left, top], [right, top], [right, bottom], [left, bottom]]),))
    data = _decoded(entry.get("mask"))
    try:
        pixels = decode_image(data, "mask")[..., 0] > 0 if data else None
    except UserError:
        return None
    return None if pixels is None else Bitmap(pixels, round(left), round(top))


def _picture(files: SourceFiles, name: str, content: dict, stems: Counter[str], tally: Tally) -> Picture | None:
    """Returns a file's picture, without objects: the one that it names, else one of its name, else the one in it.

    Where the one that it names has a file of its own, as `stems` tells, one of its name counts first: files and
    pictures were given other names together.
    """
    declared, split = _declared_size(content), files.split_of(name)
    named, path = content.get("imagePath"), PurePosixPath(name)
    found = files.find(named, name) if isinstance(named, str) and named else Found(None)
    other = PurePosixPath(found.name or name).stem.lower()
    if found.name is None or (other != path.stem.lower() and other in stems):
        own = files.find_stem(path.stem, name)
        found = own if own.name is not None or found.name is None else found
    if found.name is not None and _holds_another(files, found, content, stems[path.stem.lower()]):
        found = Found(None)
    if found.name is not None:
        size = agreed_size(files.path(found.name), found.name, declared, tally)
        rank = (int(PurePosixPath(found.name).stem == path.stem), *found.rank)
        where = files.path(found.name)
        return None if size is None else Picture(found.name, where, split, size, rank=rank, named_by=name)
    data = _decoded(content.get("imageData"))
    if not data:
        tally.drop("JSON file", found.why_not(), name)
        return None
    try:
        header = read_header(data, name)
    except UserError:
        tally.drop("JSON file", "with an imageData that is no picture", name)
        return None
    if declared not in (None, (header.height, header.width)):
        tally.drop("JSON file", "with an imageData of another size than it says", name)
        return None
    tally.change("picture", "taken out of a JSON file", name)
    inner = path.with_suffix(SUFFIXES.get(header.file_format, ".png")).as_posix()
    reader = functools.partial(_read_inline, files.path(name))
    return Picture(inner, None, split, (header.height, header.width), read_inline=reader)


def _holds_another(files: SourceFiles, found: Found, content: dict, num_of_stem: int) -> bool:
    """Whether a file holds another picture than the one of its name, which may be that of another file of this name."""
    if num_of_stem == 1 or found.name is None or found.rank[0] == len(MATCHES):
        return False
    data = _decoded(content.get("imageData"))
    try:
        return bool(data) and data != files.path(found.name).read_bytes()
    except OSError:
        return False


def _read_inline(path: Path) -> bytes:
    """Returns the picture in a file; all of a data set at once would fill the memory."""
    try:
        return _decoded(read_json_object(path).get("imageData"))
    except JsonTextError as error:
        raise MissingPathError(f"'{path}' has changed while it was converted: {error}") from error


def _declared_size(content: dict) -> tuple[int, int] | None:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    is_size = type(height) is int and type(width) is int and height > 0 and width > 0
    return (height, width) if is_size else None  # type: ignore[return-value]  # both are whole numbers


def _decoded(text: object) -> bytes:
    """Returns the bytes of a base64 text, b"" where it is none."""
    try:
        return base64.b64decode(text, validate=False) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""

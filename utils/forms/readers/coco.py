"""COCO's JSON in any layout: COCO's own, Roboflow's, CVAT's, Label Studio's, or files of other names."""

import functools
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from utils.detection.annotations.coco_content import read_coco_content
from utils.detection.annotations.entries import AnnotationColumns
from utils.detection.boxes import xywh_to_xyxy
from utils.forms.class_lists import RENAMED
from utils.forms.content import DataSet, Objects, Picture, make_objects
from utils.forms.options import Options
from utils.forms.outlines.shapes import Polygons, RunLengths, Shape, box_of, decode, rings_of
from utils.forms.readers.sizes import agreed_size
from utils.forms.source_files import SourceFiles
from utils.forms.tally import Tally
from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.json_text import Json

PREFERRED = "instances"  # how COCO's files of boxes begin
REFERENCES = {"image_id": "images", "category_id": "categories"}  # of an annotation
OTHER_TASKS = ("captions", "person_keypoints", "stuff", "panoptic", "image_info")  # how its others do


def read(files: SourceFiles, options: Options, tally: Tally) -> DataSet:
    """Reads all annotation files, those of splits first; categories of one name are one class.

    Raises:
        BadValueError: a file is not what the format asks for, or none can be used.
    """
    del options
    sources = annotation_files(files)
    if not sources:
        raise BadValueError(f"no JSON file in '{files.root}' has COCO's 'images' and 'categories'")
    sources.sort(key=lambda name: (not files.split_of(name, with_stem=True), name))
    contents = [
        read_coco_content(
            files.path(name), for_training=False, complete=functools.partial(_complete, source=name, tally=tally)
        )
        for name in sources
    ]
    names = {
        each["name"]: None
        for content, _ in contents
        for each in sorted(content["categories"], key=lambda category: category["id"])
        if "is_root" not in each
    }
    class_names = tuple(names)
    pictures = [
        picture
        for name, (content, columns) in zip(sources, contents, strict=True)
        for picture in _pictures(files, name, content, columns, class_names, tally)
    ]
    roots = {each["name"] for content, _ in contents for each in content["categories"] if "is_root" in each}
    for name, (content, _) in zip(sources, contents, strict=True):
        for each in content["categories"]:
            if "twin_of" in each:
                tally.change("class", RENAMED, f"{name}: {each['name']}")
    notes = [f"annotations: {', '.join(sources)}"]
    notes += [f"category 0, {name!r}, has no box: it is a group or background, and no class" for name in sorted(roots)]
    for name in files.unused():
        tally.drop("picture", "in no annotation file", name)
    return DataSet(class_names, sorted(pictures, key=lambda picture: picture.name), tally, notes)


def annotation_files(files: SourceFiles) -> list[str]:
    """Returns the files that hold COCO's lists, of COCO's own set those with boxes."""
    found = [name for name in files.ending_in(".json") if has_coco_lists(_bytes(files, name))]
    instances = [name for name in found if PurePosixPath(name).name.startswith(PREFERRED)]
    others = [name for name in found if not PurePosixPath(name).name.startswith(OTHER_TASKS)]
    return instances or others or found


def has_coco_lists(data: bytes) -> bool:
    """Whether the bytes of a JSON file name COCO's lists."""
    return b'"images"' in data and b'"categories"' in data


def _bytes(files: SourceFiles, name: str) -> bytes:
    try:
        return files.path(name).read_bytes()
    except OSError:
        return b""


def _complete(content: dict, source: str, tally: Tally) -> None:
    """Gives annotations boxes where they have outlines alone, and leaves out those that cannot be used, in place.

    The content is not looked at yet: whatever stands there is taken for what it is.
    """
    _add_boxes(content, source, tally)
    known = {key: {_id(each.get("id")) for each in content[section]} - {None} for key, section in REFERENCES.items()}
    kept = []
    for each in content["annotations"]:
        unknown = next((key for key in known if _id(each.get(key)) not in known[key]), None)
        if unknown is not None:
            tally.drop("annotation", f"whose {unknown} the file does not have", f"{source}: {short(each.get(unknown))}")
        elif not _is_box(each.get("bbox")):
            tally.drop("annotation", "whose bbox is no four numbers", f"{source}: {short(each.get('bbox'))}")
        else:
            kept.append(each)
    content["annotations"] = kept


def _id(value: Json) -> int | float | None:
    """Returns an id; None for what is none."""
    return value if type(value) in (int, float) else None


def _is_box(value: Json) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(type(each) in (int, float) for each in value)


def _add_boxes(content: dict, source: str, tally: Tally) -> None:
    """Puts the box around its outline where an annotation has none."""
    images = {str(each.get("id")): each for each in content["images"]}
    for each in content["annotations"]:
        outline = each.get("segmentation")
        if each.get("bbox") or not outline:
            continue
        image = images.get(str(each.get("image_id")), {})
        height, width = image.get("height"), image.get("width")
        if not isinstance(outline, dict):
            shape: Shape | None = _polygons(outline)
        else:
            shape = _runs(outline, (height, width)) if type(height) is int and type(width) is int else None
        box = None if shape is None else box_of(shape)
        if box is not None and np.isfinite(box).all():
            each["bbox"] = [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]
            tally.change("annotation", "without a box: it gets the one around its outline", source)


def _pictures(
    files: SourceFiles,
    source: str,
    content: dict,
    columns: AnnotationColumns,
    class_names: Sequence[str],
    tally: Tally,
) -> list[Picture]:
    tally.drop("box", "with a negative side", source, columns.dropped.empty)
    tally.drop("box", "with coordinates that are no numbers", source, columns.dropped.not_finite)
    index_of = {name: index for index, name in enumerate(class_names)}
    classes = np.array([index_of.get(each["name"], -1) for each in content["categories"]], np.int64)
    labels, boxes = classes[columns.category_index], xywh_to_xyxy(columns.boxes_xywh)
    order = np.argsort(columns.image_index, kind="stable")
    ends = np.cumsum(np.bincount(columns.image_index, minlength=len(content["images"])))[:-1]
    split = files.split_of(source, with_stem=True)
    pictures = []
    for image, rows in zip(content["images"], np.split(order, ends), strict=True):
        found = files.find(image["file_name"], source, split)
        name, entry = found.name, f"{source}: {image['file_name']}"
        if name is None:
            tally.drop("entry" if found.num_alike else "picture", found.why_not("missing"), entry)
            continue
        size = agreed_size(files.path(name), name, (image["height"], image["width"]), tally)
        if size is None:
            continue
        shapes = [_shape(content["annotations"][row], size, name, tally) for row in rows]
        objects = make_objects(labels[rows], shapes, boxes[rows], columns.is_crowd[rows], columns.areas[rows])
        pictures.append(
            Picture(
                name,
                files.path(name),
                split,
                size,
                _known(objects),
                listed_name=image["file_name"],
                rank=found.rank,
                named_by=entry,
            )
        )
    return pictures


def _known(objects: Objects) -> Objects:
    """Returns the objects of classes; a root has none."""
    return objects.chosen(objects.labels >= 0)


def _shape(annotation: dict, size: tuple[int, int], name: str, tally: Tally) -> Shape | None:
    """Returns the outline of an annotation; None where there is none, or none that can be read."""
    outline = annotation.get("segmentation")
    if not outline:
        return None
    shape = _runs(outline, size) if isinstance(outline, dict) else _polygons(outline)
    if shape is None:
        tally.change("outline", "that cannot be read: only the box counts", name)
    return shape


def _polygons(outline: object) -> Polygons | None:
    parts = outline if isinstance(outline, list) else []
    lists = [part if isinstance(part, list) and len(part) % 2 == 0 else [] for part in parts]
    rings = [rings_of(list(zip(part[::2], part[1::2], strict=True))) for part in lists]
    whole = tuple(ring for ring in rings if ring is not None)
    return Polygons(whole) if whole and len(whole) == len(rings) else None


def _runs(outline: dict, size: tuple[int, int]) -> RunLengths | None:
    counts = outline.get("counts")
    if outline.get("size") != list(size):
        return None
    try:
        runs = RunLengths(size, counts.encode() if isinstance(counts, str) else np.array(counts, np.int64).reshape(-1))
        decode(runs)
    except (TypeError, ValueError, OverflowError):
        return None
    return runs

"""Pictures count once, boxes that cannot be used are left out, what leaves its picture is cut; all that is counted."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from utils.detection.boxes import box_area, clip_boxes
from utils.forms.content import Objects, Picture
from utils.forms.outlines.clipping import inside_of, is_inside
from utils.forms.outlines.shapes import box_of
from utils.forms.tally import Tally

ROUNDING_PIXELS = 1.0  # annotators round outwards; what is cut by less is not worth a word


def once_each(pictures: Sequence[Picture], tally: Tally) -> list[Picture]:
    """Returns each picture once, with what the annotation says that fits it best.

    Of two that fit alike the first one counts. One that fits less means a picture that is not there: of two of one name
    in two folders one is missing.
    """
    best: dict[str, tuple[int, ...]] = {}
    for picture in pictures:
        best[picture.name] = max(picture.rank, best.get(picture.name, ()))
    first: dict[str, Picture] = {}
    for picture in pictures:
        if picture.rank < best[picture.name]:
            what = "missing: the only one of its name belongs to another annotation"
            tally.drop("picture", what, picture.named_by or picture.name)
        elif first.setdefault(picture.name, picture) is not picture:
            tally.drop("entry", "of a picture that an earlier one has too", picture.name)
    return list(first.values())


def with_usable_boxes(pictures: Sequence[Picture], tally: Tally) -> list[Picture]:
    """Returns the pictures with the objects that can be used."""
    return [
        picture if picture.objects is None else replace(picture, objects=_usable(picture.objects, picture, tally))
        for picture in pictures
    ]


def _usable(objects: Objects, picture: Picture, tally: Tally) -> Objects:
    boxes, (height, width) = objects.boxes, picture.size
    is_finite = np.isfinite(boxes).all(axis=1)
    boxes = np.where(is_finite[:, None], boxes, 0.0)
    is_empty = is_finite & (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    inside, is_nowhere = _inside(replace(objects, boxes=boxes), picture, tally)
    clipped = clip_boxes(inside.boxes, np.full(len(boxes), height), np.full(len(boxes), width))
    is_outside = is_finite & ~is_empty & (is_nowhere | (clipped[:, 2:] <= clipped[:, :2]).any(axis=1))
    is_kept = is_finite & ~is_empty & ~is_outside
    is_cut = is_kept & (np.abs(clipped - boxes) > ROUNDING_PIXELS).any(axis=1)
    tally.drop("box", "with coordinates that are no numbers", picture.name, int((~is_finite).sum()))
    tally.drop("box", "without area", picture.name, int(is_empty.sum()))
    tally.drop("box", "outside the picture", picture.name, int(is_outside.sum()))
    tally.change("box", "cut at the border of the picture", picture.name, int(is_cut.sum()))
    areas = np.where((clipped != boxes).any(axis=1), np.minimum(inside.areas, box_area(clipped)), inside.areas)
    return replace(inside, boxes=clipped, areas=areas).chosen(is_kept)


def _inside(objects: Objects, picture: Picture, tally: Tally) -> tuple[Objects, np.ndarray]:
    """Returns the objects with what lies inside the picture of their outlines, and bool[N], which have no such part.

    Where a box was the one around its outline, it becomes the one around that part; so does the area.
    """
    shapes, boxes, areas = list(objects.shapes), objects.boxes.copy(), objects.areas.copy()
    is_nowhere = np.zeros(len(shapes), bool)
    for row, shape in enumerate(shapes):
        if shape is None or is_inside(shape, picture.size):
            continue
        shapes[row], areas[row] = inside_of(shape, picture.size), np.nan
        is_around = np.allclose(box_of(shape), boxes[row], rtol=0, atol=ROUNDING_PIXELS)
        part = shapes[row]
        if part is not None and is_around:
            boxes[row] = box_of(part)
        elif part is None and is_around:
            is_nowhere[row] = True
        elif part is None:
            tally.change("outline", "outside the picture: only the box counts", picture.name)
    return replace(objects, boxes=boxes, shapes=tuple(shapes), areas=areas), is_nowhere

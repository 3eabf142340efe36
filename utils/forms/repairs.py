"""Boxes that cannot be used are left out, and those that leave their picture are cut at its border; all are counted."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from utils.detection.boxes import clip_boxes
from utils.forms.content import Objects, Picture
from utils.forms.tally import Tally

ROUNDING_PIXELS = 1.0  # annotators round outwards; what is cut by less is not worth a word


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
    clipped = clip_boxes(boxes, np.full(len(boxes), height), np.full(len(boxes), width))
    is_outside = is_finite & ~is_empty & (clipped[:, 2:] <= clipped[:, :2]).any(axis=1)
    is_kept = is_finite & ~is_empty & ~is_outside
    is_cut = is_kept & (np.abs(clipped - boxes) > ROUNDING_PIXELS).any(axis=1)
    tally.drop("box", "with coordinates that are no numbers", picture.name, int((~is_finite).sum()))
    tally.drop("box", "without area", picture.name, int(is_empty.sum()))
    tally.drop("box", "outside the picture", picture.name, int(is_outside.sum()))
    tally.change("box", "cut at the border of the picture", picture.name, int(is_cut.sum()))
    return replace(objects, boxes=clipped).chosen(is_kept)

"""Boxes and ids from outlines, against examples worked by hand."""

import numpy as np

from utils.sample_data.drawing.canvas import Outline
from utils.sample_data.drawing.parts import Item
from utils.sample_data.labels import instance_ids, label_ids, paint_indices, targets, visible_boxes


def rectangle(label, left, top, right, bottom, category=None, crowd=False):
    """An outline over pixels left..right and top..bottom, all inclusive."""
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    item = Item(label, (), category=category, crowd=crowd)
    return Outline(item, corners, (right - left + 1) * (bottom - top + 1))


SKY = rectangle("sky", 0, 0, 99, 63)


def test_a_box_holds_only_what_is_seen_of_a_half_hidden_object():
    """A car over columns 10-49; a bus over columns 30-69 stands before it: columns 10-29 of the car are left."""
    car, bus = rectangle("car", 10, 20, 49, 39, "car"), rectangle("bus", 30, 10, 69, 45, "bus")
    found = targets([SKY, car, bus], paint_indices([SKY, car, bus], 64, 100))
    assert [(target.category, target.box) for target in found] == [("car", (10, 20, 30, 40)), ("bus", (30, 10, 70, 46))]
    assert [int(target.mask.sum()) for target in found] == [20 * 20, 40 * 36]


def test_an_object_of_which_less_than_a_fifth_is_seen_is_no_target():
    """Of 40 columns the bus leaves 7 (17.5 %), or 8 (20 %)."""
    car = rectangle("car", 10, 20, 49, 39, "car")
    for first, kept in ((17, False), (18, True)):
        outlines = [SKY, car, rectangle("bus", first, 10, 69, 45, "bus")]
        names = [target.category for target in targets(outlines, paint_indices(outlines, 64, 100))]
        assert ("car" in names) == kept


def test_an_object_narrower_than_eight_pixels_at_512_rows_is_no_target():
    sky = rectangle("sky", 0, 0, 99, 511)
    for right, kept in ((16, False), (17, True)):  # 7 and 8 columns from column 10
        outlines = [sky, rectangle("person", 10, 20, right, 60, "person")]
        assert bool(targets(outlines, paint_indices(outlines, 512, 100))) == kept


def test_what_is_fully_hidden_has_no_pixels_and_an_empty_box():
    outlines = [SKY, rectangle("car", 20, 20, 29, 29, "car"), rectangle("bus", 10, 10, 69, 45, "bus")]
    areas, boxes = visible_boxes(paint_indices(outlines, 64, 100), 3)
    assert areas.tolist() == [64 * 100 - 60 * 36, 0, 60 * 36]
    assert boxes.tolist() == [[0, 0, 100, 64], [0, 0, 0, 0], [10, 10, 70, 46]]


def test_instances_are_numbered_per_class_and_groups_are_not():
    outlines = [
        SKY,
        rectangle("car", 0, 0, 9, 9),
        rectangle("car", 10, 0, 19, 9),
        rectangle("persongroup", 20, 0, 29, 9, "person", crowd=True),
        rectangle("rider", 30, 0, 39, 9),
        rectangle("pole", 40, 0, 49, 9),
    ]
    indices = paint_indices(outlines, 64, 100)
    assert instance_ids(outlines, indices)[0, ::10].tolist() == [26000, 26001, 24, 25000, 17, 23, 23, 23, 23, 23]
    assert label_ids(outlines, indices)[0, ::10].tolist() == [26, 26, 24, 25, 17, 23, 23, 23, 23, 23]


def test_an_empty_scene_has_no_targets():
    assert targets([SKY], paint_indices([SKY], 64, 100)) == []

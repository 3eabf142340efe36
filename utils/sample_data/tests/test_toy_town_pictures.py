"""What is drawn: determinism and content."""

import numpy as np
import pytest

from utils.sample_data.drawing.camera import Camera
from utils.sample_data.drawing.canvas import Canvas
from utils.sample_data.drawing.light import Light
from utils.sample_data.drawing.parts import Face, Item, Part
from utils.sample_data.labels import CITYSCAPES_IDS, COCO_CATEGORIES, label_ids, targets
from utils.sample_data.render import draw_picture

NOON = Light("day", "dry", np.ones(3), np.array([0.0, 1.0, 0.0]), 1.0, (0, 0, 0), (0, 0, 0), (0, 0, 0), 0.0, 1e9)


def rectangle(half, high, colour):
    """An upright part around the origin, in metres."""
    return Part(np.array([[-half, 0, 0], [half, 0, 0], [half, high, 0], [-half, high, 0]], float), colour)


@pytest.fixture(scope="module")
def forty():
    return [draw_picture(5, "train", index, 128, 256) for index in range(40)]


def test_the_same_seed_gives_the_same_pixels_and_labels():
    first, second = (draw_picture(7, "val", 3, 128, 256) for _ in range(2))
    assert np.array_equal(first.image, second.image) and np.array_equal(first.indices, second.indices)


@pytest.mark.parametrize("other", [(8, "val", 3), (7, "train", 3), (7, "val", 4)])
def test_another_seed_split_or_index_gives_another_picture(other):
    assert not np.array_equal(draw_picture(7, "val", 3, 128, 256).image, draw_picture(*other, 128, 256).image)


def test_every_cityscapes_label_and_coco_category_occurs_in_forty_scenes(forty):
    seen = {number for picture in forty for number in np.unique(label_ids(picture.outlines, picture.indices))}
    assert seen == {number for number, _ in CITYSCAPES_IDS.values()}
    names = {target.category for picture in forty for target in targets(picture.outlines, picture.indices)}
    assert names == set(COCO_CATEGORIES)


def test_scenes_have_about_ten_targets_and_no_class_takes_most_of_them(forty):
    names = [target.category for picture in forty for target in targets(picture.outlines, picture.indices)]
    assert 6 <= len(names) / len(forty) <= 14
    counts = np.array([names.count(name) for name in COCO_CATEGORIES])
    assert counts.min() >= 10 and counts.max() <= 0.45 * len(names)


def test_every_rider_has_a_two_wheeler_at_the_same_place(forty):
    items = [[outline.item for outline in picture.outlines] for picture in forty]
    riders = [(item, scene) for scene in items for item in scene if item.label == "rider"]
    machines = ("bicycle", "motorcycle")
    assert riders and all(item.category == "person" for item, _ in riders)
    places = [{(other.x, other.z) for other in scene if other.label in machines} for _, scene in riders]
    assert sum((item.x, item.z) in spots for (item, _), spots in zip(riders, places, strict=True)) >= 0.95 * len(riders)


def test_the_outline_of_a_rectangle_is_where_the_camera_projects_it():
    """2 m wide and 3 m high, 10 m away, 50 pixels per metre at 1 m: 10 by 15 pixels, standing on row 40 + 10."""
    camera = Camera(100, 200, focal=50.0, horizon=40.0, eye=2.0)
    canvas = Canvas(camera, NOON)
    item = Item("car", (Face((rectangle(1, 3, (200, 0, 0)),)),), z=10.0)
    outline = canvas.draw(item)
    assert outline.polygon.min(axis=0).tolist() == [95, 35] and outline.polygon.max(axis=0).tolist() == [104, 49]
    assert outline.area == 150
    red = canvas.picture()[..., 0] > 90
    assert red[35:50, 95:105].all() and red[34:51, 94:106].sum() <= 150 + 54


def test_what_is_outside_of_the_picture_has_no_outline():
    canvas = Canvas(Camera(100, 200, focal=50.0, horizon=40.0, eye=2.0), NOON)
    assert canvas.draw(Item("car", (Face((rectangle(1, 3, (200, 0, 0)),)),), x=100.0, z=10.0)) is None


def test_a_face_that_looks_away_is_not_drawn():
    canvas = Canvas(Camera(100, 200, focal=50.0, horizon=40.0, eye=2.0), NOON)
    near = Face((rectangle(1, 3, (0, 0, 200)),), np.array([0.0, 0.0, -1.0]))
    away = Face((rectangle(3, 3, (200, 0, 0)),), np.array([0.0, 0.0, 1.0]))
    canvas.draw(Item("car", (away, near), z=10.0))
    assert canvas.pixels[..., 0].max() == 0 and canvas.pixels[..., 2].max() > 100

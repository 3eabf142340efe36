"""Drawings: boxes where they belong, labels inside the picture, nothing that a class name or a size can break."""

import numpy as np
import pytest

from utils.detection.results.pictures import drawing

GREY = np.full((480, 640, 3), 128, np.uint8)


def draw(boxes, *, image=GREY, names=("cat", "dog"), labels=None, scores=None, **options):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels = np.zeros(len(boxes), int) if labels is None else labels
    scores = np.full(len(boxes), 0.9) if scores is None else scores
    return drawing.draw_detections(image, boxes, labels, scores, names, **options)


def changed_area(picture: np.ndarray, image=GREY) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((picture != image).any(axis=-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_the_outline_has_the_colour_of_the_class_and_the_inside_is_left():
    picture = draw([[200, 200, 400, 400]], labels=[1])
    np.testing.assert_allclose(picture[300, 200], drawing.class_color(1), atol=40)
    assert (picture[300, 300] == 128).all()
    left, top, right, bottom = changed_area(picture)
    assert left >= 198
    assert right <= 402
    assert bottom <= 402
    assert 170 < top < 200  # the label stands on the box


@pytest.mark.parametrize("box", [[0, 0, 20, 20], [620, 0, 640, 20], [600, 460, 640, 480], [-50, -50, 700, 500]])
def test_labels_stay_in_the_picture(box):
    picture = draw([box], names=("a rather long class name",))
    left, top, right, bottom = changed_area(picture)
    assert right - left > 150  # the whole text is there
    assert bottom - top > 15
    assert picture.shape == GREY.shape


def test_nothing_to_draw_changes_nothing():
    assert np.array_equal(draw(np.zeros((0, 4))), GREY)
    assert np.array_equal(draw([[1, 1, 50, 50]], scores=np.array([0.1]), min_score=0.3), GREY)
    assert np.array_equal(draw([[1, 1, float("nan"), 50]]), GREY)


def test_the_image_itself_is_not_changed():
    image = GREY.copy()
    draw([[10, 10, 200, 200]], image=image)
    assert np.array_equal(image, GREY)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (40, 60), (2, 900), (300, 200), (2100, 3000)])
def test_any_size_of_picture(size):
    image = np.full((*size, 3), 60, np.uint8)
    picture = draw([[0, 0, size[1], size[0]]], image=image)
    assert picture.shape[0] % size[0] == 0
    assert picture.shape[1] * size[0] == picture.shape[0] * size[1]
    assert min(size) < drawing.MIN_SIDE or picture.shape[:2] == size


@pytest.mark.parametrize("name", ["赤血球", "Тромбоцит", "خلية", "🦓", "", "a\nb\tc", "\x00", "x" * 500])
def test_any_class_name(name):
    assert draw([[100, 100, 200, 200]], names=(name,)).shape == GREY.shape


def test_label_without_a_name():
    assert draw([[100, 100, 200, 200]], names=(), labels=[5]).shape == GREY.shape


def test_colours_are_fixed_and_distinct():
    colors = [drawing.class_color(label) for label in range(80)]
    assert colors == [drawing.class_color(label) for label in range(80)]
    assert len(set(colors)) == 80


def test_labels_of_neighbours_avoid_each_other():
    tags = np.zeros((0, 4), np.float32)
    for _ in range(3):
        tag = drawing._place_tag(np.array([100, 100, 300, 300], np.float32), (60, 20), tags, (480, 640))
        tags = np.concatenate([tags, tag[None]])
    assert drawing.pairwise_intersection(tags, tags).sum() == pytest.approx(3 * 60 * 20)  # only with themselves

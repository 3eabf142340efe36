"""What the report of a detector counts: beside pycocotools, and worked by hand."""

import json

import numpy as np
import pytest

from utils.detection.results.counting import count
from utils.detection.results.report.confusion import (
    PictureCounts,
    best_pictures,
    confusion_matrix,
    count_pictures,
    worst_pictures,
)
from utils.detection.results.report.errors import KINDS, count_errors, find_errors
from utils.detection.results.report.matching import match_all
from utils.detection.results.report.precision import (
    best_scores,
    f1_at_scores,
    f1_of_all,
    mean_precision,
    precision_at_recalls,
    rank,
    ranked,
)

CAT, DOG = 3, 8  # category ids


def truth_of(*rows):
    """Rows: image id, category id, box xywh, is crowd."""
    annotations = [
        {"image_id": image, "category_id": category, "bbox": list(box), "iscrowd": crowd, "area": box[2] * box[3]}
        for image, category, box, crowd in rows
    ]
    return {"annotations": annotations, "images": [{"id": 1}, {"id": 2}]}


def found_of(*rows):
    """Rows: image id, category id, box xywh, score."""
    return [
        {"image_id": image, "category_id": category, "bbox": list(box), "score": score}
        for image, category, box, score in rows
    ]


def match(truth, found):
    return match_all(truth, found, (1, 2), (CAT, DOG))


# A box of 10 x 10, moved to the right by 2, 4 and 8, has IoU 80/120, 60/140 and 20/180 with it.
BOX, FAR = (0, 0, 10, 10), (50, 50, 10, 10)
TRUTH = truth_of((1, CAT, BOX, 0), (1, DOG, FAR, 0), (2, CAT, BOX, 0), (2, DOG, FAR, 0), (2, DOG, (90, 0, 9, 9), 1))
FOUND = found_of(
    (1, CAT, (2, 0, 10, 10), 0.9),  # right: IoU 0.67
    (1, CAT, BOX, 0.8),  # the better box comes second: duplicate
    (1, CAT, FAR, 0.7),  # a dog: class
    (2, CAT, (4, 0, 10, 10), 0.6),  # IoU 0.43 with a cat: localisation
    (2, CAT, (58, 50, 10, 10), 0.5),  # IoU 0.11 with a dog: class and localisation
    (2, DOG, (20, 20, 5, 5), 0.4),  # background
    (2, DOG, (90, 0, 9, 9), 0.3),  # of a crowd
)


def test_each_kind_of_error_is_told():
    found = match(TRUTH, FOUND)
    errors = find_errors(found)
    # detections of the match stand by picture, class and falling score, as they do above
    names = [KINDS[kind] if kind >= 0 else "" for kind in errors.kind.tolist()]
    assert names == ["", "duplicate", "class", "localisation", "class and localisation", "background", ""]
    assert errors.truth.tolist() == [-1, -1, 1, 2, -1, -1, -1]
    assert found.is_right.tolist() == [True, *[False] * 6]
    assert found.is_ignored.tolist() == [*[False] * 6, True]


def test_mending_one_kind_gives_its_ap50():
    """Two boxes of each class. Cats by score: right, duplicate, class, localisation, both; dogs: background.

    AP50 of cats is 51 of 101 recalls (0 to 0.50) at precision 1, that of dogs 0. With the class mended the dog of
    picture 1 is found at precision 1 before the background: 51/101 too. With the place mended the second cat is found
    after three others, at precision 2/4: 51/101 + 50/101 / 2. The other kinds lie behind what is right, or right ones
    have full precision anyway. One dog is missed: without it one dog is to be found, still not found.
    """
    found = match(TRUTH, FOUND)
    by_name = {each.name: each for each in count_errors(found, find_errors(found), 0.55)}
    half = 51 / 101
    assert mean_precision(rank(found)) == pytest.approx(half / 2)
    assert by_name["class"].gain == pytest.approx(half / 2)
    assert by_name["localisation"].gain == pytest.approx(50 / 101 / 2 / 2)
    for name in ("duplicate", "class and localisation", "background", "missed"):
        assert by_name[name].gain == pytest.approx(0.0)
    assert {name: each.num_all for name, each in by_name.items()} == dict.fromkeys(KINDS, 1)
    shown = {name: each.num_shown for name, each in by_name.items()}
    assert shown == {**dict.fromkeys(KINDS, 1), "class and localisation": 0, "background": 0}


def test_the_matrix_has_a_row_and_a_column_of_background():
    """From 0.35 on: a cat is right; a dog was taken for a cat; the duplicate, the two that are only near, and the one
    of nothing have no box; a cat and a dog are missed. The crowd is nowhere."""
    wanted = [[1, 0, 1], [1, 0, 1], [3, 1, 0]]
    assert confusion_matrix(match(TRUTH, FOUND), 0.35).tolist() == wanted
    assert confusion_matrix(match(TRUTH, FOUND), 0.95).tolist() == [[0, 0, 2], [0, 0, 2], [0, 0, 0]]


def test_a_free_box_goes_to_the_highest_score_and_its_own_class_comes_first():
    """Both detections lie on the one dog: the cat has the higher score, yet the dog's own detection finds it."""
    truth = truth_of((1, DOG, BOX, 0))
    found = found_of((1, CAT, BOX, 0.9), (1, DOG, (2, 0, 10, 10), 0.5))
    assert confusion_matrix(match(truth, found), 0.0).tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]
    # below the score of the dog's detection the dog is taken for a cat
    assert confusion_matrix(match(truth, found), 0.6).tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_pictures_are_counted_and_sorted():
    counts = count_pictures(match(TRUTH, FOUND), 0.35)
    assert (counts.right.tolist(), counts.wrong.tolist(), counts.missed.tolist()) == ([1, 0], [2, 3], [1, 2])
    assert counts.f1.tolist() == [2 / 5, 0.0]
    of_five = PictureCounts(np.array([3, 0, 0, 2, 0]), np.array([0, 1, 4, 0, 0]), np.array([0, 0, 0, 2, 0]))
    assert np.isnan(of_five.f1[4]), "no box and no detection"
    assert worst_pictures(of_five, 9).tolist() == [2, 1, 3], "of two with F1 0 that with the most errors; none perfect"
    assert best_pictures(of_five, 9).tolist() == [0, 3]
    assert worst_pictures(of_five, 1).tolist() == [2]


def test_the_best_score_of_a_class_is_that_of_its_best_f1():
    """Class 0, three boxes: right, wrong, right: F1 is 2/4, 2/5, 4/6. Class 1: nothing right. Class 2: no boxes.
    Class 3: of equal scores all count: one right of two."""
    ranks = ranked(
        np.array([0, 0, 0, 1, 2, 3, 3]),
        np.array([0.9, 0.8, 0.7, 0.5, 0.5, 0.4, 0.4]),
        np.array([1, 0, 1, 0, 0, 1, 0], bool),
        np.array([3, 1, 0, 1]),
    )
    best = best_scores(ranks)
    np.testing.assert_allclose(best.score, [0.7, np.nan, np.nan, 0.4])
    np.testing.assert_allclose(best.f1, [4 / 6, 0.0, np.nan, 2 / 3])
    np.testing.assert_allclose(best.precision, [2 / 3, np.nan, np.nan, 1 / 2])
    np.testing.assert_allclose(best.recall, [2 / 3, 0.0, np.nan, 1.0])
    curve = f1_at_scores(ranks)
    assert curve.shape == (4, 101)
    np.testing.assert_allclose(
        curve[:, [0, 75, 85, 95]], [[4 / 6, 2 / 5, 2 / 4, 0], [0] * 4, [np.nan] * 4, [2 / 3, 0, 0, 0]]
    )
    assert f1_of_all(ranks)[70] == pytest.approx(2 * 2 / (3 + 5))


def test_nothing_found_and_nothing_to_find():
    empty = match({"annotations": [], "images": []}, [])
    assert np.isnan(mean_precision(rank(empty)))
    assert confusion_matrix(empty, 0.5).sum() == 0
    missed = match(TRUTH, [])
    assert mean_precision(rank(missed)) == 0.0
    assert count_pictures(missed, 0.5).missed.tolist() == [2, 2]
    by_name = {each.name: each.num_all for each in count_errors(missed, find_errors(missed), 0.5)}
    assert by_name == {**dict.fromkeys(KINDS, 0), "missed": 4}
    gains = {each.name: each.gain for each in count_errors(missed, find_errors(missed), 0.5)}
    assert gains == {**dict.fromkeys(KINDS, 0.0), "missed": 1.0}, "all that is missed is all that there is"
    alarms = match({"annotations": [], "images": []}, FOUND)
    assert confusion_matrix(alarms, 0.0)[-1].tolist() == [5, 2, 0]


def drawn_at_random(generator, num_images=30):
    """Crowded pictures of two classes with crowds, equal scores, and detections that share boxes; some unscored."""
    truths, found = [], []
    for image in range(1, num_images + 1):
        for _ in range(generator.integers(0, 8)):
            box = (*generator.integers(0, 40, 2).tolist(), *generator.integers(5, 40, 2).tolist())
            category = int(generator.choice([CAT, DOG]))
            truths.append((image, category, box, int(generator.random() < 0.15)))
            for _ in range(generator.integers(0, 4)):
                moved = [side + int(generator.integers(-3, 4)) for side in box[:2]] + [
                    max(1, side + int(generator.integers(-4, 5))) for side in box[2:]
                ]
                other = int(generator.choice([category, category, CAT, DOG, 99]))
                found.append((image, other, moved, float(generator.integers(1, 20)) / 20))
    content = truth_of(*truths)
    content["images"] = [{"id": image} for image in range(1, num_images + 1)]
    content["categories"] = [{"id": number, "name": str(number)} for number in (CAT, DOG, 99)]
    return content, found_of(*found)


@pytest.mark.parametrize("seed", range(4))
def test_precision_is_that_of_pycocotools(seed):
    content, found = drawn_at_random(np.random.default_rng(seed))
    numbered = [{**each, "id": number} for number, each in enumerate(content["annotations"], start=1)]
    ids = list(range(1, 31))
    wanted = count({**content, "annotations": numbered}, found, ids, [CAT, DOG])
    matched = match_all(content, found, ids, (CAT, DOG))
    np.testing.assert_allclose(precision_at_recalls(rank(matched)).T, wanted.precision[0, :, :, 0, -1], atol=1e-12)
    assert wanted.operating_point is not None
    assert np.nanmax(f1_of_all(rank(matched))) == pytest.approx(wanted.operating_point.f1)


def test_precision_is_that_of_pycocotools_on_its_own_sample(shared_data):
    folder = shared_data / "coco_eval_fixture"
    content = json.loads((folder / "instances_val2014_100.json").read_text())
    ids = sorted(image["id"] for image in content["images"])
    found = json.loads((folder / "instances_val2014_fakebbox100_results.json").read_text())
    found = [each for each in found if each["image_id"] in set(ids)]
    categories = sorted(category["id"] for category in content["categories"])
    wanted = count(content, found, ids, None)
    precision = precision_at_recalls(rank(match_all(content, found, ids, categories)))
    np.testing.assert_allclose(np.nan_to_num(precision.T, nan=-1.0), wanted.precision[0, :, :, 0, -1], atol=1e-12)
    assert mean_precision(rank(match_all(content, found, ids, categories))) == pytest.approx(wanted.stats[1])


def test_pictures_are_compared_in_portions(monkeypatch):
    content, found = drawn_at_random(np.random.default_rng(9))
    whole = match_all(content, found, range(1, 31), (CAT, DOG))
    monkeypatch.setattr("utils.detection.results.report.matching.PAIRS_AT_ONCE", 7)
    parts = match_all(content, found, range(1, 31), (CAT, DOG))
    np.testing.assert_array_equal(parts.truth_of, whole.truth_of)
    np.testing.assert_array_equal(parts.pairs.iou, whole.pairs.iou)

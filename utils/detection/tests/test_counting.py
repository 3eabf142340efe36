"""faster-coco-eval beside pycocotools: what a training is told between epochs is what eval.py reports."""

import logging

import numpy as np
import pytest

from utils.detection.results import counting
from utils.detection.results.coco_metrics import evaluate_coco

SIZE, CLASSES = 640.0, 5


def split(rng, num_images, most_boxes, detections_of_image, first_id=0):
    """Boxes of all sizes, crowds among them; half of the detections near a box, scores of two digits, many equal."""
    truth, found = [], []
    for image_id in range(first_id, first_id + num_images):
        count = int(rng.integers(0, most_boxes + 1))
        corners, sides = rng.uniform(0, 300, (count, 2)), np.exp(rng.uniform(1, 5.5, (count, 2)))
        labels = rng.integers(1, CLASSES + 1, count)
        for corner, side, label in zip(corners, sides, labels, strict=True):
            area = float(side.prod() * rng.uniform(0.5, 1))
            box = [*corner.tolist(), *side.tolist()]
            is_crowd = int(rng.random() < 0.1)
            truth.append(
                {"image_id": image_id, "category_id": int(label), "bbox": box, "area": area, "iscrowd": is_crowd}
            )
        for _ in range(detections_of_image):
            near = int(rng.integers(0, count)) if count and rng.random() < 0.5 else None
            if near is None:
                box = [*rng.uniform(0, 300, 2).tolist(), *np.exp(rng.uniform(1, 5.5, 2)).tolist()]
                label = int(rng.integers(1, CLASSES + 1))
            else:
                side = sides[near]
                corner = corners[near] + rng.normal(0, 0.1, 2) * side
                box, label = [*corner.tolist(), *(side * np.exp(rng.normal(0, 0.1, 2))).tolist()], int(labels[near])
            score = round(float(rng.random()), 2)
            found.append({"image_id": image_id, "category_id": label, "bbox": box, "score": score})
    images = [{"id": first_id + number, "width": SIZE, "height": SIZE} for number in range(num_images)]
    categories = [{"id": number, "name": str(number)} for number in range(1, CLASSES + 1)]
    return {"images": images, "categories": categories, "annotations": truth}, found


@pytest.fixture
def both(monkeypatch):
    """Returns a function that evaluates with pycocotools and with the other one."""
    pytest.importorskip("faster_coco_eval")

    def evaluate(*arguments, **keys):
        official = evaluate_coco(*arguments, **keys)
        with monkeypatch.context() as patch:
            patch.delattr(counting, "COCOeval")  # nobody else counts
            fast = evaluate_coco(*arguments, **keys, is_fast=True)
        return official, fast

    return evaluate


def same(official, fast):
    np.testing.assert_allclose(fast.stats, official.stats, rtol=0, atol=1e-12)
    assert fast.operating_point == official.operating_point
    assert len(fast.per_class) == len(official.per_class)
    for row, wanted in zip(fast.per_class, official.per_class, strict=True):
        assert (row.name, row.num_ground_truth) == (wanted.name, wanted.num_ground_truth)
        for name in ("average_precision", "average_precision_50"):
            value, reference = getattr(row, name), getattr(wanted, name)
            assert value == reference or value == pytest.approx(reference, rel=0, abs=1e-12)
    return True


@pytest.mark.parametrize(
    ("num_images", "most_boxes", "detections_of_image", "first_id"),
    [
        (60, 12, 40, 1),
        (8, 30, 700, 0),  # more than 100 detections of a class in an image
        (5, 150, 400, 0),  # and more boxes
        (30, 3, 20, 2**40),  # ids as some files have them
        (20, 0, 5, 0),  # nothing to find
        (20, 8, 0, 0),  # nothing found
    ],
)
def test_both_give_the_same_numbers(both, num_images, most_boxes, detections_of_image, first_id):
    for seed in range(3):
        truth, found = split(np.random.default_rng(seed), num_images, most_boxes, detections_of_image, first_id)
        official, fast = both(truth, found)
        assert same(official, fast)
    assert (official.operating_point is not None) == bool(most_boxes and detections_of_image)


def test_only_a_hundred_detections_of_an_image_count_against_f1(both):
    """130 false alarms in one image, 50 right ones of lower score in another: 2 * 50 / (100 + 50 + 50)."""
    boxes = [[12.0 * number, 0.0, 10.0, 10.0] for number in range(50)]
    truth = [{"image_id": 2, "category_id": 1, "bbox": box, "area": 100.0} for box in boxes]
    found = [{"image_id": 2, "category_id": 1, "bbox": box, "score": 0.5} for box in boxes]
    found += [{"image_id": 1, "category_id": 1, "bbox": [0.0, 0.0, 9.0, 9.0], "score": 0.9} for _ in range(130)]
    images = [{"id": number, "width": SIZE, "height": SIZE} for number in (1, 2)]
    content = {"images": images, "categories": [{"id": 1, "name": "a"}], "annotations": truth}
    official, fast = both(content, found)
    assert same(official, fast)
    assert (fast.operating_point.min_score, fast.operating_point.f1) == (0.5, 0.5)


def test_both_count_chosen_images_and_classes(both):
    truth, found = split(np.random.default_rng(0), 40, 8, 30)
    official, fast = both(truth, found, range(5, 25), category_ids=[2, 3, 5], unscored_ids=[1, 4])
    assert same(official, fast)
    assert [row.name for row in fast.per_class] == ["2", "3", "5"]


def test_further_fields_of_a_file_change_nothing(both):
    truth, found = split(np.random.default_rng(0), 20, 8, 30)
    for number, each in enumerate(truth["annotations"]):
        each["segmentation"] = {"size": [4, 4], "counts": "04L"} if each["iscrowd"] else [[0, 0, 9, 0, 9, 9]]
        each["attributes"] = {"hidden": None, "text": "é"}
        each["ignore"] = number % 2  # pycocotools passes over it
    official, fast = both(truth, found)
    assert same(official, fast)


def test_without_it_pycocotools_counts(monkeypatch, caplog):
    truth, found = split(np.random.default_rng(0), 10, 8, 30)
    monkeypatch.setattr(counting, "find_spec", lambda _: None)
    counting._has_fast.cache_clear()
    with caplog.at_level(logging.INFO):
        results = [evaluate_coco(truth, found, is_fast=True) for _ in range(2)]
    counting._has_fast.cache_clear()
    assert results[0].stats.tolist() == evaluate_coco(truth, found).stats.tolist()
    assert [record.message for record in caplog.records if "faster-coco-eval" in record.message] == [
        "faster-coco-eval is not installed: pycocotools counts, which takes some five times as long"
    ]

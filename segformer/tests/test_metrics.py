"""Numbers worked by hand, and cityscapesscripts' own evaluation of the same files."""

import tracemalloc

import cv2
import numpy as np
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling

from segformer.src.labels.classes import CITYSCAPES_CLASS_NAMES, id_table, train_id_table
from segformer.src.results.metrics import ConfusionMatrix


def _matrix(prediction, label, num_classes=3):
    matrix = ConfusionMatrix(num_classes)
    matrix.add(np.array(prediction, np.uint8), np.array(label, np.uint8))
    return matrix


def test_a_matrix_worked_by_hand():
    matrix = _matrix([[0, 0, 1, 1], [2, 2, 0, 1]], [[0, 1, 1, 1], [2, 255, 255, 0]])
    assert matrix.counts.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 1]]
    assert matrix.iou().tolist() == [1 / 3, 2 / 4, 1.0]
    assert matrix.class_accuracy().tolist() == [1 / 2, 2 / 3, 1.0]
    assert matrix.mean_iou() == pytest.approx((1 / 3 + 1 / 2 + 1) / 3)
    assert matrix.mean_accuracy() == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert matrix.pixel_accuracy() == 4 / 6


def test_an_absent_class_is_left_out_of_the_mean():
    matrix = _matrix([[0, 1]], [[0, 1]])
    assert np.isnan(matrix.iou()[2])
    assert matrix.mean_iou() == 1.0
    assert matrix.is_absent().tolist() == [False, False, True]


def test_a_class_that_is_only_predicted_counts_as_zero():
    matrix = _matrix([[0, 2]], [[0, 0]])
    np.testing.assert_array_equal(matrix.iou(), [0.5, np.nan, 0.0])
    np.testing.assert_array_equal(matrix.class_accuracy(), [0.5, np.nan, np.nan])
    assert matrix.mean_iou() == 0.25
    assert matrix.mean_accuracy() == 0.5


def test_nothing_but_ignored_pixels_gives_nan_without_a_warning(recwarn):
    matrix = _matrix([[0, 1]], [[255, 255]])
    assert matrix.counts.sum() == 0
    assert np.isnan([matrix.mean_iou(), matrix.mean_accuracy(), matrix.pixel_accuracy()]).all()
    assert not recwarn.list


def test_two_images_add_up():
    rng = np.random.default_rng(3)
    predictions, labels = rng.integers(0, 5, (2, 2, 7, 9), np.uint8)
    both = ConfusionMatrix(5)
    both.add(predictions[0], labels[0])
    both.add(predictions[1], labels[1])
    stacked = _matrix(np.concatenate(predictions), np.concatenate(labels), 5)
    np.testing.assert_array_equal(both.counts, stacked.counts)


def test_other_ignored_labels():
    matrix = ConfusionMatrix(2, ignore_label=7)
    matrix.add(np.array([[0, 1]], np.uint8), np.array([[7, 1]], np.uint8))
    assert matrix.counts.tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    ("prediction", "label", "words"),
    [
        ([[0, 1]], [[0], [1]], "shape"),
        ([[3]], [[0]], "predicted class 3"),
        ([[0]], [[3]], "label 3"),
        ([[0, 0]], [[254, 255]], "label 254"),
    ],
)
def test_what_is_no_class_is_refused(prediction, label, words):
    with pytest.raises(ValueError, match=words):
        _matrix(prediction, label)


def test_memory_does_not_grow_with_the_images():
    matrix = ConfusionMatrix(19)
    image = np.zeros((256, 512), np.uint8)
    matrix.add(image, image)
    tracemalloc.start()
    for _ in range(20):
        matrix.add(image, image)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 10_000
    assert matrix.counts[0, 0] == 21 * 256 * 512


def _blocks(rng, values, height, width, side):
    """Draws a label image of square blocks."""
    small = rng.choice(np.array(values, np.uint8), (height // side, width // side))
    return np.kron(small, np.ones((side, side), np.uint8))


def test_agrees_with_the_scripts_of_cityscapes(tmp_path):
    """Truth has ids that are not scored, the prediction a class that is nowhere labelled; one class is in neither."""
    rng = np.random.default_rng(7)
    to_id, to_train_id = id_table(), train_id_table()
    train, truck, bicycle = (CITYSCAPES_CLASS_NAMES.index(name) for name in ("train", "truck", "bicycle"))
    true_ids = [value for value in range(34) if value not in to_id[[train, truck]]]
    matrix, predicted_files, true_files = ConfusionMatrix(19), [], []
    for number in range(3):
        truth = _blocks(rng, true_ids, 64, 96, 4)
        truth[:8, :8] = to_id[bicycle]
        is_guess = _blocks(rng, [0, 1], 64, 96, 8).astype(bool)
        guess = _blocks(rng, [value for value in range(19) if value != train], 64, 96, 2)
        known = np.where(to_train_id[truth] == 255, 0, to_train_id[truth])
        prediction = np.where(is_guess, guess, known).astype(np.uint8)
        for files, name, content in (
            (true_files, "gtFine_labelIds", truth),
            (predicted_files, "pred_labelIds", to_id[prediction]),
        ):
            files.append(str(tmp_path / f"berlin_00000{number}_000019_{name}.png"))
            cv2.imwrite(files[-1], content)
        matrix.add(prediction, to_train_id[truth])

    settings = evalPixelLevelSemanticLabeling.args
    settings.evalInstLevelScore, settings.quiet, settings.JSONOutput = False, True, False
    expected = evalPixelLevelSemanticLabeling.evaluateImgLists(predicted_files, true_files, settings)
    wanted = [expected["classScores"][name] for name in CITYSCAPES_CLASS_NAMES]
    np.testing.assert_allclose(matrix.iou(), wanted, rtol=0, atol=1e-6)
    assert matrix.mean_iou() == pytest.approx(expected["averageScoreClasses"], abs=1e-6)
    assert np.isnan(wanted[train])
    assert wanted[truck] == 0

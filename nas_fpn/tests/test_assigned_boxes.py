"""The boxes that a batch of NAS-FPN tells are those that its anchors were assigned."""

import numpy as np

from nas_fpn.src.assignment import AssignmentRule, assign_anchors, assigned_boxes
from utils.detection.anchors import make_anchors, octave_scales
from utils.detection.box_coder import decode_boxes, encode_boxes

ANCHORS = make_anchors(128, 192, (8, 16, 32, 64, 128), octave_scales(4, 3), (0.5, 1.0, 2.0))
RULE = AssignmentRule(num_classes=3)


def told(boxes, labels, is_crowd):
    classes, deltas = assign_anchors(ANCHORS, boxes, labels, is_crowd, RULE)
    found, found_labels = assigned_boxes(ANCHORS, classes, deltas, RULE)
    order = np.lexsort(np.round(found).T)
    return found[order], found_labels[order]


def test_each_box_comes_back_once_with_its_class_and_crowds_do_not():
    corners = np.array([[5, 8, 60, 70], [20, 12, 150, 110], [100, 20, 130, 80], [90, 60, 110, 75]], np.float32) + 0.3
    labels, is_crowd = np.array([2, 0, 1, 1], np.int32), np.array([False, False, False, True])
    order = np.lexsort(np.round(corners[:3]).T)
    found, found_labels = told(corners, labels, is_crowd)
    np.testing.assert_allclose(found, corners[:3][order], atol=1e-3)
    assert found_labels.tolist() == labels[:3][order].tolist()


def test_a_picture_without_boxes_tells_none():
    found, labels = told(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool))
    assert found.shape == (0, 4)
    assert labels.shape == (0,)


def test_decoding_on_the_host_undoes_encoding():
    draws = np.random.default_rng(3)
    low = draws.uniform(0, 80, (50, 2))
    boxes = np.concatenate([low, low + draws.uniform(1, 90, (50, 2))], axis=1).astype(np.float32)
    np.testing.assert_allclose(decode_boxes(encode_boxes(boxes, ANCHORS[:50]), ANCHORS[:50]), boxes, atol=1e-3)

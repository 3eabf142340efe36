"""Training samples: boxes stay on what they frame, targets are of the picture as the network sees it, draws repeat."""

import cv2
import numpy as np
import pytest

from faster_rcnn.src.dataset import AugmentSettings, TrainingSample, augment
from faster_rcnn.src.FasterRcnn.anchor_generator import make_anchors
from faster_rcnn.src.FasterRcnn.bbox_assign_sample import RpnRule
from utils.detection.boxes import pairwise_ioa, pairwise_iou
from utils.detection.data.splits import Split, open_split, split_paths
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.images import encode_png
from utils.sharding import ShardedEpochs

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
GREY = (124, 116, 104)  # the mean in whole levels
INPUTS = InputSettings(96, 160, MEAN, STD)
STILL = AugmentSettings(flip_ratio=0.0)
LIVELY = AugmentSettings(0.5, 2.0, (0.5, 1.5), 0.4, 0.4, 0.4, 0.1)
ANCHORS = make_anchors(96, 160, (4, 8, 16, 32, 64), (4,), (0.5, 1.0, 2.0))
RULE = RpnRule(num_samples=32, num_positives=16)
BOX = (10, 4, 30, 24)


class NoDraws:
    """Stands in for a generator: every uniform draw is the same share of its range."""

    def __init__(self, share: float):
        self.share = share

    def uniform(self, low=0.0, high=1.0, size=None):
        value = low + self.share * (high - low)
        return value if size is None else np.full(size, value)


def picture(height=48, width=80, box=BOX) -> np.ndarray:
    """Grey of the mean with a white rectangle exactly under `box`."""
    image = np.full((height, width, 3), GREY, np.uint8)
    cv2.rectangle(image, box[:2], (box[2] - 1, box[3] - 1), (255, 255, 255), -1)
    return image


def white_box(image: np.ndarray) -> np.ndarray:
    """Bounds of what is nearer to white than to grey; uint8[h, w, 3] or the network's float32[3, H, W]."""
    if image.ndim == 3 and image.shape[0] == 3 and image.dtype == np.float32:
        image = image.transpose(1, 2, 0) * STD + MEAN
    rows, columns = np.nonzero(image[..., 0] > 190)
    return np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)


def moved(settings: AugmentSettings, draws, inputs=INPUTS, boxes=(BOX,), image=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return augment(picture() if image is None else image, boxes, np.zeros(len(boxes), bool), inputs, settings, draws)


def sample_of(settings=STILL, inputs=INPUTS, num_gts=4, seed=1, epoch=1, **changes) -> TrainingSample:
    values = {"anchors": ANCHORS, "rule": RULE, "num_priorities": 20, **changes}
    return TrainingSample(inputs, settings, num_gts=num_gts, seed=seed, epoch=epoch, **values)


def row_of(boxes, labels=None, is_crowd=None, image=None, image_id=7):
    """Arguments of a sample, as MindRecord hands them over."""
    labels, is_crowd = labels or [0] * len(boxes), is_crowd or [0] * len(boxes)
    annotation = np.array([[*box, *rest] for box, *rest in zip(boxes, labels, is_crowd, strict=True)], np.float32)
    encoded = np.frombuffer(encode_png(picture() if image is None else image), np.uint8)
    annotation = annotation if len(boxes) else np.array([[0, 0, 0, 0, -1, 0]], np.float32)
    return encoded, annotation, np.array(image_id)


def named(arrays) -> dict[str, np.ndarray]:
    return dict(zip(TrainingSample.COLUMNS, arrays, strict=True))


# Boxes move with the picture


def test_a_picture_fits_the_input():
    """48 x 80 into 96 x 160: twice."""
    image, boxes, kept = moved(STILL, NoDraws(0.5))
    assert image.shape == (96, 160, 3)
    assert boxes.tolist() == [[20, 8, 60, 48]]
    assert np.array_equal(white_box(image), boxes)
    assert kept.tolist() == [0]


def test_a_flip_mirrors():
    """x becomes 160 - x after the scaling: 20..60 becomes 100..140."""
    image, boxes, _ = moved(AugmentSettings(flip_ratio=1.0), NoDraws(0.5))
    assert boxes.tolist() == [[100, 8, 140, 48]]
    assert np.array_equal(white_box(image), boxes)


def test_without_keep_ratio_a_picture_is_stretched():
    """48 x 80 to 96 x 320: twice as high, four times as wide."""
    image, boxes, _ = moved(STILL, NoDraws(0.5), InputSettings(96, 320, MEAN, STD, keep_ratio=False))
    assert image.shape == (96, 320, 3)
    assert boxes.tolist() == [[40, 8, 120, 48]]
    assert np.array_equal(white_box(image), boxes)


def test_an_expanded_picture_lies_on_a_canvas_of_the_mean_colour():
    """Draws of 0.4: a canvas of 1 + 0.4 * 2.5 = 2 sides; 48 x 80 keeps its size, at (0.4 * 49, 0.4 * 81) = (19, 32)."""
    image, boxes, _ = moved(AugmentSettings(flip_ratio=0.0, expand_ratio=3.5), NoDraws(0.4))
    assert image.shape == (96, 160, 3)
    assert boxes.tolist() == [[42, 23, 62, 43]]
    assert np.array_equal(white_box(image), boxes)
    image[23:43, 42:62] = GREY
    assert (image == GREY).all()


def test_every_second_picture_is_expanded():
    is_small = [
        np.ptp(moved(AugmentSettings(0.0, 4.0), np.random.default_rng(seed))[1][0, ::2]) < 39 for seed in range(200)
    ]
    assert 80 < sum(is_small) < 120


def test_a_smaller_scale_leaves_more_padding():
    image, boxes, _ = moved(AugmentSettings(0.0, scale_range=(0.5, 0.5)), NoDraws(0.0))
    assert image.shape == (48, 80, 3)
    assert boxes.tolist() == [list(BOX)]


def test_a_larger_scale_shows_a_window():
    """Scale 1.5 makes 144 x 240 with the box at 30..90 x 12..72; the last window starts at (48, 80) and drops it."""
    first = moved(AugmentSettings(0.0, scale_range=(1.5, 1.5)), NoDraws(0.0))
    assert first[0].shape == (96, 160, 3)
    assert first[1].tolist() == [[30, 12, 90, 72]]
    assert moved(AugmentSettings(0.0, scale_range=(1.5, 1.5)), NoDraws(0.999))[2].tolist() == []


@pytest.mark.parametrize("keep_ratio", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_drawn_the_box_stays_on_its_rectangle(seed, keep_ratio):
    settings = AugmentSettings(0.5, 2.0, (0.6, 1.6))
    inputs = InputSettings(96, 192, MEAN, STD, keep_ratio)
    image, boxes, kept = moved(settings, np.random.default_rng(seed), inputs)
    assert image.shape[0] <= 96
    assert image.shape[1] <= 192
    if len(kept):
        assert pairwise_iou(white_box(image), boxes)[0, 0] > 0.85  # edges are blurred by the resizing
        assert (boxes >= 0).all()
        assert (boxes <= np.tile(image.shape[1::-1], 2)).all()


def test_coordinates_stay_fractions():
    """48 x 80 into 16 x 32 is 16 x 27: a third downwards, 27 / 80 across."""
    boxes = moved(STILL, NoDraws(0.5), InputSettings(16, 32, MEAN, STD), boxes=[[10.5, 4.25, 30, 24]])[1]
    np.testing.assert_allclose(boxes, [[3.54375, 1.4166667, 10.125, 8]], rtol=1e-6)
    assert boxes.dtype == np.float32


def test_a_large_photograph_is_never_expanded_at_its_own_size(monkeypatch):
    """Of 3000 x 4000 pixels a canvas of four times the sides would have 576 MB."""
    shapes = []
    border = cv2.copyMakeBorder
    monkeypatch.setattr(cv2, "copyMakeBorder", lambda *a, **k: shapes.append(border(*a, **k)) or shapes[-1])
    moved(AugmentSettings(0.0, 4.0), NoDraws(0.49), image=np.zeros((3000, 4000, 3), np.uint8))
    assert [shape.shape for shape in shapes] == [(96, 128, 3)]


# What a sample holds


def test_a_sample_by_hand():
    """40 x 80 into 96 x 160: twice, 80 x 160; rows from 80 on are padding, zeros after the normalisation."""
    arrays = named(sample_of()(*row_of([(10, 4, 30, 24)], labels=[3], image=picture(40))))
    assert {name: (values.shape, values.dtype) for name, values in arrays.items()} == {
        "images": ((3, 96, 160), np.float32),
        "content": ((2,), np.float32),
        "gt_boxes": ((4, 4), np.float32),
        "gt_labels": ((4,), np.int32),
        "gt_is_crowd": ((4,), np.bool_),
        "rpn_index": ((32,), np.int32),
        "rpn_label": ((32,), np.int32),
        "rpn_deltas": ((32, 4), np.float32),
        "priority": ((20,), np.float32),
    }
    assert arrays["content"].tolist() == [80, 160]
    assert not arrays["images"][:, 80:].any()
    assert arrays["images"][:, :80].all()
    assert arrays["gt_boxes"].tolist() == [[20, 8, 60, 48], [0] * 4, [0] * 4, [0] * 4]
    assert arrays["gt_labels"].tolist() == [3, -1, -1, -1]
    assert arrays["gt_is_crowd"].tolist() == [False] * 4
    assert ((arrays["priority"] >= 0) & (arrays["priority"] < 1)).all()
    np.testing.assert_allclose(arrays["images"][:, 20, 40], (255 - np.array(MEAN)) / STD, rtol=1e-6)


def test_the_sample_of_anchors_is_of_the_picture_as_it_was_moved():
    """Positives overlap the rectangle where it is now; their deltas lead back to it; none is centred in the padding."""
    settings = AugmentSettings(1.0, scale_range=(0.8, 0.8))
    arrays = named(sample_of(settings)(*row_of([BOX])))
    height, width = arrays["content"]
    box = arrays["gt_boxes"][:1]
    assert pairwise_iou(white_box(arrays["images"]), box)[0, 0] > 0.85
    chosen = ANCHORS[arrays["rpn_index"]]
    is_positive = arrays["rpn_label"] == 1
    assert is_positive.any()
    assert (pairwise_iou(chosen[is_positive], box) >= 0.3).all()
    assert (pairwise_iou(chosen[arrays["rpn_label"] == 0], box) < 0.3).all()
    centres, sizes = (chosen[:, :2] + chosen[:, 2:]) / 2, chosen[:, 2:] - chosen[:, :2]
    assert (centres < [width, height]).all()
    deltas = arrays["rpn_deltas"]
    middle = centres + deltas[:, :2] * sizes
    half = sizes * np.exp(deltas[:, 2:]) / 2
    decoded = np.concatenate([middle - half, middle + half], axis=1)[is_positive]
    np.testing.assert_allclose(decoded, np.broadcast_to(box, decoded.shape), atol=1e-3)
    assert not deltas[~is_positive].any()


def test_an_image_without_boxes_is_background():
    arrays = named(sample_of(LIVELY)(*row_of([], image=np.full((48, 80, 3), GREY, np.uint8))))
    assert (arrays["gt_labels"] == -1).all()
    assert not arrays["gt_boxes"].any()
    assert (arrays["rpn_label"] == 0).all()
    assert not arrays["rpn_deltas"].any()


def test_crowds_are_flagged_and_neither_object_nor_background():
    crowd, one = (0, 0, 40, 48), (60, 20, 76, 36)
    arrays = named(sample_of()(*row_of([crowd, one], labels=[1, 2], is_crowd=[1, 0])))
    assert arrays["gt_is_crowd"].tolist() == [True, False, False, False]
    assert arrays["gt_labels"].tolist() == [1, 2, -1, -1]
    chosen, label = ANCHORS[arrays["rpn_index"]], arrays["rpn_label"]
    assert (pairwise_ioa(chosen[label == 0], arrays["gt_boxes"][:1]) < 0.5).all()
    assert (pairwise_iou(chosen[label == 1], arrays["gt_boxes"][1:2]) >= 0.3).all()


def test_of_more_boxes_than_slots_the_largest_are_kept_in_their_order():
    boxes = [(0, 0, 8, 8), (10, 0, 40, 40), (50, 10, 62, 22), (64, 30, 80, 46)]  # areas 64, 1200, 144, 256
    arrays = named(sample_of(num_gts=2)(*row_of(boxes, labels=[0, 1, 2, 3])))
    assert arrays["gt_labels"].tolist() == [1, 3]
    assert arrays["gt_boxes"].tolist() == [[20, 0, 80, 80], [128, 60, 160, 92]]
    small = np.array([[0, 0, 16, 16]], np.float32)
    positives = ANCHORS[arrays["rpn_index"][arrays["rpn_label"] == 1]]
    assert (pairwise_iou(positives, small) < 0.3).all()


def test_without_colour_strengths_colours_stay():
    """Also where the dice would change them: 16 epochs, unflipped, differ in nothing."""
    row = row_of([BOX])
    first = sample_of()(*row)[0]
    assert all(np.array_equal(first, sample_of(epoch=epoch)(*row)[0]) for epoch in range(2, 18))


def test_draws_follow_seed_epoch_and_image_and_nothing_else():
    row = row_of([BOX])
    first = sample_of(LIVELY)(*row)
    assert all(np.array_equal(one, other) for one, other in zip(first, sample_of(LIVELY)(*row), strict=True))
    for other in (
        sample_of(LIVELY, seed=2)(*row),
        sample_of(LIVELY, epoch=2)(*row),
        sample_of(LIVELY)(*row[:2], np.array(8)),
    ):
        assert not np.array_equal(first[0], other[0])
        assert not np.array_equal(first[-1], other[-1])


def test_augmentation_changes_no_draw_of_the_samplers():
    row = row_of([BOX])
    still, lively = named(sample_of(STILL)(*row)), named(sample_of(LIVELY)(*row))
    assert np.array_equal(still["priority"], lively["priority"])


# A run over records


@pytest.fixture()
def split(tiny_coco, tmp_path) -> Split:
    paths = split_paths(
        form="coco",
        split="train2017",
        coco_root=str(tiny_coco),
        instance_set="annotations/instances_{}.json",
        anno_path="",
        image_dir="",
        mindrecord_dir=str(tmp_path / "records"),
        default_folder="",
        prefix="train",
    )
    return open_split(paths, None, num_shards=2)


def source_of(split, workers=1, multiprocessing=False, seed=1, keep_empty=True) -> MindRecordSource:
    sample = sample_of(LIVELY, seed=seed)
    rows = split.training_rows(keep_empty)
    return MindRecordSource(ShardedEpochs(len(rows), 2, seed), split.records, rows, sample, workers, multiprocessing)


def is_same(batches, others) -> bool:
    pairs = [pair for both in zip(batches, others, strict=True) for pair in zip(*both, strict=True)]
    return all(one.dtype == other.dtype and np.array_equal(one, other) for one, other in pairs)


def test_batches_stack_samples(split):
    arrays = named(next(iter(source_of(split).batches(1))))
    assert {name: values.shape for name, values in arrays.items()} == {
        "images": (2, 3, 96, 160),
        "content": (2, 2),
        "gt_boxes": (2, 4, 4),
        "gt_labels": (2, 4),
        "gt_is_crowd": (2, 4),
        "rpn_index": (2, 32),
        "rpn_label": (2, 32),
        "rpn_deltas": (2, 32, 4),
        "priority": (2, 20),
    }
    assert arrays["gt_is_crowd"].dtype == np.bool_


def test_workers_threads_and_processes_change_nothing(split):
    first = list(source_of(split).batches(1))
    assert len(first) == 3
    assert is_same(first, list(source_of(split).batches(1)))
    assert is_same(first, list(source_of(split, workers=2).batches(1)))
    assert is_same(first, list(source_of(split, workers=2, multiprocessing=True).batches(1)))
    assert not is_same(first, list(source_of(split).batches(2)))
    assert not is_same(first, list(source_of(split, seed=2).batches(1)))


def test_a_resumed_epoch_goes_on_as_if_nothing_had_happened(split):
    whole = list(source_of(split).batches(4))
    assert is_same(whole[1:], list(source_of(split).batches(4, start_step=1)))
    assert list(source_of(split).batches(4, start_step=3)) == []


def test_images_without_boxes_count_unless_left_out(split):
    """Images 0 and 3 of the six have none."""
    assert source_of(split).steps_per_epoch == 3
    assert source_of(split, keep_empty=False).steps_per_epoch == 2

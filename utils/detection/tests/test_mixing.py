"""Repeated images and copy-paste: numbers worked by hand, and what workers, loaders and a resumed run see of them."""

import json
import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from utils.detection.augment import AugmentSettings
from utils.detection.copy_paste.outlines import read_outlines
from utils.detection.copy_paste.pasting import CopyPaste, union_mask, visible_share
from utils.detection.data.mixing.mixed_rows import Mixing, partners
from utils.detection.data.mixing.repeats import image_repeats, repeat_factors, repeats_of_rows
from utils.detection.data.training_source import MindRecordSource
from utils.detection.inputs import InputSettings
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import open_coco
from utils.detection.training_sample import DetectionSample
from utils.images import encode_png
from utils.model_utils.errors import BadStateError
from utils.model_utils.workers import Workers
from utils.randomness import repeated_items
from utils.sharding import ShardedEpochs

NUM_IMAGES = 7
TOP_LEFT = [
    0.0,
    1.0,
    0.0,
    0.0,
]  # draws: scale as it fits, not mirrored (1 is not below the probability), the first spot


def test_repeats_by_hand():
    """Of ten images all have class 0, one has class 1, twice, and two have class 2; class 3 is in none.

    At 0.4: sqrt(0.4 / 0.1) = 2 for class 1, sqrt(0.4 / 0.2) = 1.414 for class 2. An image comes as its rarest asks.
    """
    image_index = np.array([*range(10), 4, 4, 4, 8])
    labels = np.array([0] * 10 + [1, 1, 2, 2])
    of_class = repeat_factors(image_index, labels, 10, 0.4)
    np.testing.assert_allclose(of_class, [1, 2, 2**0.5])
    np.testing.assert_allclose(image_repeats(image_index, labels, 10, of_class), [1, 1, 1, 1, 2, 1, 1, 1, 2**0.5, 1])
    np.testing.assert_allclose(repeat_factors(image_index, labels + (labels == 2), 10, 0.4), [1, 2, 1, 2**0.5])


def test_an_item_comes_as_often_as_its_repeats_say():
    """The sum, 9.3, is rounded up to 10 items an epoch: each comes 10 / 9.3 as often, rounded down or up by chance."""
    repeats = np.array([1.0, 1.0, 2.5, 1.3, 3.5])
    counts = np.array([np.bincount(repeated_items(4, epoch, repeats), minlength=5) for epoch in range(800)])
    wanted = repeats * 10 / 9.3
    assert (counts.sum(axis=1) == 10).all()
    assert ((counts == np.floor(wanted)) | (counts == np.ceil(wanted))).all()
    np.testing.assert_allclose(counts.mean(axis=0), wanted, atol=0.05)
    assert repeated_items(4, 3, repeats).tolist() == repeated_items(4, 3, repeats).tolist()
    assert (np.diff(repeated_items(4, 3, repeats)) >= 0).all()
    assert repeated_items(4, 3, np.ones(6)).tolist() == list(range(6))


def test_workers_share_the_repeated_images():
    options = {"seed": 3, "accumulate_steps": 2, "drop_remainder": False, "repeats": np.array([1.0, 2.2, 1.0, 3.4])}
    one = ShardedEpochs(4, 2, **options)
    parts = [ShardedEpochs(4, 1, workers=Workers(rank, 2), **options) for rank in range(2)]
    assert (one.num_items, one.steps_per_epoch) == (8, 2)
    items, fillers = one.own_items(6)
    occurrences = one.own_occurrences(6)
    assert not fillers.any()
    assert items.ravel().tolist() != sorted(items.ravel().tolist())
    pairs = list(zip(items.ravel().tolist(), occurrences.ravel().tolist(), strict=True))
    counts = np.bincount(one.items(6))
    assert sorted(pairs) == [(item, number) for item, count in enumerate(counts) for number in range(count)]
    for whole, pieces in ((items, [part.own_items(6)[0] for part in parts]), (occurrences, None)):
        pieces = pieces or [part.own_occurrences(6) for part in parts]
        assert np.stack(pieces, axis=2).reshape(whole.shape).tolist() == whole.tolist()
    assert one.own_occurrences(6, 1).tolist() == occurrences[1:].tolist()


def test_partners_follow_from_seed_epoch_and_image():
    items, ids, pool = np.arange(200), np.arange(200) + 1000, np.arange(0, 200, 2)
    none = np.zeros(200, np.int64)
    found = partners(items, ids, none, pool, 1, 5, 0.25)
    assert found[50:60].tolist() == partners(items[50:60], ids[50:60], none[:10], pool, 1, 5, 0.25).tolist()
    others = found[found != items]
    assert 30 < len(others) < 70
    assert (others % 2 == 0).all()
    assert partners(items, ids, none, pool, 1, 5, 0.0).tolist() == items.tolist()
    for other in (partners(items, ids, none, pool, 1, 6, 0.25), partners(items, ids, none + 1, pool, 1, 5, 0.25)):
        assert other.tolist() != found.tolist()


class _Draws:
    """Gives the numbers that a test says, one after the other; a range is gone along by them."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def uniform(self, low=0.0, high=1.0, size=None):
        taken = [low + (high - low) * self.numbers.pop(0) for _ in range(size or 1)]
        return taken[0] if size is None else np.array(taken)


def _paste(paste, draws, boxes=(), is_crowd=()):
    """Lays a picture of 20 x 20 with two objects, a red one of 8 x 8 and a green one of 6 x 4, on a grey one of 40."""
    other = np.full((20, 20, 3), 9, np.uint8)
    other[2:10, 4:12], other[14:18, 10:16] = (200, 0, 0), (0, 200, 0)
    annotation = np.array([[4, 2, 12, 10, 1, 0], [10, 14, 16, 18, 0, 0]], np.float32)
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    labels, crowds = np.full(len(boxes), 5, np.int32), np.array(is_crowd or [False] * len(boxes), bool)
    image = np.full((40, 40, 3), 100, np.uint8)
    encoded = np.frombuffer(encode_png(other), np.uint8)
    return paste(encoded, annotation, np.int64(7), image, boxes, labels, crowds, _Draws(*draws))


def test_one_object_is_pasted_by_its_box():
    """At half the size that fits (1 for 1) at the lower right corner: spots of almost 1 are 20 rows and columns in."""
    paste = CopyPaste((0.5, 1.0), 0.5)
    image, boxes, labels, is_crowd = _paste(paste, [0.0, 1.0, 0.99, 0.99, 0.4, 0.6])
    assert boxes.tolist() == [[24, 22, 32, 30]]
    assert (labels.tolist(), is_crowd.tolist()) == ([1], [False])
    is_red = (image == (200, 0, 0)).all(axis=2)
    assert is_red[22:30, 24:32].all()
    assert is_red.sum() == 64
    assert (image[~is_red] == 100).all()


def test_the_other_picture_is_mirrored_and_scaled():
    """At the size that fits, twice its own, mirrored: the red object's sides 4 and 12 become 40 - 24 and 40 - 8."""
    image, boxes, labels, _ = _paste(CopyPaste((1.0, 1.0), 0.5), [0.5, 0.0, 0.0, 0.0, 0.4, 0.4])
    assert boxes.tolist() == [[16, 4, 32, 20], [8, 28, 20, 36]]
    assert labels.tolist() == [1, 0]
    assert image[10, 24].tolist() == [200, 0, 0]
    assert image[10, 10].tolist() == [100] * 3


def test_what_is_cut_off_is_not_pasted():
    """At twice the size that fits, 80 x 80, from row and column 40 on: of the objects the green one alone is there."""
    image, boxes, labels, _ = _paste(CopyPaste((2.0, 2.0), 0.5), [0.0, 1.0, 0.999, 0.999, 0.1, 0.1])
    assert boxes.tolist() == [[0, 16, 24, 32]]
    assert labels.tolist() == [0]
    assert image[20, 5].tolist() == [0, 200, 0]


def test_covered_boxes_go_and_crowds_stay():
    """The red object comes to lie on 8 to 24 and 4 to 20. The first box is inside it, of the second 3/4 are covered.

    Of the third, 20 wide, 12 are covered, and 40 % can be seen.
    """
    covered, most, part = [10, 6, 20, 16], [8, 4, 24, 25.333], [12, 4, 32, 20]
    boxes = [covered, most, part, covered]
    _, found, labels, is_crowd = _paste(
        CopyPaste((1.0, 1.0), 0.5), [*TOP_LEFT, 0.4, 0.6], boxes, [False, False, False, True]
    )
    assert found[:2].tolist() == [part, covered]
    assert found[2].tolist() == [8, 4, 24, 20]
    assert labels.tolist() == [5, 5, 1]
    assert is_crowd.tolist() == [False, True, False]


def test_nothing_that_is_taken_leaves_the_picture_as_it_was():
    image, boxes, _, _ = _paste(CopyPaste((1.0, 1.0), 0.5), [*TOP_LEFT, 0.5, 0.5], [[1, 2, 3, 4]])
    assert (image == 100).all()
    assert boxes.tolist() == [[1, 2, 3, 4]]


def test_masks_are_unions_and_shares_are_of_pixels():
    boxes = np.array([[0, 0, 4, 4], [2, 2, 6, 6], [5.4, 5.4, 5.6, 8]], np.float32)
    mask = union_mask(boxes, [[], [], []], (8, 8))
    assert mask.sum() == 16 + 16 - 4 + 3 - 1  # the thin box covers column 5, rows 5 to 7, of which one is covered
    triangle = np.array([[0, 0], [8, 0], [0, 8]], np.float32)
    half = union_mask(boxes[:1], [[triangle]], (8, 8))
    assert 24 <= half.sum() <= 36  # 32 without the pixels that the slope cuts
    assert half[0, 0]
    assert not half[7, 7]
    shares = visible_share(np.array([[0, 0, 4, 4], [4, 0, 8, 4], [3, 3, 3.2, 9e-1]], np.float32)[:2], mask)
    np.testing.assert_allclose(shares, [0, 1 - 4 / 16])


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """The tiny data set; of each image with boxes the first object has a diamond as its outline, in two parts."""
    root = write_coco(tmp_path_factory.mktemp("mixing") / "coco", {"train2017": NUM_IMAGES})
    file = root / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    for row in content["annotations"]:
        x, y, width, height = row["bbox"]
        upper = [x, y + height / 2, x + width / 2, y, x + width, y + height / 2]
        row["segmentation"] = [upper, [*upper[:3], y + height, *upper[4:]]]
        if row["category_id"] == 3:
            row["segmentation"] = {"counts": [0, 9], "size": [3, 3]}
    file.write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def split(coco):
    return open_coco(coco)


def test_outlines_are_found_by_image_and_box(split, caplog):
    caplog.set_level(logging.INFO)
    outlines = read_outlines(split.annotation_file, split.digest)
    assert "copy_paste: 2 objects of" in caplog.text
    assert "have no polygon and are cut out along the box" in caplog.text
    entry = json.loads(split.annotation_file.read_text())["annotations"][1]
    left, top, width, height = entry["bbox"]
    box = np.array([[left, top, left + width, top + height], [0, 0, 1, 1]], np.float32)
    found, none = outlines.of(entry["image_id"], box)
    assert none == []
    assert [part.ravel().tolist() for part in found] == entry["segmentation"]
    assert outlines.of(100, box) == outlines.of(999, box) == [[], []]
    with pytest.raises(BadStateError, match="has changed since this command opened the split: start again"):
        read_outlines(split.annotation_file, "another")


def test_an_object_is_cut_out_along_its_outline(split, coco):
    """The red diamond of 40 x 40 covers half of its box; its corners keep what they had."""
    outlines = read_outlines(split.annotation_file, None)
    entry = next(row for row in json.loads(split.annotation_file.read_text())["annotations"] if row["category_id"] == 7)
    x, y = entry["bbox"][:2]
    encoded = np.fromfile(coco / "train2017" / f"{entry['image_id'] - 100:03d}.jpg", np.uint8)
    annotation = np.array([[x, y, x + 40, y + 40, 0, 0]], np.float32)
    image, none = np.full((96, 128, 3), 7, np.uint8), np.zeros(0)
    pasted, boxes, _, _ = CopyPaste((1.0, 1.0), 0.5, outlines)(
        encoded,
        annotation,
        np.int64(entry["image_id"]),
        image,
        none.reshape(0, 4),
        none,
        none > 0,
        _Draws(*TOP_LEFT, 0),
    )
    assert boxes.tolist() == annotation[:, :4].tolist()
    changed = (pasted != 7).any(axis=2)
    assert 0.45 < changed[y : y + 40, x : x + 40].mean() < 0.55
    assert changed.sum() == changed[y : y + 40, x : x + 40].sum()
    assert not changed[y, x]
    assert changed[y + 20, x + 20]


def test_repeats_of_a_data_set(split, caplog):
    """Images 1, 2, 4 and 5 of 7 have a red box, 2 and 5 a blue one too: sqrt(0.8 / (2 / 7)) = 1.673, red 1.183."""
    caplog.set_level(logging.INFO)
    found = repeats_of_rows(split.records, np.arange(NUM_IMAGES), 0.8)
    np.testing.assert_allclose(found, [1, 1.183216, 1.673320, 1, 1.183216, 1.673320, 1], rtol=1e-6)
    said = "an epoch has 9 images instead of 7; classes that come more often: blue x 1.67, red x 1.18"
    assert caplog.messages[-1] == f"repeat_threshold 0.8: {said}"
    repeats_of_rows(split.records, np.arange(NUM_IMAGES), 0.2)
    assert caplog.messages[-1].endswith("no class is in a smaller share of the images, so none is repeated")


@dataclass(frozen=True, eq=False)
class PlainSample(DetectionSample):
    """The picture as it is augmented, its boxes and whose it is."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("images", "boxes", "noise", "id")

    def augment(self, image, boxes, is_crowd, draws):
        return image, boxes, np.arange(len(boxes))

    def __call__(self, encoded, annotation, image_id):
        image, padded = self.prepare(encoded, annotation, int(image_id))
        return image, padded.boxes, self.draws(int(image_id)).random(2), np.array([image_id])

    def without_targets(self, arrays, is_filler):
        return arrays


def _batches(split, start=0, loaders=1, epoch=3, repeats=None, mixing=None, batch_size=2):
    inputs = InputSettings(96, 128, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    sample = PlainSample(inputs=inputs, augmentation=AugmentSettings(), anchors=np.zeros((0, 4)), num_gts=8, seed=2)
    rows = np.arange(NUM_IMAGES)
    epochs = ShardedEpochs(NUM_IMAGES, batch_size, 2, drop_remainder=False, repeats=repeats)
    return list(MindRecordSource(epochs, split.records, rows, sample, loaders, False, mixing).batches(epoch, start))


def _same(first, second):
    return all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


def test_mixed_batches_follow_from_seed_and_epoch(split):
    repeats = repeats_of_rows(split.records, np.arange(NUM_IMAGES), 0.8)
    mixing = Mixing(0.8, CopyPaste((0.5, 1.5), 0.5, read_outlines(split.annotation_file, None)))
    options = {"repeats": repeats, "mixing": mixing}
    whole = _batches(split, **options)
    assert len(whole) == 5
    assert all(map(_same, whole[2:], _batches(split, start=2, loaders=2, **options)))
    assert not all(map(_same, whole, _batches(split, epoch=4, **options)))
    ids = np.concatenate([batch[3] for batch in whole]).ravel()[:9] - 100
    noise = np.concatenate([batch[2] for batch in whole])[:9, 0]
    assert np.bincount(ids, minlength=NUM_IMAGES).min() == 1
    assert len(set(noise.tolist())) == 9  # an image that comes again is drawn anew
    plain = {int(row[3].item()): row for row in _batches(split, batch_size=1)}
    boxes = [(batch[1][place] != 0).any(axis=1).sum() for batch in whole for place in range(2)][:9]
    added = [count - (plain[number + 100][1] != 0).any(axis=2).sum() for number, count in zip(ids, boxes, strict=True)]
    assert sum(added) > 0


def test_without_mixing_an_image_is_drawn_as_ever(split):
    """The same draws for the first of its repetitions, with nothing pasted."""
    plain = {int(row[3].item()): row for row in _batches(split, batch_size=1)}
    mixed = _batches(split, batch_size=1, mixing=Mixing(0.0, CopyPaste((1.0, 1.0), 0.5)))
    assert all(_same(row, plain[int(row[3].item())]) for row in mixed)

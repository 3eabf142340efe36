"""skip_bad_images: what cannot be used is left out, counted, named, and still counts in an evaluation."""

import json
import logging
import time
from dataclasses import replace

import pytest
from PIL import Image

from utils.detection.data.splits import open_split
from utils.detection.results.coco_metrics import evaluate_coco
from utils.detection.tests.edited_coco import change
from utils.detection.tests.mindrecord_sets import write_as_before
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import paths_of
from utils.model_utils.errors import BadValueError, MissingPathError

BAD = (101, 102, 104)  # 101 is missing, 102 broken, 104 of another size: 1 + 2 + 1 of the 6 boxes


@pytest.fixture()
def data(tmp_path):
    """The tiny data set with three bad images; those that are left have the ids 100, 103 and 105 and 2 boxes."""
    root = write_coco(tmp_path / "data")
    folder = root / "train2017"
    (folder / "001.jpg").unlink()
    (folder / "002.jpg").write_bytes(b"no picture")
    Image.new("RGB", (64, 64)).save(folder / "004.jpg")
    return root


def open_skipping(root, **options):
    return open_split(paths_of(root), None, num_shards=2, skip_bad_images=True, **options)


def perfect(content):
    """Detections that are the boxes of the ground truth."""
    rows = content["annotations"]
    return [{key: row[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9} for row in rows]


def test_bad_images_are_left_out_counted_and_named_each_time(data, caplog):
    for _ in range(2):  # the second time the set is there already
        caplog.clear()
        records = open_skipping(data).records
        assert records.image_ids.tolist() == [100, 103, 105]
        (line,) = (message for message in caplog.messages if "skip_bad_images" in message)
        assert (
            "instances_train2017.json: 3 of 6 images cannot be used and are left out (skip_bad_images), an ev" in line
        )
        assert "001.jpg' does not exist" in line
        assert "002.jpg' is not an image" in line
        assert "004.jpg' is 64 x 64 (height x width) but annotated as 96 x 128" in line
    assert [image.image_id for image in records.left_out] == list(BAD)
    assert records.class_counts == (1, 1)


def test_repaired_images_are_taken(data, caplog):
    """A file of another size, or one that was missing, is another data set."""
    first = open_skipping(data).records
    assert "once they are repaired, --remake_mindrecord=True has them taken" in caplog.text
    assert [image.num_bytes for image in first.left_out] == [
        -1,
        *((data / "train2017" / f"{name}.jpg").stat().st_size for name in ("002", "004")),
    ]
    del first
    for name, count in (("001", 4), ("002", 5), ("004", 6)):
        Image.new("RGB", (128, 96)).save(data / "train2017" / f"{name}.jpg")
        assert open_skipping(data).records.num_images == count


def test_what_is_said_of_repaired_images_works_on_sets_of_earlier_versions(data, monkeypatch):
    with monkeypatch.context() as patch:
        write_as_before(patch)
        assert open_skipping(data).records.num_images == 3
    for name in ("001", "002", "004"):
        Image.new("RGB", (128, 96)).save(data / "train2017" / f"{name}.jpg")
    assert open_skipping(data).records.num_images == 3
    assert open_skipping(data, remake_before=time.time()).records.num_images == 6


def test_without_the_key_they_are_refused_and_the_key_is_named(data):
    with pytest.raises(MissingPathError, match=r"1 of 6 images of .* is not in .*; .*, or leave such images out with "):
        open_split(paths_of(data), None)
    (data / "train2017" / "001.jpg").write_bytes(b"")
    with pytest.raises(BadValueError, match="3 of 6 images of .* cannot be used: .* with --skip_bad_images=True"):
        open_split(paths_of(data), None)


def test_the_key_makes_another_set_and_no_set_is_made_anew_without_it(tmp_path):
    root = write_coco(tmp_path / "data")
    plain = open_split(paths_of(root), None).records
    assert plain.made_from["options"] == {"form": "coco", "skip_bad_images": False}
    made = {path: path.stat().st_mtime_ns for path in plain.files}
    assert {path: path.stat().st_mtime_ns for path in open_split(paths_of(root), None).records.files} == made
    skipping = open_skipping(root).records
    assert skipping.made_from["options"] == {"form": "coco", "skip_bad_images": True}
    assert (skipping.num_images, skipping.left_out) == (6, ())


@pytest.mark.parametrize("has_file", [True, False])
def test_images_that_were_left_out_count_as_ones_where_nothing_is_found(data, has_file):
    """All boxes of the other images are found, and nothing else: AP of a class is its share of recalls, of 101."""
    split = open_skipping(data)
    if not has_file:
        split = open_split(paths_of(None, folder=split.records.files[0].parent), None)
    content = split.ground_truth
    assert sorted(image["id"] for image in content["images"]) == [100, 101, 102, 103, 104, 105]
    kept = set(split.records.image_ids.tolist())
    found = [each for each in perfect(content) if each["image_id"] in kept]
    counts = [sum(row["category_id"] == category for row in content["annotations"]) for category in (3, 7)]
    assert (counts, len(content["annotations"]), len(found)) == ([2, 4], 6, 2)
    result = evaluate_coco(content, found)
    assert result.num_images == 6
    # class 3: 1 of 2, recalls 0 to 0.50 are 51 of 101; class 7: 1 of 4, 0 to 0.25 are 26 of 101
    assert result.stats[0] == pytest.approx((51 / 101 + 26 / 101) / 2, abs=1e-12)


def test_other_images_than_those_of_the_file_are_still_refused(data):
    split = replace(open_skipping(data), digest=None)
    change(data, lambda content: content["images"].pop(0))
    with pytest.raises(BadValueError, match="has 5 images .* is of 6 images, 5 of them the same"):
        assert split.ground_truth


def test_where_all_are_bad_they_are_refused(data):
    for name in ("000", "003", "005"):
        (data / "train2017" / f"{name}.jpg").write_bytes(b"no picture")
    with pytest.raises(BadValueError, match="6 of 6 images of .* cannot be used"):
        open_skipping(data)
    for path in (data / "train2017").iterdir():
        path.unlink()
    with pytest.raises(MissingPathError, match="6 of 6 images of .* are not in"):
        open_skipping(data)


def test_where_no_box_is_left_nothing_is_trained_on(data):
    for name in ("005",):
        (data / "train2017" / f"{name}.jpg").unlink()
    with pytest.raises(BadValueError, match="have no box to find in 2 images"):
        open_skipping(data).training_rows(keep_empty=True)


def test_lines_of_text_are_skipped_alike(data, tmp_path):
    """Only a picture itself says its size here; a bad one is given the size that holds its boxes."""
    (data / "list.txt").write_text(
        "000.jpg\n001.jpg 1,2,41,42,1,0\n002.jpg 3,3,50,30,2,0 1,1,9,9.5,1,0\n003.jpg 1,1,9,9,1,0\n"
    )
    options = {"form": "other", "anno_path": str(data / "list.txt"), "image_dir": str(data / "train2017")}
    paths = paths_of(None, folder=tmp_path / "records", **options)
    with pytest.raises(MissingPathError, match="1 of 4 images .* with --skip_bad_images=True"):
        open_split(paths, ["a", "b"])
    split = open_split(paths, ["a", "b"], skip_bad_images=True)
    assert split.records.image_ids.tolist() == [1, 4]
    left_out = [(image.image_id, image.file_name, image.height, image.width) for image in split.records.left_out]
    assert left_out == [(2, "001.jpg", 42, 41), (3, "002.jpg", 30, 50)]
    boxes = [(row["image_id"], row["category_id"], row["bbox"]) for row in split.ground_truth["annotations"]]
    assert sorted(boxes) == [
        (2, 1, [1, 2, 40, 40]),
        (3, 1, [1, 1, 8, 8.5]),
        (3, 2, [3, 3, 47, 27]),
        (4, 1, [1, 1, 8, 8]),
    ]


def test_so_many_that_the_usual_header_does_not_hold_them(tmp_path, caplog):
    """6000 reasons are 1.2 MB; a header has 1 MB where nothing is left out."""
    root = write_coco(tmp_path / "data")

    def add(content):
        content["images"] += [
            {"id": 1000 + index, "file_name": f"absent/{'x' * 100}{index}.jpg", "height": 9, "width": 9}
            for index in range(6000)
        ]

    change(root, add)
    with caplog.at_level(logging.WARNING):
        records = open_skipping(root).records
    assert (records.num_images, len(records.left_out)) == (6, 6000)
    assert len(json.dumps([image.reason for image in records.left_out])) > 2**20
    assert len(max(caplog.messages, key=len)) < 1500


def test_classes_without_a_box_are_named_each_time(tmp_path, caplog):
    root = write_coco(tmp_path / "data")
    change(root, lambda content: content["categories"].append({"id": 9, "name": "green"}))
    for _ in range(2):
        caplog.clear()
        assert open_split(paths_of(root), None).records.class_counts == (2, 4, 0)
        assert any("instances_train2017.json: 1 of 3 classes has no box: 'green'" in each for each in caplog.messages)

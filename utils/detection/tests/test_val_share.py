"""Which images of one file are trained on and which are evaluated: their names decide, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from utils.data_sets.val_share import ValShare, picture_name
from utils.detection.annotations.sides import EVALUATION, TRAINING, Side
from utils.detection.data.coco_file import load_coco, read_ground_truth
from utils.detection.data.layouts.sides import side_of
from utils.detection.data.splits import open_split
from utils.detection.data.training_source import warn_of_same_data
from utils.detection.data.txt_file import load_txt
from utils.detection.tests.tiny_coco import write_coco, write_txt
from utils.detection.tests.tiny_splits import paths_of
from utils.model_utils.errors import BadValueError, UserError

# The first byte of `printf '0\nNAME' | sha256sum`, of 256: 000 has dd, 001 f7, 002 68, 003 3b, 004 31, 005 2e.
NAMES = [f"{number:03d}.jpg" for number in range(6)]
HALF = ValShare(0.45)
SIDES = {name: Side(HALF, name) for name in (TRAINING, EVALUATION)}


@pytest.fixture()
def data(tmp_path):
    """Six images; image i has i % 3 boxes, of red and then of blue."""
    return write_coco(tmp_path / "coco data", {"train2017": 6})


def open_side(data, name, folder="records", **changes):
    paths = replace(paths_of(data, folder=data.parent / folder, prefix=name, **changes), side=SIDES.get(name))
    return open_split(paths, None, 2, for_training=name != EVALUATION)


@pytest.mark.parametrize(("share", "evaluated"), [(0.15, []), (0.19, [5]), (0.2, [4, 5]), (0.45, [2, 3, 4, 5])])
def test_the_hash_of_a_name_is_held_against_the_share(share, evaluated):
    """0x2e is 46 of 256: 0.18; 0x31 0.19, 0x3b 0.23, 0x68 0.41, 0xdd 0.86 and 0xf7 0.96."""
    assert np.flatnonzero(ValShare(share).is_evaluated(NAMES)).tolist() == evaluated


def test_another_seed_keeps_others():
    """`printf '1\\n002' | sha256sum` begins with 9a: 154 of 256, 0.602."""
    assert ValShare(0.61, seed=1).is_evaluated(["002.jpg"]).all()
    assert not ValShare(0.60, seed=1).is_evaluated(["002.jpg"]).any()


def test_pictures_that_come_later_move_none():
    names = [f"picture {number}.png" for number in range(2000)]
    early = ValShare(0.2).is_evaluated(names[:700])
    assert (ValShare(0.2).is_evaluated(names)[:700] == early).all()
    assert (ValShare(0.2).is_evaluated(names[::-1])[::-1][:700] == early).all()


def test_the_share_is_kept_and_seeds_are_independent():
    """Of 10,000 images 2,000 within four standard deviations, 160; by two seeds 400 of them, within 79."""
    names = [f"frames/{number}" for number in range(10_000)]
    first, second = (ValShare(0.2, seed).is_evaluated(names) for seed in (0, 1))
    assert abs(first.sum() - 2000) < 160
    assert abs((first & second).sum() - 400) < 79


@pytest.mark.parametrize(
    ("file_name", "name", "stem"),
    [
        ("cat.jpg", "cat", "cat"),
        ("cat_jpg.rf.0a1b2c3d.jpg", "cat", "cat"),
        ("CAT_JPG.rf.0A1b.jpg", "CAT", "CAT"),
        ("day 1\\cat.png", "day 1/cat", "day 1/cat"),
        ("clip_000123.jpg", "clip_000123", "clip"),
        ("clip_000123_png.rf.ff.jpg", "clip_000123", "clip"),
        ("a/clip-7.jpg", "a/clip-7", "a/clip"),
        ("clip (12).jpg", "clip (12)", "clip"),
        ("clip/000123.jpg", "clip/000123", "clip"),
        ("000123.jpg", "000123", "000123"),
        ("v1.2.mp4.17.jpg", "v1.2.mp4.17", "v1.2.mp4"),
        ("..5", ".", "."),
        ("/", "/", "/"),
    ],
)
def test_pictures_of_one_name_stay_together(file_name, name, stem):
    assert picture_name(file_name, by_stem=False) == name
    assert picture_name(file_name, by_stem=True) == stem


def test_frames_of_a_video_are_on_one_side():
    names = [f"clip {clip}_{frame:05d}.jpg" for clip in "abcdefghij" for frame in range(30)]
    sides = ValShare(0.3, by_stem=True).is_evaluated(names).reshape(10, 30)
    assert (sides == sides[:, :1]).all()
    assert 0 < sides[:, 0].sum() < 10
    loose = ValShare(0.3).is_evaluated(names).reshape(10, 30)
    assert (loose != loose[:, :1]).any(axis=1).all()


def test_the_sides_of_a_file_are_all_of_it(data, caplog):
    """By hand, of the sizes i % 3: 0 and 1 with 0 and 1 boxes to train on, 2 to 5 with 2, 0, 1 and 2 to evaluate."""
    caplog.set_level("INFO")
    source, images = data / "annotations" / "instances_train2017.json", data / "train2017"
    training = load_coco(source, images, side=SIDES[TRAINING])
    evaluation = load_coco(source, images, for_training=False, side=SIDES[EVALUATION])
    assert [(record.image_id, len(record.boxes)) for record in training.records] == [(100, 0), (101, 1)]
    assert [(record.image_id, len(record.boxes)) for record in evaluation.records] == [
        (102, 2),
        (103, 0),
        (104, 1),
        (105, 2),
    ]
    assert training.class_names == evaluation.class_names == ("blue", "red")
    whole = {record.image_id: record for record in load_coco(source, images).records}
    for record in (*training.records, *evaluation.records):
        assert (record.boxes == whole[record.image_id].boxes).all()
        assert (record.as_annotated == whole[record.image_id].as_annotated).all()
    said = [each.message for each in caplog.records if "kept for" in each.message]
    assert said == [f"{source}: 4 of 6 images are kept for evaluation (val_share 0.45, val_seed 0)"]
    truth = read_ground_truth(source, SIDES[EVALUATION])
    assert [image["id"] for image in truth["images"]] == [102, 103, 104, 105]
    assert [row["image_id"] for row in truth["annotations"]] == [102, 102, 104, 105, 105]


def test_lines_of_text_are_shared_out_alike(data):
    write_txt(data)
    lines = data / "train2017.txt"
    sides = [
        load_txt(lines, data / "train2017", ["red", "blue"], allow_empty=True, side=side) for side in SIDES.values()
    ]
    assert [[record.image_id for record in side.records] for side in sides] == [[1, 2], [3, 4, 5, 6]]
    assert [len(record.as_annotated) for record in sides[1].records] == [2, 0, 1, 2]


def test_a_side_without_images_is_refused(data):
    source = data / "annotations" / "instances_train2017.json"
    for share, words in ((0.1, "evaluation: raise val_share, or set val_seed"), (0.97, "training: lower val_share")):
        with pytest.raises(BadValueError, match=f"leaves none of the 6 images of '.*' for the {words}"):
            read_ground_truth(source, Side(ValShare(share), EVALUATION))
    content = json.loads(source.read_text())
    for image in content["images"]:
        image["file_name"] = f"clip_{image['file_name']}"
    source.write_text(json.dumps(content))
    with pytest.raises(BadValueError, match="since they stay together as 'clip': set val_group_by_stem to False"):
        read_ground_truth(source, Side(ValShare(0.5, by_stem=True), EVALUATION))


def test_mindrecord_sets_of_the_sides_are_told_apart(data, caplog):
    """Each is found again; under the other's name, of another share, or of all images, it is made anew."""
    training, evaluation = (open_side(data, name) for name in SIDES)
    assert (training.records.image_ids.tolist(), evaluation.records.image_ids.tolist()) == (
        [100, 101],
        [102, 103, 104, 105],
    )
    assert [side_of(each.records) for each in (training, evaluation)] == list(SIDES.values())
    assert [image["id"] for image in evaluation.ground_truth["images"]] == [102, 103, 104, 105]
    warn_of_same_data(training.records, evaluation.records)
    assert "the same annotations" not in caplog.text
    assert open_side(data, EVALUATION).records.build == evaluation.records.build
    whole = open_side(data, "all")
    assert whole.records.num_images == 6 and side_of(whole.records) is None
    warn_of_same_data(whole.records, whole.records)
    assert "--val_share=0.2 keeps a fifth" in caplog.text


@pytest.mark.parametrize("is_there", [True, False])
def test_finished_sets_of_a_side_are_not_taken_for_the_other(is_there, data):
    """Without the data set, and with its folder alone, where the sets lie."""
    for name in (*SIDES, "all"):
        open_side(data, name)
    (data / "annotations" / "instances_train2017.json").unlink()
    root = str(data) if is_there else None

    def open_again(name, prefix, for_training, share=HALF):
        paths = paths_of(root, folder=data.parent / "records", prefix=prefix)
        return open_split(replace(paths, side=share and Side(share, name)), None, for_training=for_training)

    assert open_again(EVALUATION, EVALUATION, False).records.num_images == 4
    assert open_again(EVALUATION, EVALUATION, False, None).ground_truth["images"][0]["id"] == 102
    with pytest.raises(BadValueError, match=r"hold the training side of val_share 0\.45, val_seed 0, wanted the eval"):
        open_again(EVALUATION, TRAINING, False, None)
    with pytest.raises(BadValueError, match=r"hold the evaluation side of .* wanted the training side"):
        open_again(TRAINING, EVALUATION, True)
    with pytest.raises(
        BadValueError, match="hold the evaluation side of .* wanted the evaluation side of val_share 0.2"
    ):
        open_again(EVALUATION, EVALUATION, False, ValShare(0.2))
    with pytest.raises(BadValueError, match="hold all images of their annotations, wanted the evaluation side"):
        open_again(EVALUATION, "all", False)


def test_a_broken_side_of_a_set_is_one_sentence(data):
    records = open_side(data, TRAINING).records
    records.made_from["options"]["side"]["val_share"] = 3
    with pytest.raises(UserError, match="truncated or damaged .its side is broken: val_share is 3"):
        side_of(records)

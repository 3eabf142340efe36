"""Where a split lies, and what can be read from it, on a tiny COCO data set."""

from pathlib import Path

import pytest

from utils.detection.data.splits import open_split
from utils.detection.tests.tiny_coco import write_coco
from utils.detection.tests.tiny_splits import paths_of
from utils.model_utils.errors import BadValueError, MissingPathError


@pytest.fixture()
def tiny_coco(tmp_path):
    return write_coco(tmp_path / "coco data")


@pytest.fixture()
def split(tiny_coco, tmp_path):
    return open_split(paths_of(tiny_coco, folder=tmp_path / "records"), None, num_shards=2)


def test_the_default_folder_is_in_the_root(tiny_coco):
    assert paths_of(tiny_coco).mindrecord_dir == tiny_coco / "RECORDS"
    assert paths_of(tiny_coco, folder="elsewhere").mindrecord_dir == Path("elsewhere")


def test_images_without_boxes_can_be_left_out(split):
    assert split.training_rows(keep_empty=True).tolist() == [0, 1, 2, 3, 4, 5]
    assert split.training_rows(keep_empty=False).tolist() == [1, 2, 4, 5]


def test_ground_truth_from_mindrecord_equals_the_file(split, tiny_coco, tmp_path):
    without = open_split(paths_of(None, folder=tmp_path / "records"), None)
    of_file, rebuilt = split.ground_truth, without.ground_truth
    assert of_file["annotations"] == rebuilt["annotations"]
    assert of_file["images"] == rebuilt["images"]
    assert len(rebuilt["annotations"]) == 6
    assert {category["id"] for category in rebuilt["categories"]} == {3, 7}


def test_nothing_to_read_from_is_a_sentence():
    with pytest.raises(BadValueError, match="--coco_root=FOLDER"):
        paths_of(None)


@pytest.mark.parametrize("root", [None, "."])
def test_lines_of_text_without_their_file_are_a_sentence(root):
    with pytest.raises(BadValueError, match="dataset is 'other' and neither anno_path nor mindrecord_dir is set"):
        paths_of(root, form="other")


def test_lines_of_text_need_no_other_key_than_their_file(tmp_path):
    paths = paths_of(None, form="other", anno_path=str(tmp_path / "{}.txt"))
    assert paths.annotation_file == tmp_path / "train2017.txt"
    assert paths.image_dir == tmp_path
    assert paths.mindrecord_dir == tmp_path / "RECORDS"
    assert paths_of(".", form="other", anno_path=str(tmp_path / "{}.txt")).mindrecord_dir == Path("RECORDS")


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(MissingPathError, match="is not a folder"):
        paths_of(tmp_path / "absent", folder=tmp_path)


def test_txt_data_needs_class_names(tmp_path):
    (tmp_path / "train.txt").write_text("a.jpg 1,1,5,5,1,0\n")
    paths = paths_of(None, folder=tmp_path / "r", form="other", anno_path=str(tmp_path / "{}.txt"), split="train")
    assert paths.image_dir == tmp_path
    with pytest.raises(BadValueError, match="coco_classes"):
        open_split(paths, None)

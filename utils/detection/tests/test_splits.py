"""Where a split lies, and what can be read from it, on a tiny COCO data set."""

import shutil
from pathlib import Path

import pytest

from utils.detection.data.splits import open_split
from utils.detection.data.training_source import warn_of_same_data
from utils.detection.tests.tiny_coco import SPLITS, write_coco
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


def test_the_folder_of_the_images_counts_with_coco_data_too(tiny_coco, tmp_path):
    """{} stands for the split; relative paths are those of the working directory, as with lines of text."""
    (tiny_coco / "train2017").rename(tmp_path / "photos of train2017")
    paths = paths_of(tiny_coco, folder=tmp_path / "records", image_dir=str(tmp_path / "photos of {}"))
    assert paths.image_dir == tmp_path / "photos of train2017"
    assert open_split(paths, None).records.num_images == 6
    with pytest.raises(MissingPathError, match=r"image folder '.*train2017' of .* does not exist"):
        open_split(paths_of(tiny_coco, folder=tmp_path / "others"), None)


@pytest.mark.parametrize("name", ["instances_{}.json", "{}/_annotations.coco.json"])
def test_annotations_of_another_name_are_found_and_read_by_it(tiny_coco, tmp_path, name):
    """As other programs name them: the sentence says what is there and which key reads it."""
    for split in SPLITS:
        target = tiny_coco / name.replace("{}", split)
        target.parent.mkdir(exist_ok=True)
        (tiny_coco / "annotations" / f"instances_{split}.json").rename(target)
    (tiny_coco / "annotations").rmdir()
    folder = tmp_path / "records"
    there = ", ".join(sorted(name.replace("{}", split) for split in SPLITS))
    with pytest.raises(MissingPathError) as caught:
        open_split(paths_of(tiny_coco, folder=folder), None)
    assert f"does not exist, but '{tiny_coco}' has {there}, and there are no MindRecord files" in str(caught.value)
    assert "with --instance_set, in which {} stands for the split" in str(caught.value)
    assert "data convert` converts Pascal VOC, YOLO, LabelMe and other forms to COCO" in str(caught.value)
    assert open_split(paths_of(tiny_coco, folder=folder, instance_set=name), None).records.num_images == 6


def test_an_annotation_file_and_a_folder_of_images_need_no_root(tiny_coco):
    annotations = str(tiny_coco / "annotations" / "instances_{}.json")
    paths = paths_of(None, instance_set=annotations, image_dir=str(tiny_coco / "{}"))
    assert paths.mindrecord_dir == tiny_coco / "annotations" / "RECORDS"
    assert open_split(paths, None).records.num_images == 6


def test_training_and_evaluating_on_the_same_annotations_is_said(tiny_coco, caplog):
    """Their content counts: a copy under the name of the other split is the same."""
    training, evaluation = (open_split(paths_of(tiny_coco, split), None).records for split in SPLITS)
    warn_of_same_data(training, evaluation)
    assert "the same annotations" not in caplog.text
    annotations = tiny_coco / "annotations"
    (annotations / "instances_val2017.json").write_bytes((annotations / "instances_train2017.json").read_bytes())
    shutil.copytree(tiny_coco / "train2017", tiny_coco / "val2017", dirs_exist_ok=True)
    warn_of_same_data(training, open_split(paths_of(tiny_coco, "val2017"), None).records)
    assert caplog.text.count("training and evaluation have the same annotations") == 1

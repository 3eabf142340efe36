"""Lists of text, finished MindRecord files and one file for all images, as both detectors meet them."""

import pytest

from tests.opened_splits import RECORDS, UNCHANGED, assert_trainable, made_files, open_split
from tests.suites import FASTER_RCNN, for_detectors
from utils.detection.data.class_names import ClassTable
from utils.detection.tests import edited_coco
from utils.detection.tests.edited_coco import annotations_of, change
from utils.detection.tests.tiny_coco import write_coco, write_txt
from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import BadValueError, MissingPathError, UserError


@pytest.fixture()
def data(tmp_path):
    return write_coco(tmp_path / "coco data")


# TXT


@pytest.fixture()
def txt(suite, data, tmp_path):
    """Writes train2017.txt, or leaves that of the tiny data set, and opens it."""
    arguments = (*write_txt(data), f"--mindrecord_dir={tmp_path / 'records'}")

    def call(content=None, *changes):
        if content is not None:
            (data / "train2017.txt").write_bytes(content)
        return open_split(suite, None, *arguments, *changes)

    return call


@for_detectors
def test_the_list_of_the_tiny_data_set_trains(suite, txt):
    assert_trainable(suite, txt(), 6)


for_lists = pytest.mark.parametrize("suite", [FASTER_RCNN], ids=str)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"000.jpg\n001.jpg 1,2,30,40,1", "train2017.txt' line 2: box '1,2,30,40,1' has 5 fields, wanted 6: xmin,ymin"),
        (b"001.jpg 1,2,left,40,1,0", "line 1: box '1,2,left,40,1,0' holds text where a number belongs"),
        (b"001.jpg 1,2,30,40,0,0", "has class 0, but class ids count from 1 into coco_classes; add 1 to each id"),
        (b"001.jpg 1,2,30,40,3,0", r"has class 3, wanted a whole number from 1 to 2 \(coco_classes has 2 names\)"),
        (b"1,2,30,40,1,0", "line 1 has boxes but no image path"),
        (b"001.jpg 1 2 30 40 1 0", "wanted an image path and boxes of the form xmin,ymin"),
        (b"\n \r\n", "lists no images"),
        (b"000.jpg\n003.jpg\n", "has no boxes of the classes red, blue"),
        (b"001.jpg 1,2,30,40,1,1\n", "has only crowd boxes"),
        ("001.jpg 1,2,30,40,1,0\n".encode("utf-16"), "is not UTF-8 text"),
    ],
)
@for_lists
def test_a_bad_list_is_refused_with_its_line_and_leaves_nothing(suite, content, sentence, txt, tmp_path):
    with pytest.raises(BadValueError, match=sentence):
        txt(content)
    assert made_files(tmp_path / "records") == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"001.jpg 1,2,30,40,1,0\nabsent.jpg 1,2,30,40,1,0", r"1 of 2 images of .* is not in .*, first 'absent\.jpg'"),
        (b"other/001.jpg 1,2,30,40,1,0", r"first 'other/001\.jpg'"),
    ],
)
@for_lists
def test_an_image_that_a_list_names_and_is_not_there_is_named(suite, content, sentence, txt):
    with pytest.raises(MissingPathError, match=sentence):
        txt(content)


@for_lists
def test_windows_line_ends_empty_lines_and_spaces_in_paths_train(suite, txt, data):
    folder = data / "train2017" / "my photos"
    folder.mkdir()
    (data / "train2017" / "001.jpg").rename(folder / "one, the first.jpg")
    split = txt(b"\xef\xbb\xbfmy photos/one, the first.jpg 1,2,30,40,1,0  50,2,70,90,2,1\r\n\r\n   \r\n000.jpg\r\n")
    batches = assert_trainable(suite, split, 2, *UNCHANGED)
    (first,) = (arrays for arrays in batches if (arrays["gt_labels"] >= 0).any())
    assert first["gt_labels"][0, :3].tolist() == [0, 1, -1]
    assert first["gt_is_crowd"][0, :3].tolist() == [False, True, False]
    assert first["gt_boxes"][0, :2].tolist() == [[1, 2, 30, 40], [50, 2, 70, 90]]


@for_lists
def test_a_list_that_is_not_there_or_without_names_is_a_sentence(suite, txt, data):
    with pytest.raises(BadValueError, match="dataset is 'other' and coco_classes is not set"):
        txt(None, "--coco_classes=null")
    (data / "train2017.txt").unlink()
    with pytest.raises(MissingPathError, match=r"train2017\.txt' does not exist"):
        txt()
    with pytest.raises(BadValueError, match="neither anno_path nor mindrecord_dir is set: .* --anno_path=FILE"):
        open_split(suite, data, "--dataset=other", "--coco_classes=[red, blue]")


# MindRecord files alone


@pytest.fixture()
def records(suite, data):
    """Folder of the finished MindRecord files."""
    open_split(suite, data)
    return data / RECORDS[suite.name][0]


@for_detectors
def test_files_alone_train_without_the_data_set(suite, records):
    assert_trainable(suite, open_split(suite, None, f"--mindrecord_dir={records}"), 6)


def remove(folder, pattern):
    for path in folder.glob(pattern):
        path.unlink()


def truncate(folder):
    (path,) = folder.glob("*.mindrecord0")
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (truncate, "is truncated or damaged"),
        (lambda folder: remove(folder, "*.mindrecord0"), "mindrecord"),
        (lambda folder: remove(folder, "*.mindrecord0.db"), "index .* is missing"),
        (lambda folder: remove(folder, "*.mindrecord?"), "the index of .* but not its data"),
        (lambda folder: remove(folder, "*"), "there are no MindRecord files"),
    ],
)
@for_detectors
def test_files_alone_that_are_not_whole_are_refused(suite, damage, sentence, records):
    damage(records)
    with pytest.raises(UserError, match=sentence):
        open_split(suite, None, f"--mindrecord_dir={records}")


@for_detectors
def test_files_that_are_not_whole_are_made_again_where_the_data_set_is(suite, records, data):
    truncate(records)
    assert_trainable(suite, open_split(suite, data), 6)


@for_detectors
def test_files_of_another_program_are_refused_and_stay(suite, data):
    from mindspore.mindrecord import FileWriter

    folder = data / RECORDS[suite.name][0]
    folder.mkdir()
    writer = FileWriter(str(folder / f"{RECORDS[suite.name][1]}.mindrecord"), 1)
    writer.add_schema({"image": {"type": "bytes"}, "label": {"type": "bytes"}}, "segmentation")
    writer.write_raw_data([{"image": b"1", "label": b"1"}])
    writer.commit()
    before = made_files(folder)
    with pytest.raises(UserError, match=r"was written by another program .*; choose another mindrecord_dir"):
        open_split(suite, data)
    assert made_files(folder) == before


@for_detectors
def test_an_annotation_file_that_is_missing_is_named_before_the_evaluation(suite, records, tmp_path):
    arguments = (f"--mindrecord_dir={records}", f"--instance_set={tmp_path}/absent_{{}}.json")
    split = open_split(suite, None, *arguments)
    with pytest.raises(MissingPathError, match=r"absent_train2017\.json' does not exist: correct --instance_set"):
        assert split.ground_truth


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda content: content["images"].pop(0), "has 5 images .* is of 6 images, 5 of them the same"),
        (lambda content: content["images"].append({**content["images"][0], "id": 9}), "has 7 images"),
        (edited_coco.other_categories, r"category ids \[4, 8\].*category ids \[3, 7\]"),
        (lambda content: content.pop("images"), "has no 'images'"),
    ],
)
@for_detectors
def test_annotations_of_another_split_are_refused_before_the_evaluation(suite, edit, sentence, records, data):
    change(data, edit)
    arguments = (f"--mindrecord_dir={records}", f"--instance_set={annotations_of(data)}")
    with pytest.raises(BadValueError, match=sentence):
        assert open_split(suite, None, *arguments).ground_truth


# One annotation file, without splits


@pytest.fixture()
def one_file(data):
    """The training's pictures as CVAT writes them; of val_share 0.45 those of 002 to 005 are evaluated, by hand."""
    (data / "annotations" / "instances_train2017.json").rename(data / "annotations" / "instances_default.json")
    (data / "annotations" / "instances_val2017.json").unlink()
    (data / "train2017").rename(data / "images")
    return data


@for_detectors
def test_the_evaluation_of_a_checkpoint_sees_no_picture_of_its_training(suite, one_file, tmp_path):
    trained = suite.load(f"--coco_root={one_file}", "--val_share=0.45")
    assert suite.part("build").open_configured_split(trained, True).records.image_ids.tolist() == [100, 101]
    checkpoint = suite.tiny.write_checkpoint(tmp_path / "net.ckpt", config_text=dump_config(trained))
    given = (f"--checkpoint_path={checkpoint}", f"--coco_root={one_file}")
    build = suite.part("build")
    config, _ = build.open_checkpoint(suite.load(*given, program="eval.py"), checkpoint)
    split = build.open_evaluation_split(config, ClassTable(("red", "blue"), (7, 3)), "a test")
    assert split.images.image_ids.tolist() == [image["id"] for image in split.ground_truth["images"]]
    assert split.images.image_ids.tolist() == [102, 103, 104, 105]


@for_detectors
def test_a_training_that_is_evaluated_needs_val_share_for_one_file(suite, one_file, tmp_path):
    """Nothing is made before it is refused."""
    with pytest.raises(BadValueError, match=r"has one annotation file, .* --val_share=0\.2 keeps a fifth"):
        suite.call("train.py", f"--coco_root={one_file}", f"--run_dir={tmp_path / 'run'}", "--run_eval=True")
    assert not list(tmp_path.rglob("*.mindrecord*"))

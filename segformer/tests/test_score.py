"""Result files of a segmentation model are scored against labels, which are found by name."""

import json

import numpy as np
import pytest

from segformer.src.labels.files import read_label
from segformer.src.score import classes_of, find_labels, score
from segformer.tests.tiny_city import image_path, label_path, write_city, write_png
from utils.exporting.description import Preprocessing
from utils.exporting.postprocess_command import read_arguments
from utils.exporting.tests.written_results import describe, write_results
from utils.model_utils.errors import BadValueError, MissingPathError

NAMES = ("road", "sidewalk", "building", "wall")


def one_hot(label):
    """Logits float32[4, 64, 96] that say what a label of 32 x 48 pixels says, in the upper left of the input."""
    large = np.zeros((64, 96), np.uint8)
    large[:] = np.kron(label, np.ones((2, 2), np.uint8))
    return (large == np.arange(4)[:, None, None]).astype(np.float32)


@pytest.fixture()
def city(tmp_path):
    return write_city(tmp_path / "a city", {"val": 2}, height=32, width=48)


def write_run(city, folder, change=lambda label: label, described=None, **options):
    from PIL import Image

    images = []
    for index in range(2):
        label = np.array(Image.open(label_path(city, "val", index)))
        file = image_path(city, "val", index).relative_to(city / "leftImg8bit" / "val").as_posix()
        images.append((file, label.shape, (2.0, 2.0), [one_hot(change(label))]))
    write_results(folder, "net.mindir", images, [("x/y_leftImg8bit.png", "empty")])
    describe(
        folder / "net.mindir",
        images[0][3],
        suite="segformer",
        class_names=NAMES,
        category_ids=(0, 1, 2, 3),
        postprocessing={"ignore_label": 255, **(described or {})},
        **options,
    )
    return read_arguments(
        "postprocess.py", "", [f"--anno_path={city}", f"--result_path={folder / 'result_Files'}", f"--run_dir={folder}"]
    )


def test_right_logits_have_miou_1_and_skipped_images_are_counted(city, tmp_path, capsys):
    score(write_run(city, tmp_path / "run"))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["mIoU"] > 0.9  # of bilinear logits, edges may differ
    assert (result["num_images"], result["num_skipped"], result["mode"]) == (2, 1, "whole image in 64x96")
    shown = capsys.readouterr().out
    assert f"===> mIoU: {result['mIoU']}, ckpt: net.mindir" in shown
    assert "1 of 3 images could not be read: x/y_leftImg8bit.png; they do not count" in shown


def test_a_class_that_is_taken_for_another_has_iou_0(city, tmp_path):
    score(write_run(city, tmp_path / "run", lambda label: np.where(label == 1, 0, label).astype(np.uint8)))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["per_class"]["sidewalk"]["IoU"] == 0


def test_padding_is_cut_off_before_logits_get_the_size_of_the_picture():
    """A picture of 2 x 8 lies in the upper half of an input of 4 x 8; below it the logits say something else."""
    rule = Preprocessing("RGB", "keep_ratio", 4, 8, (0, 0, 0), (1, 1, 1), "bottom_right", rounding="half_up")
    logits = np.zeros((2, 4, 8), np.float32)
    logits[1, :2], logits[0, 2:] = 1, 5
    assert classes_of(logits, rule, (2, 8)).tolist() == [[1] * 8] * 2


def test_labels_are_found_anywhere_and_by_the_city_where_names_repeat(city, tmp_path):
    files = [image_path(city, "val", index).name for index in range(2)]
    assert find_labels(city, "val", files) == [label_path(city, "val", index) for index in range(2)]
    assert find_labels(city / "gtFine", "val", [file.replace("_leftImg8bit.png", ".jpg") for file in files]) == [
        label_path(city, "val", index) for index in range(2)
    ]
    pixels = np.zeros((32, 48), np.uint8)
    for folder in ("a", "b"):
        write_png(tmp_path / "labels" / folder / "one_gtFine_labelTrainIds.png", pixels)
    (found,) = find_labels(tmp_path / "labels", "val", ["b/one.jpg"])
    assert found.parent.name == "b"
    with pytest.raises(BadValueError, match="may both be the label of one image"):
        find_labels(tmp_path / "labels", "val", ["one.jpg"])


def test_labels_of_another_layout_are_found_by_the_names_of_their_images(tmp_path):
    for name in ("a.png", "b.png", "a_mask.png", "b_mask.png"):
        write_png(tmp_path / "one" / name, np.zeros((2, 2), np.uint8))
    assert [path.name for path in find_labels(tmp_path / "one", "val", ["a.jpg", "x/b.jpg"])] == ["a.png", "b.png"]
    own = find_labels(tmp_path / "one", "val", ["a.png", "x/b.png"])
    assert [path.name for path in own] == ["a_mask.png", "b_mask.png"]
    (tmp_path / "one" / "a.png").rename(tmp_path / "one" / "a.jpg")  # a photograph
    found = find_labels(tmp_path / "one", "val", ["a.jpg", "b.jpg"])
    assert [path.name for path in found] == ["a_mask.png", "b_mask.png"]
    with pytest.raises(MissingPathError, match=r"1 of 2 images has no label in .*, first c"):
        find_labels(tmp_path / "one", "val", ["b.jpg", "c.jpg"])


def test_values_are_mapped_as_the_model_says(city, tmp_path):
    """Labels hold ten times the class, and 7 where there is none; the description says what stands for what."""
    arguments = write_run(city, tmp_path / "run", described={"label_values": [0, 0, 10, 1, 20, 2, 30, 3, 7, 255]})
    for index in range(2):
        label = read_label(label_path(city, "val", index)) * np.uint8(10)
        label[0] = 7
        write_png(label_path(city, "val", index), label)
    score(arguments)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["mIoU"] > 0.9
    assert np.sum(result["confusion_matrix"]) == 2 * 31 * 48
    write_png(label_path(city, "val", 0), np.full((32, 48), 4, np.uint8))
    with pytest.raises(
        BadValueError, match=r"holds the value 4 \(1,536 pixels\), which stands for nothing; give labels of"
    ):
        score(arguments)


def test_what_does_not_fit_is_a_sentence(city, tmp_path):
    with pytest.raises(MissingPathError, match=r"1 of 1 image has no label in .*first x_gtFine_"):
        find_labels(city, "val", ["x.png"])
    with pytest.raises(MissingPathError, match="gtFine/test' is not a folder"):
        find_labels(city, "test", ["x.png"])
    arguments = write_run(city, tmp_path / "run")
    write_png(label_path(city, "val", 0), np.zeros((32, 40), np.uint8))
    with pytest.raises(BadValueError, match=r"has 32x40 pixels \(rows x columns\), its image .* 32x48"):
        score(arguments)
    write_png(label_path(city, "val", 0), np.full((32, 48), 4, np.uint8))
    with pytest.raises(BadValueError, match=r"holds 4 \(1,536 pixels\), wanted 0 to 3 and 255"):
        score(arguments)

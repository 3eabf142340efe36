"""Result files are read as the JSON beside them says; what is missing, short, damaged or foreign is a sentence."""

import json

import numpy as np
import pytest

from utils.exporting.description import Preprocessing
from utils.exporting.postprocess_command import format_skipped, open_results, read_arguments, threshold
from utils.exporting.result_files import read_result_files
from utils.exporting.tests.written_results import describe, write_results
from utils.model_utils.errors import BadValueError, MissingPathError

OUTPUTS = (np.arange(8, dtype=np.float32).reshape(2, 4), np.array([0.5, 0.25], np.float32), np.array([1, 0], np.int32))
NAMES = ("boxes", "scores", "labels")
IMAGE = ("city/a.b.jpg", (30, 40), (0.5, 0.5), OUTPUTS)


@pytest.fixture()
def run(tmp_path):
    """A run of one image in a folder with a space in its name."""
    folder = tmp_path / "a run"
    write_results(folder, "net.mindir", [IMAGE], [("bad.jpg", "empty")], NAMES)
    describe(folder / "net.mindir", OUTPUTS, suite="faster_rcnn")
    return folder


def opened(run, suite="faster_rcnn", *arguments):
    paths = ["--anno_path=any.json", f"--result_path={run / 'result_Files'}"]
    return open_results(read_arguments("postprocess.py", "", [*paths, *arguments]), suite)


def edit(run, change):
    path = run / "result_Files.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_arrays_come_back_with_their_types_and_shapes(run):
    results, description = opened(run)
    (image,) = results.images
    assert (image.file, image.stem, image.height, image.width) == ("city/a.b.jpg", "a", 30, 40)
    for found, expected in zip(results.arrays(image), OUTPUTS, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    assert format_skipped(results) == "1 of 2 images could not be read: bad.jpg"
    assert description.class_names == ("red", "blue")


def test_float16_becomes_float32_and_belongs_to_the_same_model(run):
    halves = [each.astype(np.float16) if each.dtype == np.float32 else each for each in OUTPUTS]
    write_results(run, "net.mindir", [(*IMAGE[:3], halves)], names=NAMES)
    results, _ = opened(run)
    boxes, scores, labels = results.arrays(results.images[0])
    assert (boxes.dtype, scores.dtype, labels.dtype) == (np.float32, np.float32, np.int32)
    np.testing.assert_array_equal(boxes, OUTPUTS[0])


def test_a_missing_file_is_named(run):
    (run / "result_Files" / "a_1.bin").unlink()
    results, _ = opened(run)
    with pytest.raises(MissingPathError, match=r"a_1\.bin' cannot be read .*: run the inference again"):
        results.arrays(results.images[0])


def test_a_short_file_says_how_many_bytes_were_wanted(run):
    path = run / "result_Files" / "a_0.bin"
    path.write_bytes(path.read_bytes()[:-3])
    results, _ = opened(run)
    with pytest.raises(BadValueError, match=r"a_0\.bin' has 29 bytes, wanted 32 for 'boxes', float32\[2, 4\]"):
        results.arrays(results.images[0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: values.pop("images"), "lacks or misspells a field .*images"),
        (lambda values: values["images"][0].pop("stem"), "lacks or misspells a field .*stem"),
        (lambda values: values["outputs"][0].update(dtype="1_0"), "the type '1_0' and shape .*, which cannot be read"),
        (lambda values: values["outputs"][0].update(dtype="\ud800"), "which cannot be read"),
        (lambda values: values["outputs"][0].update(dtype="object"), "the type 'object' and shape"),
        (lambda values: values["outputs"][0].update(dtype="float33"), "the type 'float33' and shape"),
        (lambda values: values["outputs"][0].update(shape=[-1, 4]), "cannot be read"),
        (lambda values: values.update(images=[]), "lists no image with results, 1 could not be read"),
        (lambda values: values["outputs"].pop(), r"gives float32\[2, 4\], float32\[2\], int32\[2\] for each image"),
        (lambda values: values["outputs"][1].update(shape=[3]), "the results are of another model"),
        (lambda values: values["outputs"][1].update(dtype="int32"), "the results are of another model"),
    ],
)
def test_a_list_that_a_run_did_not_write_is_a_sentence(run, change, sentence):
    edit(run, change)
    with pytest.raises(BadValueError, match=sentence):
        opened(run)


def test_what_is_missing_is_a_sentence(run):
    with pytest.raises(BadValueError, match=r"a model of faster_rcnn, wanted one of nas_fpn"):
        opened(run, "nas_fpn")
    with pytest.raises(MissingPathError, match=r"other\.json' does not exist: export the model"):
        opened(run, "faster_rcnn", f"--mindir_path={run / 'other.mindir'}")
    (run / "result_Files.json").write_text("{")
    with pytest.raises(BadValueError, match=r"result_Files\.json' is no JSON"):
        read_result_files(run / "result_Files")
    (run / "result_Files.json").unlink()
    with pytest.raises(MissingPathError, match=r"result_Files\.json' cannot be read .*--result_path"):
        read_result_files(run / "result_Files")


def test_a_threshold_that_the_description_lacks_is_a_sentence(run):
    description = describe(run / "net.mindir", OUTPUTS, postprocessing={"min_score": 0.25})
    assert threshold(description, "min_score") == 0.25
    with pytest.raises(BadValueError, match="has no 'max_boxes'"):
        threshold(description, "max_boxes")


@pytest.mark.parametrize("arguments", [[], ["--anno_path=a", "--ann=b"], ["--anno_path=a", "b"]])
def test_arguments_that_are_missing_or_unknown_are_a_sentence(arguments):
    with pytest.raises(BadValueError, match="command line: .*--help"):
        read_arguments("postprocess.py", "", arguments)


@pytest.mark.parametrize(
    ("rounding", "resize", "size", "expected"),
    [
        ("half_even", "keep_ratio", (128, 96), (64, 48)),
        ("half_even", "keep_ratio", (10, 192), (5, 96)),
        ("half_even", "keep_ratio", (5, 192), (2, 96)),  # 2.5 rows
        ("half_up", "keep_ratio", (5, 192), (3, 96)),
        ("half_up", "keep_ratio", (1, 9600), (1, 96)),
        ("half_even", "stretch", (5, 192), (64, 96)),
    ],
)
def test_the_size_that_a_picture_gets(rounding, resize, size, expected):
    rule = Preprocessing("RGB", resize, 64, 96, (0, 0, 0), (1, 1, 1), "none", rounding=rounding)
    assert rule.resized_size(*size) == expected

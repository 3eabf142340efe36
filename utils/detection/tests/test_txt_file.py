"""The documented TXT list, good and bad; each sentence names the file and the line."""

import numpy as np
import pytest

from utils.detection.data.txt_file import load_txt
from utils.images import write_image
from utils.model_utils.errors import BadValueError, MissingPathError

NAMES = ("cat", "dog", "bird", "fish", "cow", "pig", "horse")


@pytest.fixture
def load(tmp_path):
    """Writes pictures of 480 x 640 and a list, and loads it."""
    for name in ("a.jpg", "b.jpg", "train2017/my photo, red.jpg", "noending"):
        path = tmp_path / name
        write_image(path.with_suffix(".jpg"), np.zeros((480, 640, 3), np.uint8))
    (tmp_path / "noending.jpg").rename(tmp_path / "noending")

    def call(text, class_names=NAMES, **options):
        path = tmp_path / "train.txt"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_txt(path, tmp_path, class_names, **options)

    return call


def test_documented_line(load):
    """The line of the page: classes 7, 2, 2 count from 1, so labels are 6, 1, 1; sizes come from the file."""
    dataset = load("a.jpg 0,259,401,459,7,0 35,28,324,201,2,0 0,30,59,80,2,1\n")
    record = dataset.records[0]
    assert record.boxes.tolist() == [[0, 259, 401, 459], [35, 28, 324, 201], [0, 30, 59, 80]]
    assert (record.labels.tolist(), record.is_crowd.tolist()) == ([6, 1, 1], [False, False, True])
    assert (record.image_id, record.height, record.width) == (1, 480, 640)
    assert (dataset.class_names, dataset.category_ids) == (NAMES, (1, 2, 3, 4, 5, 6, 7))


def test_empty_lines_windows_line_ends_and_a_byte_order_mark(load):
    dataset = load(b"\xef\xbb\xbfa.jpg 1,2,3,4,1,0\r\n\r\n   \r\nb.jpg 5,6,7,8,2,0\r\n")
    assert [record.file_path.name for record in dataset.records] == ["a.jpg", "b.jpg"]
    assert [record.boxes.tolist() for record in dataset.records] == [[[1, 2, 3, 4]], [[5, 6, 7, 8]]]


def test_spaces_and_commas_in_paths(load):
    record = load("train2017/my photo, red.jpg 1,2,3,4,1,0  5,6,7,8,1,0").records[0]
    assert record.file_path.name == "my photo, red.jpg"
    assert len(record.boxes) == 2


def test_a_line_without_boxes_is_background(load):
    dataset = load("a.jpg\nb.jpg 1,2,3,4,1,0\nnoending")
    assert [len(record.boxes) for record in dataset.records] == [0, 1, 0]


def test_boxes_are_repaired_like_those_of_coco(load):
    dataset = load("a.jpg 1,2,3,4,1,0 600,400,700,500,1,0 9,9,9,9,1,0 nan,1,2,3,1,0")
    assert dataset.records[0].boxes.tolist() == [[1, 2, 3, 4], [600, 400, 640, 480]]
    assert str(dataset.repairs) == (
        "1 box clipped at the image border, 2 dropped (1 without area, 0 outside the image, 1 not finite); "
        "first: line 1 box 2, line 1 box 3, line 1 box 4"
    )


def test_background_is_no_class(load):
    assert load("a.jpg 1,2,3,4,1,0", ("background", "cat")).class_names == ("cat",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "b.jpg\na.jpg 1,2,3,4,5",
            r"train\.txt' line 2: box '1,2,3,4,5' has 5 fields, wanted 6: xmin,ymin,xmax,ymax,class,is_cr",
        ),
        ("a.jpg 1,2,3,4,1,0,9", "line 1: box '1,2,3,4,1,0,9' has 7 fields"),
        ("a.jpg 1,2,x,4,1,0", "line 1: box '1,2,x,4,1,0' holds text where a number belongs"),
        ("a.jpg 1,2,,4,1,0", "holds text where a number belongs"),
        ("a.jpg 1_0,2,30,40,1,0", "box '1_0,2,30,40,1,0' holds text where a number belongs"),
        ("a.jpg １０,2,30,40,1,0", "box '１０,2,30,40,1,0' holds text where a number belongs"),
        (f"a.jpg 1,2,{'x' * 70},4,1,0", f"box '1,2,{'x' * 53}...' holds text"),
        (
            "\n\na.jpg 1,2,3,4,0,0",
            "line 3: box '1,2,3,4,0,0' has class 0, but class ids count from 1 into coco_classes",
        ),
        ("a.jpg 1,2,3,4,8,0", r"has class 8, wanted a whole number from 1 to 7 \(coco_classes has 7 names\)"),
        ("a.jpg 1,2,3,4,-1,0", "has class -1, wanted a whole number"),
        ("a.jpg 1,2,3,4,1.5,0", "has class 1.5, wanted a whole number"),
        ("a.jpg 1,2,3,4,nan,0", "has class nan, wanted a whole number"),
        ("a.jpg 1,2,3,4,1,2", "has is_crowd 2, wanted 0 or 1"),
        ("1,2,3,4,1,0", "line 1 has boxes but no image path"),
        ("a.jpg 1 2 3 4 1 0", "line 1 is 'a.jpg 1 2 3 4 1 0', wanted an image path and boxes of the form xmin"),
        ("a.jpg 1,2,3,4,1,0\nb.jpg\na.jpg", "lists image 'a.jpg' in line 1 and again in line 3"),
        ("a.jpg 1,2,3,4,1,0\n./a.jpg", "lists image './a.jpg' in line 1 and again in line 2"),
        ("", "lists no images"),
        ("a.jpg\nb.jpg", "has no boxes of the classes cat, dog"),
        (b"\xff\xfea.jpg", "is not UTF-8 text"),
    ],
)
def test_bad_lines_are_refused(load, text, sentence):
    with pytest.raises(BadValueError, match=sentence):
        load(text)


def test_no_boxes_is_fine_where_allowed(load):
    assert len(load("a.jpg\nb.jpg", allow_empty=True).records) == 2


def test_missing_things(load, tmp_path):
    with pytest.raises(MissingPathError, match=r"1 of 2 images of '.*train\.txt' is not in '.*', first 'c\.jpg'"):
        load("a.jpg 1,2,3,4,1,0\nc.jpg")
    with pytest.raises(MissingPathError, match="annotation list '.*none.txt' does not exist"):
        load_txt(tmp_path / "none.txt", tmp_path, NAMES)
    with pytest.raises(BadValueError, match="needs at least one class name, got none; name its classes"):
        load("a.jpg", ())


def test_unreadable_image_is_named(load, tmp_path):
    (tmp_path / "c.jpg").write_bytes(b"")
    with pytest.raises(BadValueError, match=r"train\.txt' cannot be loaded: image '.*c\.jpg' is empty"):
        load("a.jpg 1,2,3,4,1,0\nc.jpg")

"""`data show` on small data sets: boxes and classes where they are, and as many as there are."""

import json
import logging
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from segformer.src.labels.classes import class_colours, palette
from segformer.tests.tiny_city import label_path, write_city
from tests.suites import DETECTORS, FASTER_RCNN, NAS_FPN, SEGFORMER, SUITES
from utils.detection.results.pictures.drawing import class_color
from utils.detection.tests.tiny_coco import write_coco
from utils.drawing.class_maps import OPACITY
from utils.drawing.network_inputs import STRIPE_COLORS
from utils.drawing.panels import GAP
from utils.images import read_image
from utils.model_utils.command import Terminated
from utils.model_utils.errors import BadStateError, BadValueError
from utils.sharding import ShardedEpochs
from utils.tools.data.show import main

# Nothing is drawn at random: a picture stays as it is, in the corner of its input.
COLOURS = ("--brightness=0", "--contrast=0", "--saturation=0", "--hue=0")
STILL = ("--flip_ratio=0", "--scale_range=[1.0,1.0]", "--batch_size=2", "--drop_remainder=False")
OWN = {
    NAS_FPN: ("--img_shape=[128,128]", "--keep_empty_images=True", *COLOURS),
    FASTER_RCNN: ("--img_height=128", "--img_width=128", "--expand_ratio=1", "--keep_empty_images=True", *COLOURS),
    SEGFORMER: (
        "--config_path=config/custom.yaml",
        "--base_size=[48,96]",
        "--crop_size=[64,128]",
        "--photometric_distortion=False",
        "--cat_max_ratio=1",
    ),
}
RECORDS = {NAS_FPN: "NASFPN_MINDRECORD", FASTER_RCNN: "FASTERRCNN_MINDRECORD"}  # in coco_root, by default


def show(suite, data: Path, out: Path, capsys, *more: str) -> list[str]:
    """Returns what the command prints."""
    keys = (*suite.tiny.TINY_NETWORK, *STILL, *OWN[suite], f"--{suite.data}={data}", *more)
    main([suite.name, *keys, f"--out={out}"])
    return capsys.readouterr().out.splitlines()


def top_left(place: int, columns: int, height: int, width: int) -> tuple[int, int]:
    """Where the picture of a place is on a sheet: below the heading of 30 pixels and its caption of 21."""
    row, column = divmod(place, columns)
    return 30 + GAP + row * (21 + height + GAP) + 21, GAP + column * (width + GAP)


def order_of(num_images: int) -> list[int]:
    """The images of the first epoch in their order, the last step of two filled up."""
    epochs = ShardedEpochs(num_images=num_images, batch_size=2, seed=1, drop_remainder=False)
    return epochs.own_items(1)[0].ravel().tolist()


@pytest.mark.parametrize("suite", DETECTORS, ids=str)
def test_a_detectors_boxes_are_where_they_are_annotated(suite, tmp_path, capsys):
    """Five pictures of 128 x 96 with 0, 1, 2, 0 and 1 boxes of 40 pixels, on the sheet enlarged by three."""
    data, out = write_coco(tmp_path / "data", {"train2017": 5}), tmp_path / "out"
    lines = show(suite, data, out, capsys, "--pictures=6", f"--mindrecord_dir={tmp_path / 'records'}")
    assert lines[:4] == [
        "5 pictures of 128 x 128 pixels (width x height), 25 % of that is padding",
        "4 boxes, at most 2 in a picture; 2 pictures have none",
        "  red        3 in 3 pictures",
        "  blue       1 in 1 picture",
    ]
    assert lines[4] == "box sides (square root of the area): 40 to 40 pixels, half of them below 40; 0 % below 8"
    assert lines[-3:] == [str(out / name) for name in ("pictures.png", "classes.png", "boxes.png")]
    assert {str(path) for path in out.iterdir()} == set(lines[-3:])

    sheet = read_image(out / "pictures.png").astype(int)
    rows = json.loads((data / "annotations" / "instances_train2017.json").read_text())["annotations"]
    for index in (1, 4):
        top, left = top_left(order_of(5).index(index), 3, 3 * 128, 3 * 128)
        ((x, y, _, _),) = [row["bbox"] for row in rows if row["image_id"] == 100 + index]
        edge, middle = sheet[top + 3 * (y + 20), left + 3 * x], sheet[top + 3 * (y + 20), left + 3 * (x + 20)]
        np.testing.assert_allclose(edge, class_color(1), atol=70)  # red is the second class by id
        np.testing.assert_allclose(middle, (254, 0, 0), atol=3)
        assert set(np.unique(sheet[top + 3 * 96 : top + 3 * 128, left : left + 3 * 128])) == set(STRIPE_COLORS)


def test_segformers_classes_are_laid_over_their_pixels(tmp_path, capsys):
    """Three pictures of 48 x 96 in inputs of 64 x 128: 7/16 are padding; on the sheet they are enlarged by three."""
    data, out = write_city(tmp_path / "data", {"train": 3}), tmp_path / "out"
    lines = show(SEGFORMER, data, out, capsys, "--pictures=4", "--class_names=[a,b,c,d]")
    assert lines[0] == (
        "3 pictures of 128 x 64 pixels (width x height), 44 % of that is padding, 44 % belongs to no class (padding "
        "included); of the rest:"
    )
    labels = [cv2.imread(str(label_path(data, "train", index)), cv2.IMREAD_UNCHANGED) for index in range(3)]
    counts = np.array([np.bincount(label.ravel(), minlength=4) for label in labels])
    shares = dict(zip("abcd", counts.sum(axis=0) / counts.sum(), strict=True))
    found = {line.split()[0]: line.split()[1] for line in lines[1:5]}
    assert found == {name: f"{share:.2%}" for name, share in shares.items()}
    assert lines[-2:] == [str(out / "pictures.png"), str(out / "classes.png")]

    sheet = read_image(out / "pictures.png").astype(int)
    width, files = 3 * 128, sorted(path.parent.name + path.name for path in data.rglob("*_leftImg8bit.png"))
    numbers = [int(name.split("_")[1]) for name in files]  # of the picture at each position of the training set
    drawn, own = palette().astype(int), class_colours(list("abcd")).astype(int)
    for place, position in enumerate(order_of(3)[:3]):
        top, left = top_left(place, 2, 3 * 64, 2 * width + GAP)
        label = labels[numbers[position]]
        for y, x in ((8, 8), (40, 88)):
            picture, over = sheet[top + 3 * y, left + 3 * x], sheet[top + 3 * y, left + width + GAP + 3 * x]
            np.testing.assert_allclose(picture, drawn[label[y, x]], atol=2)
            mixed = OPACITY * own[label[y, x]] + (1 - OPACITY) * drawn[label[y, x]]
            np.testing.assert_allclose(over, mixed, atol=2)
        padding = sheet[top + 3 * 48 : top + 3 * 64, left : left + width]
        assert set(np.unique(padding)) == set(STRIPE_COLORS)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def write_data(suite, root: Path) -> Path:
    return write_city(root, {"train": 3}) if suite is SEGFORMER else write_coco(root, {"train2017": 5})


def state_of(data: Path) -> dict[Path, tuple[object, ...]]:
    """Returns bytes, mode and time of each file and folder; a file made and removed again changes its folder's time."""
    return {
        path: (path.read_bytes() if path.is_file() else b"", path.stat().st_mode, path.stat().st_mtime_ns)
        for path in (data, *data.rglob("*"))
    }


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_a_read_only_data_set_is_shown_and_stays_as_it_is(suite, tmp_path, temporary, capsys):
    data = write_data(suite, tmp_path / "data")
    for path in (data, *data.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state_of(data)
    lines = show(suite, data, tmp_path / "out", capsys)
    assert lines[0].startswith(f"{5 if suite in DETECTORS else 3} pictures of 128 x ")
    assert state_of(data) == before
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("suite", DETECTORS, ids=str)
def test_mindrecord_files_of_a_training_are_read_where_they_lie(suite, tmp_path, temporary, capsys, caplog):
    data = write_data(suite, tmp_path / "data")
    records = data / RECORDS[suite]
    show(suite, data, tmp_path / "out", capsys, f"--mindrecord_dir={records}")
    before = state_of(data)
    assert any(path.is_relative_to(records) for path in before)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        show(suite, data, tmp_path / "out", capsys)
    assert "making MindRecord files" not in caplog.text
    assert state_of(data) == before


@pytest.mark.parametrize("end", [KeyboardInterrupt(), Terminated(), BadStateError("no room")], ids=repr)
def test_nothing_stays_of_a_command_that_ends_early(end, tmp_path, temporary, capsys, monkeypatch):
    found = []

    def stop(*_: object) -> np.ndarray:
        found.extend(path.name for path in temporary.rglob("retinanet.mindrecord*"))
        raise end

    monkeypatch.setattr("utils.tools.data.show.draw_sheet", stop)
    data = write_data(NAS_FPN, tmp_path / "data")
    before = state_of(data)
    with pytest.raises(type(end)):
        show(NAS_FPN, data, tmp_path / "out", capsys)
    assert found
    assert state_of(data) == before
    assert list(temporary.iterdir()) == []


def test_a_folder_for_temporary_files_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(BadStateError, match="no temporary folder can be made .*; set TMPDIR to a folder"):
        show(NAS_FPN, write_data(NAS_FPN, tmp_path / "data"), tmp_path / "out", capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nas_fpm",), "there is no suite 'nas_fpm': choose one of"),
        (("nas_fpn", "--pictures=0"), "argument --pictures: '0', wanted a whole number from 1 on"),
        (("nas_fpn", "--epochs=2"), "epochs"),
    ],
)
def test_bad_arguments(arguments, sentence, tmp_path):
    with pytest.raises(BadValueError, match=sentence):
        main([*arguments, f"--out={tmp_path / 'out'}"])
    assert list(tmp_path.iterdir()) == []


def test_fewer_pictures_than_a_batch_are_refused(tmp_path):
    data = write_city(tmp_path / "data", {"train": 3})
    keys = (*SEGFORMER.tiny.TINY_NETWORK, *OWN[SEGFORMER], f"--data_path={data}", "--batch_size=4")
    with pytest.raises(
        BadValueError, match=r"fewer images than one step takes \(4\): lower --batch_size or add images"
    ):
        main(["segformer", *keys, f"--out={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()

"""The command that makes the labels, as a user gives it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from segformer.src.dataset import open_pairs
from segformer.src.labels.conversion import (
    ConversionReport,
    convert_labels,
    find_annotations,
    format_report,
    label_from_polygons,
    target_of,
)
from segformer.src.labels.files import claim_labels, read_label
from segformer.src.labels.sources import LABEL_ENDING
from segformer.tests.tiny_city import draw_pair, label_path, polygons_of, write_city, write_png
from utils.model_utils.errors import BadStateError

pytestmark = pytest.mark.end_to_end

TOOL = Path(__file__).resolve().parent.parent / "tools" / "convert_dataset.py"


def _run(*arguments, folder=None, check=True):
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert "Traceback" not in done.stderr
    assert (done.returncode == 0) == check, done.stderr
    return done


def _labels(root):
    return {path.name: path.read_bytes() for path in root.rglob("*_gtFine_labelTrainIds.png")}


@pytest.fixture()
def city(tmp_path):
    return write_city(tmp_path / "a city", kinds=("polygons",))


def test_labels_are_those_that_were_drawn(city, tmp_path):
    done = _run(city, "--nproc", 8, folder=tmp_path)
    assert done.stdout.startswith("made 7 labels (0 from labelIds, 7 from polygons) in ")
    assert done.stdout.endswith("; 0 were there already, 0 failed\n")
    for split, seed in (("train", 500), ("val", 300)):
        made = cv2.imread(str(label_path(city, split, 1)), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(made, draw_pair(48, 96, seed + 1)[1])


def test_labels_are_those_of_cityscapesscripts(tmp_path):
    """Overlapping, unknown-group, deleted, ignored and half-outside polygons, on the official tool and on ours."""
    root = write_city(tmp_path / "city", {"train": 1, "val": 1}, kinds=("polygons",))
    polygon = [[10, 10], [40, 12], [30, 40]]
    objects = [
        {"label": "road", "polygon": [[0, 0], [95, 0], [95, 47], [0, 47]]},
        {"label": "car", "polygon": polygon},
        {"label": "cargroup", "polygon": [[x + 30, y - 15] for x, y in polygon]},
        {"label": "license plate", "polygon": polygon},
        {"label": "ego vehicle", "polygon": [[60, 30], [80, 30], [80, 90]]},
        {"label": "sky", "polygon": polygon, "deleted": 1},
    ]
    content = json.dumps({"imgHeight": 48, "imgWidth": 96, "objects": objects})
    label_path(root, "train", 0, "polygons.json").write_text(content)
    official = tmp_path / "official"
    shutil.copytree(root, official)
    subprocess.run(
        [sys.executable, "-m", "cityscapesscripts.preparation.createTrainIdLabelImgs"],
        check=True,
        env={**os.environ, "CITYSCAPES_DATASET": str(official)},
        capture_output=True,
    )
    _run(root)
    for split in ("train", "val"):
        ours, theirs = (cv2.imread(str(label_path(folder, split, 0)), -1) for folder in (root, official))
        np.testing.assert_array_equal(ours, theirs)
    assert set(np.unique(cv2.imread(str(label_path(root, "train", 0)), -1))) == {0, 13, 255}


def test_label_ids_come_first_and_polygons_serve_where_there_are_none(tmp_path):
    """Where both are there, the polygons are those of other pictures here, so that it is seen which is taken."""
    root = write_city(tmp_path / "city", {"train": 3}, kinds=("polygons", "ids"))
    labels = [draw_pair(48, 96, 500 + index)[1] for index in range(3)]
    for index, other in ((0, 1), (1, 2)):
        label_path(root, "train", index, "polygons.json").write_text(json.dumps(polygons_of(labels[other])))
    label_path(root, "train", 2, "labelIds.png").unlink()
    done = _run(root, "--nproc=1")
    assert "made 3 labels (2 from labelIds, 1 from polygons)" in done.stdout
    said = "2 from labelIds and 1 from polygons, which are drawn where there are no labelIds"
    assert said in done.stderr + done.stdout
    for index in range(3):
        np.testing.assert_array_equal(read_label(label_path(root, "train", index)), labels[index])
        label_path(root, "train", index).unlink()
    assert "made 3 labels (0 from labelIds, 3 from polygons)" in _run(root, "--nproc=1", "--polygons").stdout
    np.testing.assert_array_equal(read_label(label_path(root, "train", 0)), labels[1])


def test_what_is_finished_is_kept_and_what_is_damaged_made_again(city):
    _run(city)
    labels = _labels(city)
    kept, cut, empty = (label_path(city, "train", index) for index in range(3))
    times = {path: path.stat().st_mtime_ns for path in city.rglob("*") if path not in (cut, empty)}
    cut.write_bytes(cut.read_bytes()[:-20])
    empty.write_bytes(b"")
    done = _run(city)
    assert "made 2 labels" in done.stdout
    assert "5 were there already" in done.stdout
    assert _labels(city) == labels
    assert kept.stat().st_mtime_ns == times[kept]


def test_labels_of_annotations_that_were_edited_since_are_named(city, caplog):
    caplog.set_level("WARNING")
    convert_labels(city, 1)
    sources = find_annotations(city)
    for source in sources:
        os.utime(source, (time.time() + 60,) * 2)  # a copy is newer too
    convert_labels(city, 1)
    assert caplog.messages == []
    edited = sources[3]
    content = json.loads(edited.read_text())
    edited.write_text(json.dumps({**content, "objects": []}))
    os.utime(edited, (time.time() + 60,) * 2)
    before = target_of(edited).read_bytes()
    convert_labels(city, 1)
    (said,) = caplog.messages
    assert said.startswith(
        "7 of 7 annotations are newer than their labels, which are kept; of 7 looked at 1 would give other labels "
        f"now, first '{edited}': remove"
    )
    assert target_of(edited).read_bytes() == before
    target_of(edited).unlink()
    caplog.clear()
    assert convert_labels(city, 1).skipped == 6
    assert caplog.messages == []
    assert (read_label(target_of(edited)) == 255).all()


def test_labels_that_are_read_are_not_made_anew(city):
    """A label with a byte behind its end can be read, and is not whole; one that is missing nobody reads."""
    convert_labels(city, 1)
    odd, missing = label_path(city, "train", 0), label_path(city, "val", 0)
    write_png(odd, np.full((48, 96), 5, np.uint8))
    odd.write_bytes(odd.read_bytes() + b"x")
    labels = _labels(city)
    pairs = open_pairs(city, "train", 19, 255)
    missing.unlink()
    done = _run(city, check=False)
    assert "gtFine/train' are being read by a training or an evaluation, and 1 of them are not whole" in done.stderr
    assert not missing.exists()
    odd.write_bytes(odd.read_bytes()[:-1])
    assert "made 1 label " in _run(city).stdout  # the missing one
    assert {name: content.rstrip(b"x") for name, content in labels.items()} == _labels(city)
    odd.write_bytes(odd.read_bytes() + b"x")
    del pairs
    assert "made 1 label " in _run(city).stdout
    np.testing.assert_array_equal(cv2.imread(str(odd), cv2.IMREAD_UNCHANGED), draw_pair(48, 96, 500)[1])


def test_labels_that_are_made_anew_are_not_read(city):
    convert_labels(city, 1)
    with (
        claim_labels(city, [label_path(city, "train", 0)]),
        pytest.raises(BadStateError, match="gtFine/train' are being made anew: start again"),
    ):
        open_pairs(city, "train", 19, 255)
    assert len(open_pairs(city, "train", 19, 255)) == 5


def test_nothing_to_do_writes_nothing(city):
    _run(city)
    before = {path: path.stat().st_mtime_ns for path in city.rglob("*")}
    assert "made 0 labels" in _run(city).stdout
    assert {path: path.stat().st_mtime_ns for path in city.rglob("*")} == before


BROKEN = {
    "cut JSON": ('{"imgHeight": 48, "imgWi', "is broken"),
    "no object": ("[1, 2]", "is broken"),
    "no size": ('{"objects": []}', "is broken"),
    "one point": ('{"imgHeight": 4, "imgWidth": 4, "objects": [{"label": "car", "polygon": [[1, 2]]}]}', "is broken"),
    "negative size": ('{"imgHeight": -4, "imgWidth": 4, "objects": []}', "is broken"),
    "zero size": ('{"imgHeight": 0, "imgWidth": 4, "objects": []}', "imgHeight or imgWidth 0"),
    "unknown class": (
        '{"imgHeight": 4, "imgWidth": 4, "objects": [{"label": "unicorn", "polygon": [[1, 2], [2, 2]]}]}',
        "Label 'unicorn' not known",
    ),
    "not text": ("\udcff\udcfe", "is broken"),
}


def test_ids_of_another_numbering_are_said(tmp_path, caplog):
    """As CVAT exports a user's own classes: 0, 1, 2, 3 are none of the 19 for Cityscapes."""
    root = write_city(tmp_path / "city", {"train": 3, "val": 1}, kinds=("ids",))
    for index in range(2):
        write_png(label_path(root, "train", index, "labelIds.png"), draw_pair(48, 96, index)[1])
    assert convert_labels(root, 1).from_ids == 4
    (message,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert message.startswith("2 of the 4 labels made from labelIds have no pixel of Cityscapes' 19 classes, first of ")
    assert str(label_path(root, "train", 0, "labelIds.png")) in message


def test_broken_annotations_are_named_and_the_others_converted(tmp_path):
    root = write_city(tmp_path / "city", {"train": len(BROKEN) + 2}, kinds=("polygons",))
    for index, (content, _) in enumerate(BROKEN.values()):
        label_path(root, "train", index, "polygons.json").write_text(content, errors="surrogateescape")
    done = _run(root, check=False)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    for index, (_, words) in enumerate(BROKEN.values()):
        path = label_path(root, "train", index, "polygons.json")
        assert len([line for line in lines if str(path) in line and words in line]) == 1, done.stderr
    assert lines[-1].startswith(f"convert_dataset.py: error: {len(BROKEN)} annotations, named above")
    assert "made 2 labels (0 from labelIds, 2 from polygons)" in done.stdout
    assert f"{len(BROKEN)} failed" in done.stdout
    assert sorted(_labels(root)) == sorted(label_path(root, "train", index).name for index in (8, 9))
    assert not list(root.rglob("*.tmp"))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_label_above_the_limit_is_not_drawn(tmp_path, processes):
    """48 x 96 is 4,608 pixels."""
    root = write_city(tmp_path / "city", {"train": 3}, kinds=("polygons",))
    done = _run(root, "--nproc", processes, "--max_image_megapixels=0.0046", check=False)
    assert done.returncode == 2
    assert done.stderr.count("_gtFine_polygons.json' has 96 x 48 pixels, at most 0.0046 million are decoded") == 3
    assert not _labels(root)
    _run(root, "--nproc", processes, "--max_image_megapixels=0.004608")
    assert len(_labels(root)) == 3


def test_what_is_said_of_broken_polygons_works(tmp_path):
    """The labelIds file is taken in their place."""
    root = write_city(tmp_path / "city", {"train": 1}, kinds=("polygons", "ids"))
    label_path(root, "train", 0, "polygons.json").write_text("{")
    ids = label_path(root, "train", 0, "labelIds.png")
    ids.rename(tmp_path / ids.name)
    said = "get the file anew, or its labelIds file, which is taken in its place"
    assert said in _run(root, "--nproc=1", check=False).stderr
    (tmp_path / ids.name).rename(ids)
    assert "made 1 label (1 from labelIds, 0 from polygons)" in _run(root, "--nproc=1").stdout


def test_broken_label_ids_are_named(tmp_path):
    root = write_city(tmp_path / "city", {"train": 3}, kinds=("ids",))
    write_png(label_path(root, "train", 0, "labelIds.png"), np.full((8, 8), 99, np.uint8))
    write_png(label_path(root, "train", 1, "labelIds.png"), np.full((8, 8), 9, np.uint16))
    stderr = _run(root, "--nproc=1", check=False).stderr
    assert "labelIds.png' holds 99, but ids end at 33" in stderr
    assert "is a grey PNG file with 16 bits" in stderr
    assert len(_labels(root)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{root}/nowhere"], "gtFine' is not a folder; give the folder that holds gtFine"),
        (["{root}"], "holds no annotation; wanted files like train/<city>/<name>_gtFine_polygons.json"),
        (["{root}", "--nproc=0"], "--nproc is 0, wanted 1 or more"),
        (["{root}", "--nproc=many"], "argument --nproc: invalid int value: 'many'"),
    ],
)
def test_a_command_that_cannot_be_is_a_sentence(tmp_path, arguments, words):
    (tmp_path / "gtFine").mkdir()
    done = _run(*(argument.format(root=tmp_path) for argument in arguments), check=False)
    assert done.returncode == 2
    assert words in done.stderr


def test_without_a_folder_the_documented_one_is_meant(tmp_path):
    default = TOOL.parent.parent / "data" / "cityscapes"
    if default.exists():
        pytest.skip("this checkout has data in the documented folder")
    assert f"'{default / 'gtFine'}' is not a folder" in _run(folder=tmp_path, check=False).stderr


def test_a_label_that_cannot_be_written_ends_the_command(city):
    """A folder stands where a label goes: os.replace refuses, as a full disk would."""
    label_path(city, "train", 0).mkdir()
    for processes in (1, 2):
        done = _run(city, "--nproc", processes, check=False)
        assert done.returncode == 2
        assert "labelTrainIds.png' cannot be written" in done.stderr
        assert not list(city.rglob("*.tmp"))


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_conversion_that_is_killed_is_taken_up_again(tmp_path, kind):
    root = write_city(tmp_path / "city", {"train": 16}, kinds=("polygons",))
    objects = [{"label": "car", "polygon": [[i, 0], [i + 900, 5], [i, 1000]]} for i in range(200)]
    large = json.dumps({"imgHeight": 1024, "imgWidth": 2048, "objects": objects})
    for index in range(16):
        label_path(root, "train", index, "polygons.json").write_text(large)
    process = subprocess.Popen([sys.executable, str(TOOL), str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not _labels(root) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(kind)
    _, stderr = process.communicate(timeout=60)  # ends only when the workers are gone: they hold the pipe
    assert process.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[kind]
    assert b"Traceback" not in stderr
    made = len(_labels(root))
    assert 0 < made < 16
    if kind != signal.SIGKILL:
        assert not list(root.rglob("*.tmp"))
    assert {cv2.imread(str(path), -1).shape for path in root.rglob(f"*{LABEL_ENDING}")} == {(1024, 2048)}
    target = label_path(root, "train", 15)
    leftover = target.with_name(f".{target.name}.{process.pid}.tmp")
    leftover.write_bytes(b"half of a label")
    for path in root.rglob("*.tmp"):
        os.utime(path, (0, 0))
    done = _run(root)
    assert f"made {16 - made} labels" in done.stdout
    assert f"{made} {'was' if made == 1 else 'were'} there already" in done.stdout
    assert len(_labels(root)) == 16
    assert not list(root.rglob("*.tmp"))


def test_report_is_one_line():
    report = ConversionReport(from_polygons=3470, from_ids=5, skipped=12, failed=1, seconds=95.21)
    assert format_report(report) == (
        "made 3,475 labels (5 from labelIds, 3,470 from polygons) in 95.2 s; 12 were there already, 1 failed"
    )


def test_the_number_of_processes_changes_nothing(city):
    alone = convert_labels(city, 1)
    labels = _labels(city)
    shutil.rmtree(city / "gtFine")
    write_city(city, kinds=("polygons",))
    together = convert_labels(city, 3)
    assert (alone.from_polygons, together.from_polygons) == (7, 7)
    assert _labels(city) == labels


def test_label_ids_come_before_polygons(tmp_path):
    root = write_city(tmp_path / "city", {"train": 1}, kinds=("polygons", "ids"))
    assert find_annotations(root) == [label_path(root, "train", 0, "labelIds.png")]
    found = find_annotations(root, prefers_polygons=True)
    assert found == [label_path(root, "train", 0, "polygons.json")]
    np.testing.assert_array_equal(label_from_polygons(found[0]), draw_pair(48, 96, 500)[1])

"""The files: what the official readers make of them, what is kept, what is refused."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import filelock
import numpy as np
import pytest
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.preparation.json2instanceImg import createInstanceImage
from cityscapesscripts.preparation.json2labelImg import createLabelImage
from pycocotools.coco import COCO

from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.in_use import hold
from utils.sample_data import toy_town, write_coco
from utils.sample_data.labels import COCO_CATEGORIES, Target
from utils.sample_data.toy_town import LOCK, MARKER, Options, make_toy_town

SMALL = Options(train=6, val=2, height=128, width=256, seed=3)
SCRIPT = Path(toy_town.__file__)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    root = tmp_path_factory.mktemp("town")
    assert make_toy_town(root, SMALL, workers=1)
    return root


def test_pycocotools_reads_valid_boxes_areas_and_masks(town, capsys):
    coco = COCO(str(town / "annotations" / "instances_train2017.json"))
    assert {category["name"]: category["id"] for category in coco.loadCats(coco.getCatIds())} == {
        name: number for name, (number, _) in COCO_CATEGORIES.items()
    }
    assert len(coco.getImgIds()) == 6 and len(coco.anns) > 20
    for annotation in coco.anns.values():
        left, top, width, height = annotation["bbox"]
        assert left >= 0 and top >= 0 and left + width <= 256 and top + height <= 128 and min(width, height) >= 2
        mask = coco.annToMask(annotation)
        rows, columns = np.nonzero(mask)
        assert 0 < annotation["area"] <= width * height
        assert abs(int(mask.sum()) - annotation["area"]) <= 0.06 * annotation["area"] + 4
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(seen, [left, top, left + width, top + height], atol=1)


def test_ids_are_unique_over_both_splits(town):
    files = [
        json.loads((town / "annotations" / f"instances_{split}2017.json").read_text()) for split in ("train", "val")
    ]
    for key in ("images", "annotations"):
        numbers = [entry["id"] for content in files for entry in content[key]]
        assert len(numbers) == len(set(numbers))


def test_a_group_is_a_crowd_with_run_lengths_that_give_its_mask(tmp_path):
    """One column of two pixels at (1, 1) in 3 rows: 4 zeros, 2 ones, then the rest of 3 * 4 pixels."""
    target = Target("person", (1, 1, 2, 3), np.ones((2, 1), bool), True)
    record = write_coco.write_picture(tmp_path, "val", 0, np.zeros((3, 4, 3), np.uint8), [target])
    annotation = record["annotations"][0]
    assert annotation["iscrowd"] == 1 and annotation["segmentation"] == {"size": [3, 4], "counts": [4, 2, 6]}
    assert record["image"]["file_name"] == "000000500001.jpg" and annotation["bbox"] == [1, 1, 1, 2]


def test_both_layouts_show_the_same_scenes(town):
    jpegs = sorted((town / "train2017").glob("*.jpg"))
    pngs = sorted((town / "leftImg8bit" / "train").rglob("*_leftImg8bit.png"))
    assert len(jpegs) == len(pngs) == 6
    for jpeg, png in zip(jpegs, pngs, strict=True):
        difference = cv2.imread(str(jpeg)).astype(int) - cv2.imread(str(png)).astype(int)
        assert difference.shape == (128, 256, 3) and np.abs(difference).mean() < 6


def test_the_official_scripts_rasterise_the_polygons_to_our_label_and_instance_ids(town):
    polygons = sorted((town / "gtFine").rglob("*_gtFine_polygons.json"))
    assert len(polygons) == 8
    for path in polygons:
        annotation = Annotation()
        annotation.fromJsonFile(str(path))
        for kind, rasterise in (("labelIds", createLabelImage), ("instanceIds", createInstanceImage)):
            ours = cv2.imread(str(path).replace("polygons.json", f"{kind}.png"), cv2.IMREAD_UNCHANGED)
            assert ours.shape == (128, 256) and (np.array(rasterise(annotation, "ids")) == ours).mean() > 0.995, (
                path.name
            )


def test_finished_output_with_the_same_options_is_kept(town):
    before = {path: path.stat().st_mtime_ns for path in town.rglob("*") if path.is_file()}
    assert not make_toy_town(town, SMALL, workers=1)
    assert before == {path: path.stat().st_mtime_ns for path in town.rglob("*") if path.is_file()}


def test_half_written_output_is_drawn_again_to_the_same_bytes(tmp_path):
    options = replace(SMALL, train=2, val=1)
    make_toy_town(tmp_path, options, workers=1)
    files = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    marker = json.loads((tmp_path / MARKER).read_text())
    (tmp_path / MARKER).write_text(json.dumps(marker | {"finished": False}))
    next((tmp_path / "train2017").iterdir()).unlink()
    (tmp_path / "val2017" / ".000000500001.jpg.7.tmp").write_bytes(b"half")
    assert make_toy_town(tmp_path, options, workers=1)
    assert files == {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_other_options_replace_the_pictures_and_leave_other_files_alone(tmp_path):
    make_toy_town(tmp_path, replace(SMALL, train=2, val=0), workers=1)
    (tmp_path / "train2017" / "notes.txt").write_text("mine")
    assert make_toy_town(tmp_path, replace(SMALL, train=1, val=0, layouts=("coco",)), workers=1)
    assert sorted(path.name for path in (tmp_path / "train2017").iterdir()) == ["000000000001.jpg", "notes.txt"]
    assert not list((tmp_path / "gtFine").rglob("*.json"))


def test_a_folder_that_an_older_painter_finished_is_drawn_anew(tmp_path, capsys):
    options = replace(SMALL, train=1, val=0)
    make_toy_town(tmp_path, options, workers=1)
    assert json.loads((tmp_path / MARKER).read_text())["options"]["version"] == options.version
    (tmp_path / MARKER).write_text(json.dumps({"options": asdict(replace(options, version=3)), "finished": True}))
    assert make_toy_town(tmp_path, options, workers=1) and not make_toy_town(tmp_path, options, workers=1)
    assert capsys.readouterr().out.count("by another version: it is drawn anew") == 1


def test_a_split_without_pictures_still_has_its_annotation_file(tmp_path):
    make_toy_town(tmp_path, replace(SMALL, train=1, val=0), workers=1)
    assert json.loads((tmp_path / "annotations" / "instances_val2017.json").read_text())["images"] == []


def test_a_folder_with_other_files_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadStateError, match="did not write"):
        make_toy_town(tmp_path, SMALL, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "town").write_text("")
    with pytest.raises(MissingPathError, match="is a file"):
        make_toy_town(tmp_path / "town", SMALL, workers=1)


def test_a_folder_that_another_process_writes_is_refused(tmp_path):
    with filelock.FileLock(tmp_path / LOCK), pytest.raises(BadStateError, match="another process"):
        make_toy_town(tmp_path, SMALL, workers=1)


def test_pictures_that_a_training_reads_are_not_drawn_anew(tmp_path):
    """SegFormer holds the labels of a split as long as it reads them; other seeds draw other pictures of that name."""
    make_toy_town(tmp_path, SMALL, workers=1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    other = replace(SMALL, seed=4, train=2)
    folder = tmp_path / "gtFine" / "train"
    with hold(folder), pytest.raises(BadStateError, match=f"'{folder}' is being read by a training or an evaluation: "):
        make_toy_town(tmp_path, other, workers=1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with hold(folder):
        assert not make_toy_town(tmp_path, SMALL, workers=1)  # nothing is to be drawn
    assert make_toy_town(tmp_path, other, workers=1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train": -1}, "--train is -1"),
        ({"train": 0, "val": 0}, "nothing to draw"),
        ({"seed": -4}, "--seed is -4"),
        ({"height": 8}, "--height is 8"),
        ({"width": 100_000}, "--width is 100000"),
        ({"height": 100, "width": 1000}, "10.00 times as wide"),
        ({"layouts": ("voc",)}, "names 'voc'"),
        ({"layouts": ()}, "the layouts are coco, cityscapes"),
    ],
)
def test_options_that_cannot_be_drawn_get_a_sentence(tmp_path, change, sentence):
    with pytest.raises(BadValueError, match=sentence):
        make_toy_town(tmp_path / "town", replace(SMALL, **change), workers=1)
    assert not (tmp_path / "town").exists()


def run_script(*arguments, cwd):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def test_the_script_runs_from_any_folder_and_two_workers_draw_what_one_draws(town, tmp_path):
    options = ["--train", "6", "--val", "2", "--height", "128", "--width", "256", "--seed", "3", "--workers", "2"]
    done = run_script("my town", *options, cwd=tmp_path)
    assert done.returncode == 0 and "drew 6 train and 2 val pictures of 128x256" in done.stdout, done.stderr
    names = [path.relative_to(town) for path in town.rglob("*") if path.is_file() and path.name != LOCK]
    assert all((tmp_path / "my town" / name).read_bytes() == (town / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["x", "--train", "-3"], "--train is -3"),
        (["x", "--layouts", "coco,voc"], "'voc'"),
        (["x", "--height", "tall"], "invalid int"),
    ],
)
def test_bad_arguments_end_with_a_sentence_and_code_2(tmp_path, arguments, sentence):
    done = run_script(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())

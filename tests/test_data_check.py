"""`data check`: each fault of a data set made by hand is found once, with its count; a clean one has none."""

import contextlib
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from segformer.tests.tiny_city import label_path, write_city, write_png
from tests.faulty_sets import (
    BOTH,
    CITY_FAULTS,
    COCO_FAULTS,
    HEIGHT,
    WIDTH,
    box,
    write_faulty_city,
    write_faulty_coco,
    write_noise,
)
from tests.suites import FASTER_RCNN, NAS_FPN, ROOT, SEGFORMER, run
from utils.checking.findings import Options
from utils.checking.table import format_report
from utils.detection.tests.edited_coco import annotations_of, change
from utils.detection.tests.tiny_coco import write_coco, write_txt
from utils.images import write_image
from utils.installation import module_command
from utils.model_utils.errors import UserError
from utils.model_utils.files import json_bytes
from utils.tools.data.__main__ import main
from utils.words import plural

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutations import mutations
from test_damaged_files import READERS

FINDING = {"severity", "code", "split", "count", "what", "fix", "examples"}
ONE = {"annotation", "box", "class", "entry", "file", "label", "line", "picture"}  # first words of what was found


def check(capsys, suite, *arguments: object) -> tuple[int, dict]:
    """Runs the check in this process; returns its exit code and its JSON."""
    code = main(["check", suite.name, *suite.tiny.TINY_NETWORK, *map(str, arguments), "--json=-"])
    return code, json.loads(capsys.readouterr().out)


def counts_of(report: dict) -> dict[tuple[str, str, str], int]:
    keys = [(each["severity"], each["split"], each["code"]) for each in report["findings"]]
    assert not [key for key, count in Counter(keys).items() if count > 1]
    for each in report["findings"]:
        assert each["what"].split()[0] not in (set(map(plural, ONE)) if each["count"] == 1 else ONE)
        assert "|" not in each["what"] + each["fix"]  # wordings for one and for several
    return {key: each["count"] for key, each in zip(keys, report["findings"], strict=True)}


def test_each_fault_of_a_detection_set_is_found_once(capsys, tmp_path):
    code, report = check(capsys, NAS_FPN, f"--coco_root={write_faulty_coco(tmp_path)}", "--num_gts=4")
    found = {key: count for key, count in counts_of(report).items() if key[2] not in OF_THE_NETWORK}
    assert found == COCO_FAULTS
    assert code == 1
    examples = {each["code"]: each["examples"] for each in report["findings"]}
    assert examples["boxes-outside"] == ["007.png [130, 10, 20, 20]"]
    assert examples["annotations-of-no-image"] == ["annotation 71 (image_id 99)"]
    assert examples["boxes-negative"] == ["annotation number 12 [20, 20, -5, 20]"]  # nine right ones stand before
    assert examples["pictures-in-both-splits"] == ["000.png = 006.png"]
    assert examples["pictures-of-other-size"] == ["003.png is 64 x 128, annotated as 96 x 128"]
    assert examples["class-ids-differ"] == ["red (1, 5)", "blue (2, 6)"]
    assert not (tmp_path / "NASFPN_MINDRECORD").exists()


OF_THE_NETWORK = ("pictures-enlarged", "input-padded", "boxes-without-anchor", "boxes-below-stride", "classes-rare")


def test_json_has_one_form(capsys, tmp_path):
    _, report = check(capsys, NAS_FPN, f"--coco_root={write_coco(tmp_path)}")
    keys = {"version", "suite", "config", "counts", "splits", "findings", "class_unit", "classes", "suggestions"}
    assert set(report) == keys
    assert report["counts"].keys() == {"error", "warning", "note"}
    assert all(set(each) == FINDING for each in report["findings"])
    assert [(each["name"], each["images"], each["boxes"], each["classes"]) for each in report["splits"]] == [
        ("train2017", 6, 6, 2),
        ("val2017", 3, 3, 2),
    ]
    assert report["classes"] == {
        "blue": {"train2017": 2, "val2017": 1},
        "red": {"train2017": 4, "val2017": 2},
    }


def test_few_corners_are_a_warning_as_in_training(capsys, tmp_path):
    """Of 20 boxes 6 leave their picture as sizes, and all would fit as corners."""
    write_coco(tmp_path, {"train2017": 20, "val2017": 3})

    def edit(content: dict) -> None:
        images = [image["id"] for image in content["images"]]
        rows = [dict(content["annotations"][0], id=number, image_id=image) for number, image in enumerate(images, 1)]
        for row in rows:
            row["bbox"] = [50, 40, 90, 80] if row["id"] <= 6 else [10, 10, 40, 40]
        content["annotations"] = rows

    change(tmp_path, edit)
    _, report = check(capsys, FASTER_RCNN, f"--coco_root={tmp_path}")
    assert counts_of(report)["warning", "train2017", "boxes-as-corners"] == 6


def test_boxes_without_area_are_not_too_many_of_a_picture(capsys, tmp_path):
    write_coco(tmp_path, {"train2017": 4, "val2017": 3})

    def edit(content: dict) -> None:
        row = content["annotations"][0]
        content["annotations"] += [dict(row, id=100 + number, bbox=[5, 5, 0, 9]) for number in range(17)]

    change(tmp_path, edit)
    _, report = check(capsys, FASTER_RCNN, f"--coco_root={tmp_path}", "--num_gts=16")
    found = counts_of(report)
    assert found["warning", "train2017", "boxes-without-area"] == 17
    assert ("warning", "train2017", "pictures-with-too-many-boxes") not in found


def test_corners_in_place_of_sizes_are_one_finding(capsys, tmp_path):
    """16 pictures give 16 boxes [50, 40, 90, 80]: as sizes they end at 140, 120, outside 128 x 96."""
    write_coco(tmp_path, {"train2017": 16, "val2017": 3})

    def edit(content: dict) -> None:
        for row in content["annotations"]:
            row["bbox"] = [50, 40, 90, 80]
        content["annotations"] = [*content["annotations"][:1], *content["annotations"]][:16]

    change(tmp_path, edit)
    content = json.loads(annotations_of(tmp_path).read_text())
    code, report = check(capsys, FASTER_RCNN, f"--coco_root={tmp_path}")
    found = counts_of(report)
    assert found["error", "train2017", "boxes-as-corners"] == len(content["annotations"]) == 16
    assert not [key for key in found if key[2].startswith("boxes-") and key[2] != "boxes-as-corners"]
    assert code == 1


def test_a_file_that_is_no_json_leaves_the_other_split(capsys, tmp_path):
    write_coco(tmp_path)
    annotations_of(tmp_path, "val2017").write_text("{")
    code, report = check(capsys, NAS_FPN, f"--coco_root={tmp_path}")
    (refused,) = [each for each in report["findings"] if each["code"] == "split-refused"]
    assert refused["split"] == "val2017"
    assert "is not valid JSON" in refused["what"]
    assert [each["name"] for each in report["splits"]] == ["train2017"]
    assert code == 1


def test_classes_that_training_would_refuse_are_said_and_the_rest_is_looked_at(capsys, tmp_path):
    root = write_coco(tmp_path)
    code, report = check(capsys, NAS_FPN, f"--coco_root={root}", "--num_classes=7", "--train_data_type=train2017")
    assert counts_of(report)["error", "train2017", "split-refused"] == 1
    code, report = check(capsys, NAS_FPN, f"--coco_root={root}", "--coco_classes=[red, green]")
    sentences = [each["what"] for each in report["findings"] if each["code"] == "split-refused"]
    assert [("'green' is not a category" in each) for each in sentences] == [True]
    assert {each["images"] for each in report["splits"]} == {6, 3}
    assert code == 1


def test_lines_of_text_are_looked_at_one_by_one(capsys, tmp_path):
    keys = write_txt(write_coco(tmp_path))
    lines = (tmp_path / "train2017.txt").read_text().splitlines()
    lines += ["001.jpg 1,2,3", lines[0], "002.jpg 1,2,30,40,9,0", "missing.jpg 1,2,30,40,1,0"]
    (tmp_path / "train2017.txt").write_text("\n".join(lines))
    code, report = check(capsys, FASTER_RCNN, *keys)
    found = counts_of(report)
    assert found["error", "train2017", "lines-unreadable"] == 2
    assert found["error", "train2017", "lines-repeated"] == 1
    assert found["error", "train2017", "pictures-missing"] == 1
    (examples,) = [each["examples"] for each in report["findings"] if each["code"] == "lines-unreadable"]
    assert examples[0] == "line 7: box '1,2,3' has 3 fields, wanted 6: xmin,ymin,xmax,ymax,class,is_crowd"
    assert code == 1


def test_sizes_in_place_of_corners_are_one_finding(capsys, tmp_path):
    """12 lines with left 60, top 50, width 20, height 30: 20 < 60, and 80, 80 lie inside 128 x 96."""
    keys = write_txt(write_coco(tmp_path, {"train2017": 12, "val2017": 3}))
    (tmp_path / "train2017.txt").write_text("\n".join(f"{index:03d}.jpg 60,50,20,30,1,0" for index in range(12)))
    _, report = check(capsys, FASTER_RCNN, *keys)
    found = {key: count for key, count in counts_of(report).items() if key[2].startswith("boxes-")}
    assert found == {("error", "train2017", "boxes-as-sizes"): 12}


def test_each_fault_of_a_segmentation_set_is_found_once(capsys, tmp_path):
    """Labels have the classes 0 to 3; five are named, and 9 is none of them."""
    root = write_faulty_city(tmp_path)
    code, report = check(capsys, SEGFORMER, f"--data_path={root}", "--class_num=5", "--base_size=[64,96]")
    assert counts_of(report) == CITY_FAULTS
    assert code == 1
    (values,) = [each for each in report["findings"] if each["code"] == "label-values-not-named"]
    assert values["examples"] == [label_path(root, "train", 4).name]
    shares = {split: sum(numbers[split] for numbers in report["classes"].values()) for split in ("train", "val")}
    assert shares == {"train": pytest.approx(1), "val": pytest.approx(1)}
    assert report["classes"]["class_4"] == {"train": 0, "val": 0}


def test_masks_of_one_value_and_the_ignore_label_are_an_error(capsys, tmp_path):
    """0 and 255, as many programs write them: the only class left would be right everywhere."""
    write_city(tmp_path, {"train": 2, "val": 1})
    for split, count in (("train", 2), ("val", 1)):
        for index in range(count):
            mask = np.zeros((48, 96), np.uint8)
            mask[:24] = 255
            write_png(label_path(tmp_path, split, index), mask)
    code, report = check(capsys, SEGFORMER, f"--data_path={tmp_path}", "--class_num=2", "--base_size=[64,96]")
    assert {key[2] for key in counts_of(report) if key[0] == "error"} == {"classes-without-pixels"}
    assert code == 1


@pytest.mark.parametrize("suite", [FASTER_RCNN, NAS_FPN, SEGFORMER], ids=str)
def test_a_clean_set_has_no_errors_and_warnings(suite, capsys, tmp_path):
    write_city(tmp_path) if suite is SEGFORMER else write_coco(tmp_path)
    keys = ["--class_num=4", "--base_size=[64,96]"] if suite is SEGFORMER else ["--ignore_unknown_classes=True"]
    if suite is not SEGFORMER:  # its pictures are of a few boxes on grey, and those without one are all the same
        for split in ("train2017", "val2017"):
            for index, path in enumerate(sorted((tmp_path / split).glob("*.jpg"))):
                write_noise(path, len(split) * 100 + index)
    code, report = check(capsys, suite, f"--{suite.data}={tmp_path}", *keys, "--strict")
    assert [each for each in report["findings"] if each["severity"] != "note"] == []
    assert code == 0


def test_headers_alone_find_no_damaged_pixels(capsys, tmp_path):
    root = write_faulty_coco(tmp_path)
    _, report = check(capsys, NAS_FPN, f"--coco_root={root}", "--num_gts=4", "--headers", "--examples=0")
    found = {key: count for key, count in counts_of(report).items() if key[2] not in OF_THE_NETWORK}
    decoded = {"pictures-damaged", "pictures-repeated", "pictures-in-both-splits"}
    assert found == {key: count for key, count in COCO_FAULTS.items() if key[2] not in decoded}
    assert all(each["examples"] == [] for each in report["findings"])


@pytest.mark.parametrize("form", ["COCO", "TXT"])
def test_what_a_training_refuses_is_an_error(form, tmp_path):
    """Of 60 damaged copies of a good file; the readers that refuse are the strict ones."""
    reader = READERS[form]
    path, good = tmp_path / reader.name, reader.make(tmp_path)
    keys = [f"--coco_root={tmp_path}", f"--instance_set={path}", f"--image_dir={tmp_path}/images"]
    if form == "TXT":
        keys = ["--dataset=other", f"--anno_path={path}", f"--image_dir={tmp_path}", "--coco_classes=[a, b]"]
    config = NAS_FPN.load(*keys, "--num_classes=null")
    num_refused = 0
    for content in mutations(good, 60):
        path.write_bytes(content)
        try:
            reader.read(path)
        except UserError:
            num_refused += 1
            with contextlib.suppress(UserError):
                report = NAS_FPN.part("build").check_data(config, Options())
                assert report.count("error"), content
                assert json.loads(json_bytes(report.as_json({})))["findings"]
                assert format_report(report, "title")
    assert num_refused > 20


@pytest.mark.end_to_end
def test_the_command_says_and_writes_what_it_found(tmp_path):
    root = write_coco(tmp_path / "data")
    (root / "train2017" / "003.jpg").write_bytes(b"")
    keys = [*NAS_FPN.tiny.TINY_NETWORK, f"--coco_root={root}", f"--json={tmp_path / 'report.json'}"]
    finished = run(module_command("utils.cli", "data", "check", "nas_fpn", *keys), cwd=ROOT)
    assert finished.returncode == 1, finished.stderr
    assert "file is no picture of a known format" in finished.stdout
    assert "training refuses the data set" in finished.stdout
    assert finished.stderr == ""  # what the readers log is in the findings
    report = json.loads((tmp_path / "report.json").read_text())
    assert {each["code"] for each in report["findings"] if each["severity"] == "error"} == {
        "pictures-no-picture",
        "pictures-in-both-splits",  # those without a box are grey all over
    }


def test_usage_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no suite 'yolo'"):
        main(["check", "yolo"])
    with pytest.raises(UserError, match="coco_root '.*' is not a folder"):
        main(["check", "nas_fpn", f"--coco_root={tmp_path / 'none'}"])
    with pytest.raises(UserError, match="annotation file '.*' does not exist.* data convert` converts other forms"):
        main(["check", "nas_fpn", f"--coco_root={tmp_path}"])
    with pytest.raises(UserError, match="--examples: '-1', wanted a whole number from 0 on"):
        main(["check", "nas_fpn", f"--coco_root={tmp_path}", "--examples=-1"])
    with pytest.raises(UserError, match="--json '.*' is a folder: name a file"):
        main(["check", "nas_fpn", f"--coco_root={tmp_path}", f"--json={tmp_path}"])
    with pytest.raises(UserError, match="data_path '.*' holds no folder leftImg8bit.* data convert` converts outlines"):
        main(["check", "segformer", f"--data_path={tmp_path}"])


@pytest.mark.parametrize("suite", [FASTER_RCNN, NAS_FPN, SEGFORMER], ids=str)
def test_own_flags_are_no_keys(suite):
    assert not {"json", "examples", "headers", "strict", "suite"} & set(
        type(suite.part("config").load([])).model_fields
    )


def test_other_layouts_are_looked_at_as_training_finds_them(capsys, tmp_path):
    """One file for all, as CVAT writes it: with val_share both sides are looked at, and its faults are said once."""
    root = write_coco(tmp_path, {"train2017": 30})
    for index, path in enumerate(sorted((root / "train2017").iterdir())):
        write_noise(path, index)
    (root / "train2017").rename(root / "images")
    content = json.loads(annotations_of(root).read_text())
    content["annotations"].append(box(99, 7, [1, 1, 9, 9], id=900))
    annotations_of(root).unlink()
    (root / "annotations" / "instances_default.json").write_text(json.dumps(content))
    code, report = check(capsys, NAS_FPN, f"--coco_root={root}", "--val_share=0.4")
    assert [each["split"] for each in report["findings"] if each["severity"] == "error"] == [BOTH]
    assert sum(each["images"] for each in report["splits"]) == 30
    assert ", the evaluation side of val_share 0.4" in report["splits"][1]["source"]
    assert code == 1
    _, report = check(capsys, NAS_FPN, f"--coco_root={root}", "--run_eval=False")
    assert [(each["name"], each["images"]) for each in report["splits"]] == [("train2017", 30)]
    assert not [each for each in report["findings"] if each["code"] == "pictures-in-both-splits"]
    _, report = check(capsys, NAS_FPN, f"--coco_root={root}", "--run_eval=True")
    (refused,) = [each for each in report["findings"] if each["code"] == "split-refused"]
    assert "--val_share=0.2" in refused["what"]


@pytest.mark.parametrize("canvas", ["fixed", "picture"])
def test_padding_is_said_where_there_is_any(canvas, capsys, tmp_path):
    write_city(tmp_path)  # pictures of 48 x 96
    keys = (f"--data_path={tmp_path}", "--class_num=4", "--base_size=[96,128]", "--crop_size=[32,32]")
    _, report = check(capsys, SEGFORMER, *keys, f"--canvas={canvas}")
    assert ("base_size" in report["suggestions"]) == (canvas == "fixed")


def test_colours_where_a_map_has_values_are_another_kind_of_label(capsys, tmp_path):
    for index in range(8):
        write_noise(tmp_path / "images" / f"{index}.png", index)
        write_image(tmp_path / "masks" / f"{index}.png", np.full((HEIGHT, WIDTH, 3), (128, 64, index), np.uint8))
    patterns = (
        "--image_pattern=images/*.png",
        "--label_pattern=masks/*.png",
        "--label_map=[0:0, 255:1]",
        "--val_share=0.5",
    )
    _, report = check(capsys, SEGFORMER, f"--data_path={tmp_path}", "--class_num=2", *patterns)
    assert {key[2] for key in counts_of(report) if key[0] == "error"} == {"labels-of-other-kind"}


def test_values_that_no_map_has_and_missing_masks_are_said(capsys, tmp_path):
    """Masks of 0 and 255 beside the pictures; one holds 7 in its last 6 pixels, one is missing."""
    for split, count, seed in (("train", 4, 0), ("val", 2, 9)):
        for index in range(count):
            write_noise(tmp_path / "images" / split / f"{index}.png", seed + index)
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[:48] = 255
            mask[-1, -6:] = 7 if (split, index) == ("train", 1) else 0
            if (split, index) != ("train", 2):
                write_png(tmp_path / "masks" / split / f"{index}.png", mask)
    patterns = (
        "--image_pattern=images/{split}/*.png",
        "--label_pattern=masks/{split}/*.png",
        "--label_map=[0:0, 255:1]",
    )
    keys = (f"--data_path={tmp_path}", "--class_num=2", "--base_size=[96,128]", *patterns)
    code, report = check(capsys, SEGFORMER, *keys)
    assert counts_of(report) == {
        ("error", "train", "labels-missing"): 1,
        ("error", "train", "label-values-not-mapped"): 1,
    }
    examples = {each["code"]: each["examples"] for each in report["findings"]}
    assert examples["label-values-not-mapped"] == ["1.png holds the value 7 (6 pixels), which stands for nothing"]
    assert report["classes"]["class_1"]["val"] == 0.5
    assert code == 1
    for name in ("train/1.png", "train/2.png"):
        write_png(tmp_path / "masks" / name, mask)
    code, report = check(capsys, SEGFORMER, *keys[:-1])
    alone = [each for each in report["findings"] if each["code"] == "classes-without-pixels"]
    assert [each["split"] for each in alone] == ["train", "val"] and code == 1
    assert all(each["fix"].endswith("say so with label_map, e.g. --label_map=binary") for each in alone)
    assert alone[0]["what"] == "class has no pixel in any label (2 classes are named)"

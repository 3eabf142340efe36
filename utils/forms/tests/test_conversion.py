"""The target is whole or not there, the source is left alone, and what is asked for wrongly is one sentence."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from utils.data_sets.val_share import ValShare
from utils.forms import sniffing
from utils.forms.class_lists import background_of, find_name_list
from utils.forms.content import Picture
from utils.forms.conversion import Request, convert
from utils.forms.readers.xml_text import MOST_BYTES, XmlTextError, read_xml
from utils.forms.source_files import SourceFiles
from utils.forms.split_folders import split_of
from utils.forms.splits import with_splits
from utils.forms.tally import Tally
from utils.forms.tests.samples import checksums, converted, grey, labelme, picture, shape, text, voc_xml
from utils.forms.tests.test_boxes_forms import coco, run, write_voc
from utils.installation import ROOT
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError
from utils.model_utils.in_use import hold
from utils.tests.processes import finish
from utils.tools.data.convert import main


def write_small(root, count=1):
    for number in range(count):
        picture(root / f"{number}.jpg", number)
        text(root / f"{number}.xml", voc_xml([("cat", 1, 1, 9, 9, 0)]))
    return root


def test_the_target_is_refused_where_it_would_harm(tmp_path):
    source = write_small(tmp_path / "source")
    for out in (source, source / "inner", tmp_path / "link" / "inner"):
        if out.parent.name == "link":
            os.symlink(source, out.parent)
        with pytest.raises(BadValueError, match="lies in the source"):
            run(source, out)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(MissingPathError, match="is a file"):
        run(source, tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(BadStateError, match="is not empty: choose another --out, or give --overwrite"):
        run(source, tmp_path / "full")
    with pytest.raises(BadStateError, match="was not made by a conversion"):
        run(source, tmp_path / "full", overwrite=True)
    with pytest.raises(MissingPathError, match="'.*/Source' does not exist, but '.*/source' is there"):
        run(tmp_path / "Source", tmp_path / "out")
    with pytest.raises(MissingPathError, match="is a file: unpack it"):
        run(tmp_path / "file", tmp_path / "out")


@pytest.mark.parametrize("images", ["link", "copy"])
def test_what_the_source_links_to_is_not_replaced(tmp_path, images):
    """The second set has links into the first one; one whose pictures are copies can be converted over it."""
    source, first, second = write_small(tmp_path / "source", 3), tmp_path / "a", tmp_path / "b"
    run(source, first, images="copy", val_share=0)
    run(first, second, images=images, val_share=0)
    before = checksums(first)
    if images == "copy":
        run(second, first, overwrite=True, val_share=0)
    else:
        with pytest.raises(
            BadValueError, match=r"a' holds files of the source '.*b', such as '.*a/train2017/0\.jpg' for"
        ):
            run(second, first, overwrite=True, val_share=0)
        assert checksums(first) == before
    assert all((second / "train2017" / f"{number}.jpg").read_bytes() for number in range(3))


@pytest.mark.parametrize("kind", ["folder", "link", "here"])
def test_an_empty_folder_takes_the_set_and_stays_the_same(tmp_path, monkeypatch, kind):
    source, real = write_small(tmp_path / "source"), tmp_path / "disk" / "real"
    real.mkdir(parents=True)
    (tmp_path / "link").symlink_to(real)
    monkeypatch.chdir(real)
    number = real.stat().st_ino
    run(source, {"folder": real, "link": tmp_path / "link", "here": Path()}[kind], val_share=0)
    assert sorted(converted(real)) == ["0.jpg"] and real.stat().st_ino == number
    assert [each.name for each in real.parent.iterdir()] == ["real"] and (tmp_path / "link").is_symlink()


def test_a_link_to_nothing_is_refused_at_once(tmp_path):
    source = write_small(tmp_path / "source")
    (tmp_path / "out").symlink_to("disk")
    said = []
    with pytest.raises(MissingPathError, match="out' is a link to 'disk', which is not there: make that folder"):
        run(source, tmp_path / "out", said=said)
    assert not said and not (tmp_path / "disk").exists()


def test_an_earlier_conversion_is_replaced_and_what_else_lies_there_stays(tmp_path):
    source, out = write_small(tmp_path / "source", 2), tmp_path / "out"
    run(source, out)
    (out / "run").mkdir()
    (out / "run" / "mine.ckpt").write_text("hours of work")
    old = checksums(out)
    text(source / "0.xml", voc_xml([("dog", 1, 1, 5, 5, 0)]))
    with pytest.raises(BadValueError, match="--strict"):
        picture(source / "9.jpg")
        text(source / "9.xml", voc_xml([("dog", 5, 5, 1, 1, 0)]))
        run(source, out, overwrite=True, is_strict=True)
    assert checksums(out) == old
    run(source, out, overwrite=True, target="cityscapes", val_share=0)
    made = ["gtFine", "leftImg8bit", "class_names.txt", "conversion.json"]
    assert sorted(each.name for each in out.iterdir()) == sorted([*made, "run"])
    assert (out / "run" / "mine.ckpt").read_text() == "hours of work"
    with hold(out / "gtFine" / "train"), pytest.raises(BadStateError, match="is being read by a training"):
        run(source, out, overwrite=True)
    record = json.loads((out / "conversion.json").read_text())
    assert record["class_names"] == ["background", "cat", "dog"]
    assert sorted(record["entries"]) == sorted(made)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "source"]


@pytest.mark.parametrize("content", ["{", "[]", '{"entries": ["../x"]}', '{"entries": "x"}', ""])
def test_a_damaged_record_is_called_so(tmp_path, content):
    source, out = write_small(tmp_path / "source"), tmp_path / "out"
    run(source, out, val_share=0)
    text(out / "conversion.json", content)
    before = checksums(out)
    with pytest.raises(
        BadStateError, match=r"^'.*out/conversion\.json' is damaged, so that it cannot be told what the"
    ):
        run(source, out, overwrite=True)
    assert checksums(out) == before


@pytest.mark.parametrize("is_whole", [True, False])
def test_what_a_user_has_put_beside_an_earlier_conversion_is_not_replaced(tmp_path, is_whole):
    source, out = write_small(tmp_path / "source", 2), tmp_path / "out"
    run(source, out)
    text(out / "class_names.txt", "hours of work")
    if is_whole:
        text(out / "gtFine" / "mine.txt", "mine")
    before = checksums(out)
    names = "'class_names.txt' and 'gtFine'" if is_whole else "'class_names.txt'"
    with pytest.raises(BadStateError, match=f"has {names}, which the earlier conversion has not made and the new one"):
        run(source, out, target="cityscapes", overwrite=True)
    assert checksums(out) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out", "source"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_nothing_half_written_stays_behind(tmp_path, monkeypatch, error):
    source = write_small(tmp_path / "source", 3)

    def fail(*_, **__):
        raise error

    monkeypatch.setattr("utils.forms.writers.coco.write_file", fail)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else OSError):
        run(source, tmp_path / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["source"]


def test_what_a_killed_conversion_has_left_is_removed(tmp_path):
    source = write_small(tmp_path / "source")
    (tmp_path / ".out.999999999.tmp" / "train2017").mkdir(parents=True)
    (tmp_path / f".out.{os.getpid()}.tmp" / "val2017").mkdir(parents=True)  # had the same number, in a container
    (tmp_path / f".out.{os.getppid()}.tmp").mkdir()  # of one that still runs
    run(source, tmp_path / "out", val_share=0)
    assert sorted(each.name for each in tmp_path.iterdir()) == [f".out.{os.getppid()}.tmp", "out", "source"]


def test_pictures_are_linked_copied_or_given_a_second_name(tmp_path, monkeypatch):
    source = write_small(tmp_path / "source")
    for how in ("link", "hardlink", "copy"):
        run(source, tmp_path / how, images=how, val_share=0)
        target = tmp_path / how / "train2017" / "0.jpg"
        assert target.read_bytes() == (source / "0.jpg").read_bytes()
        assert (target.is_symlink(), target.samefile(source / "0.jpg")) == (how == "link", how != "copy")

    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    said = run(source, tmp_path / "fallback", val_share=0)
    assert "the file system of --out takes no links; 1 picture copied instead" in said
    assert not (tmp_path / "fallback" / "train2017" / "0.jpg").is_symlink()


def test_forms_are_told_apart_and_several_are_listed(tmp_path):
    source = write_voc(tmp_path / "both")
    for name in ("a", "b", "c"):
        grey(source / "SegmentationClass" / f"{name}.png", np.ones((40, 60)))
    with pytest.raises(BadValueError, match=r"may be of 2 forms: say which with --form \(voc: .*; labels: "):
        run(source, tmp_path / "out")
    run(source, tmp_path / "boxes", target="coco")
    run(source, tmp_path / "labels", target="cityscapes", options=sniffing.Options(classes=("a", "b")))
    assert len(list((tmp_path / "labels" / "gtFine").rglob("*_gtFine_labelTrainIds.png"))) == 3
    empty = tmp_path / "empty"
    text(empty / "notes.md", "nothing")
    with pytest.raises(BadValueError, match=r"looks like none of the forms voc, yolo, .*: its files end in \.md; give"):
        run(empty, tmp_path / "none")
    cvat = tmp_path / "cvat"
    text(cvat / "annotations.xml", '<?xml version="1.0"?>\n<annotations><version>1.1</version></annotations>')
    with pytest.raises(
        BadValueError, match=r"annotations\.xml' is of CVAT's own form, .*: export from CVAT as COCO 1\.0"
    ):
        run(cvat, tmp_path / "none")
    for form in sniffing.FORMS:  # forced
        with pytest.raises(BadValueError):
            run(empty, tmp_path / "none", form=form)
    assert not (tmp_path / "none").exists()


def two_files_of(form, source):
    """Writes two files for a.jpg, of which the first has two objects, and one for b.jpg."""
    boxes = [("cat", 1, 1, 9, 9, 0), ("cat", 11, 11, 19, 19, 0)]
    for name, of, count in (("1", "a", 2), ("2", "a", 1), ("3", "b", 1)):
        picture(source / f"{of}.jpg", len(of))
        if form == "voc":
            text(source / f"{name}.xml", voc_xml(boxes[:count], filename=f"{of}.jpg"))
        elif form == "labelme":
            shapes = [shape("cat", [[x, y], [x + 8, y + 8]], "rectangle") for _, x, y, *_ in boxes[:count]]
            text(source / f"{name}.json", labelme(shapes, imagePath=f"{of}.jpg"))
        elif form == "coco":
            rows = [(0, 1, [x, y, 8, 8], {}) for _, x, y, *_ in boxes[:count]]
            text(source / f"{name}.json", coco([f"{of}.jpg"], rows, [{"id": 1, "name": "cat"}]))
        else:
            points = [{"exterior": [[x, y], [x + 8, y + 8]], "interior": []} for _, x, y, *_ in boxes[:count]]
            objects = [{"classTitle": "cat", "geometryType": "rectangle", "points": each} for each in points]
            content = {"size": {"height": 40, "width": 60}, "tags": [], "objects": objects}
            text(source / ("ds" if name == "1" else "ds2") / "ann" / f"{of}.jpg.json", content)


@pytest.mark.parametrize("form", ["voc", "labelme", "coco", "supervisely"])
def test_two_files_for_one_picture_are_said(tmp_path, form):
    two_files_of(form, tmp_path / "source")
    said = run(tmp_path / "source", tmp_path / "out", val_share=0)
    assert "1 entry of a picture that an earlier one has too (first: a.jpg)" in said
    assert {name: len(found) for name, found in converted(tmp_path / "out").items()} == {"a.jpg": 2, "b.jpg": 1}


def test_the_outermost_list_of_names_counts_and_beside_others_the_forms_own(tmp_path):
    def found(own, *names):
        for name in names:
            text(tmp_path / "_".join([own, *names]).replace("/", "-") / name, "a")
        return find_name_list(SourceFiles(tmp_path / "_".join([own, *names]).replace("/", "-")), own)

    assert found("labels.txt", "classes.txt", "labels.txt", "class_names.txt") == "labels.txt"
    assert found("classes.txt", "Classes.txt", "labels.txt") == "Classes.txt"
    assert found("classes.txt", "labels.txt", "names.txt", "class_names.txt") == "class_names.txt"
    assert found("classes.txt", "x/classes.txt", "my.names") == "my.names"
    assert found("classes.txt", "notes.txt") is None
    assert [background_of(names) for names in (["a", "BG"], ["_background_"], ["a"])] == [1, 0, None]


def test_a_set_without_any_box_is_refused(tmp_path):
    source = tmp_path / "source"
    picture(source / "a.jpg")
    text(source / "a.xml", voc_xml([("cat", 9, 9, 1, 1, 0)]))
    said = []
    with pytest.raises(BadValueError, match="there is no box of any class in the source that can be used"):
        convert(Request(source, tmp_path / "out"), said.append)
    assert "  1 box without area (first: a.jpg)" in said


@pytest.mark.parametrize(
    ("name", "split", "with_stem"),
    [
        ("train/a.jpg", "train", ""),
        ("Training/a.jpg", "train", ""),
        ("valid/images/a.jpg", "val", ""),
        ("images/val2017/a.jpg", "val", ""),
        ("a/test_set/b.jpg", "test", ""),
        ("annotations/instances_train2017.json", "", "train"),
        ("trains/constraint/validate/a.jpg", "", ""),
        ("images/train_1.jpg", "", "train"),
        ("train_val/a.jpg", "", ""),
    ],
)
def test_splits_are_read_from_folders(name, split, with_stem):
    assert split_of(name) == split
    assert split_of(name, with_stem=True) == (with_stem or split)


@pytest.mark.parametrize("form", ["labelme", "voc", "yolo", "labels"])
def test_a_folder_of_trains_is_no_split(tmp_path, form):
    source = tmp_path / "source"
    for folder in ("bus", "car", "train"):
        for number in range(2):
            path = picture(source / folder / f"{folder}{number}.jpg", number)
            if form == "labelme":
                content = labelme([shape(folder, [[0, 0], [9, 9]], "rectangle")], imagePath=path.name)
                text(path.with_suffix(".json"), content)
            elif form == "voc":
                text(path.with_suffix(".xml"), voc_xml([(folder, 1, 1, 9, 9, 0)]))
            elif form == "yolo":
                text(path.with_suffix(".txt"), "0 0.5 0.5 0.1 0.1")
            else:
                grey(source / "masks" / folder / f"{folder}{number}.png", np.full((40, 60), number))
    said = run(source, tmp_path / "out", val_share=0.2, target="coco", is_strict=True)
    assert "  folder 'train' is not taken for a split: 'bus' lies beside it, and no other split is there" in said
    assert "(the source has no splits: val_share 0.2, val_seed 0 draw them)" in said
    assert len(converted(tmp_path / "out")) + len(converted(tmp_path / "out", "val")) == 6
    picture(source / "val" / "x.jpg")  # with two splits they are meant
    said = run(source, tmp_path / "two", val_share=0, target="coco")
    assert "is not taken for a split" not in said and "written: " in said and "2 pictures to train" in said


def test_a_lone_split_without_other_folders_of_pictures_is_one(tmp_path):
    source = tmp_path / "source"
    for number in range(3):
        picture(source / "images" / "train" / f"{number}.jpg", number)
        grey(source / "masks" / "train" / f"{number}.png", np.full((40, 60), number % 2))
    said = run(source, tmp_path / "out", target="coco", val_share=0.3)
    assert "(the source has none to evaluate on: val_share 0.3" in said


@pytest.mark.parametrize("form", ["voc", "coco", "yolo"])
def test_the_splits_of_the_source_can_be_passed_over(tmp_path, form):
    """9 pictures to train, one to evaluate and one that no split has; a half of all is drawn."""
    source = tmp_path / "source"
    for number in range(11):
        folder = "train" if number < 9 else "val" if number == 9 else "rest"
        path = picture(source / folder / f"{number}.jpg", number)
        if form == "voc":
            text(path.with_suffix(".xml"), voc_xml([("cat", 1, 1, 9, 9, 0)]))
        elif form == "yolo":
            text(path.with_suffix(".txt"), "0 0.5 0.5 0.1 0.1")
        else:
            rows = [(0, 1, [1, 1, 8, 8], {})]
            text(path.with_suffix(".json"), coco([path.name], rows, [{"id": 1, "name": "cat"}]))
    if form == "yolo":
        text(source / "data.yaml", "train: train\nval: val\nnames: [cat]\n")
    said = run(source, tmp_path / "out")
    assert "9 pictures to train, 1 picture to evaluate (as in the source)" in said and "1 picture " in said
    said = run(source, tmp_path / "none", val_share=0.5, is_strict=True, options=sniffing.Options(splits="none"))
    is_kept = ValShare(0.5, 0).is_evaluated([f"{number}.jpg" for number in range(11)])
    assert "(the splits of the source do not count: val_share 0.5, val_seed 0 draw them)" in said
    assert len(converted(tmp_path / "none")) + len(converted(tmp_path / "none", "val")) == 11
    if form == "coco":
        assert sorted(converted(tmp_path / "none", "val")) == sorted(
            f"{number}.jpg" for number in range(11) if is_kept[number]
        )


def test_the_draw_depends_on_names_and_seed_and_keeps_groups_together():
    def pictures(names):
        return [Picture(name, None, "", (1, 1)) for name in names]

    def evaluated(names, share, seed, by_stem=False):
        kept, _ = with_splits(pictures(names), ValShare(share, seed, by_stem), Tally())
        return [each.name for each in kept if each.split == "val"]

    names = [f"{scene}_{frame:03d}.jpg" for scene in "abcde" for frame in range(4)]
    assert evaluated(names, 0.2, 1) == evaluated(names, 0.2, 1)
    assert evaluated(names, 0.2, 1) != evaluated(names, 0.2, 2)
    kept = ValShare(0.2, 1).is_evaluated(names)  # as the detectors' key val_share
    assert evaluated(names, 0.2, 1) == [name for name, is_kept in zip(names, kept, strict=True) if is_kept]
    grouped = evaluated(names, 0.2, 1, by_stem=True)
    assert len(grouped) == 4 * len({name[0] for name in grouped}) < len(names)
    assert len(evaluated(names[:2], 0.001, 1)) == len(evaluated(names[:2], 0.999, 1)) == 1
    assert evaluated(names[:1], 0.5, 1) == [] == evaluated(names, 0, 1)


@pytest.mark.parametrize("by_stem", [True, False])
def test_pictures_that_all_stay_together_cannot_be_shared_out(tmp_path, by_stem):
    source = tmp_path / "source"
    for number in range(4):
        name = f"clip_{number}" if by_stem else f"clip_jpg.rf.{number}"
        picture(source / f"{name}.jpg", number)
        text(source / f"{name}.xml", voc_xml([("cat", 1, 1, 9, 9, 0)]))
    way_out = "leave out --val_group_by_stem" if by_stem else "give more pictures"
    sentence = f"leaves none of 4 pictures for the evaluation, since they stay together as 'clip': {way_out}, or give"
    with pytest.raises(BadValueError, match=sentence):
        run(source, tmp_path / "out", val_share=0.5, val_group_by_stem=by_stem)
    run(source, tmp_path / "all", val_share=0, val_group_by_stem=by_stem)
    assert len(converted(tmp_path / "all")) == 4


def test_pictures_of_one_name_in_two_folders_keep_them(tmp_path):
    source = tmp_path / "source"
    for folder in ("x", "y"):
        picture(source / folder / "a.jpg", len(folder))
        text(source / folder / "a.json", labelme([shape("leaf", [[0, 0], [4, 0], [0, 4]])], imagePath="a.jpg"))
    picture(source / "x" / "a.PNG")
    picture(source / "z" / "A.jpeg")
    text(source / "z" / "A.json", labelme([shape("leaf", [[0, 0], [4, 0], [0, 4]])], imagePath="A.jpeg"))
    run(source, tmp_path / "out", val_share=0)
    assert sorted(converted(tmp_path / "out")) == ["x_a.jpg", "y_a.jpg", "z_A.jpeg"]


def test_a_huge_or_strange_xml_file_is_half_a_sentence(tmp_path):
    huge = tmp_path / "huge.xml"
    with huge.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(XmlTextError, match="more than 16 MB"):
        read_xml(huge)
    for content in (b"", b"<a>", b"\xff\xfe<", b"<?xml version='1.0' encoding='x'?><a/>", b"<a/><b/>"):
        huge.write_bytes(content)
        with pytest.raises(XmlTextError, match="it is no XML"):
            read_xml(huge)
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    huge.write_bytes(deep)
    assert read_xml(huge).tag == "a"


def test_hidden_files_and_loops_of_links_are_passed_over(tmp_path):
    source = write_small(tmp_path / "source")
    text(source / "__MACOSX" / "._0.xml", "x")
    text(source / ".git" / "0.xml", "x")
    os.symlink(source, source / "loop")
    assert SourceFiles(source).names == ["0.jpg", "0.xml"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["SOURCE"], "the following arguments are required: --out"),
        (["SOURCE", "--out=OUT", "--to=voc"], "argument --to: invalid choice: 'voc'"),
        (["SOURCE", "--out=OUT", "--val_share=2"], "argument --val_share: '2', wanted a number from 0 to below 1"),
        (["SOURCE", "--out=OUT", "--no_class=256"], "argument --no_class: '256', wanted whole numbers up to 255"),
        (["SOURCE", "--out=OUT", "--classes=a,a"], "argument --classes: 'a,a', wanted different names with commas"),
        (["SOURCE", "--out=OUT", "--val-share=0"], "unrecognized arguments: --val-share=0"),
    ],
)
def test_the_command_refuses_in_one_sentence(arguments, sentence):
    with pytest.raises(BadValueError) as caught:
        main(arguments)
    assert str(caught.value).startswith(f"command line: {sentence}")


@pytest.mark.end_to_end
def test_the_command_converts_and_says_how_to_go_on(tmp_path):
    write_small(tmp_path / "my data", 5)
    words = ("utils.cli", "data", "convert", tmp_path / "my data", "--out", tmp_path / "new set")
    done = finish(sys.executable, "-m", *words, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    output = done.stdout
    place = tmp_path / "new set"
    assert "3 pictures to train, 2 pictures to evaluate" in output
    assert f"--config_path=nas_fpn/config/custom.yaml '--coco_root={place}' '--run_dir=runs/new set/nas_fpn'" in output
    assert "python faster_rcnn/train.py" in output


def test_a_folder_with_nothing_but_an_archive_says_so(tmp_path):
    text(tmp_path / "source" / "data.zip", "x")
    text(tmp_path / "source" / "README.md", "x")
    with pytest.raises(BadValueError, match=r"source' has 'data\.zip' and no picture: unpack it, and give the folder"):
        run(tmp_path / "source", tmp_path / "out")


@pytest.mark.parametrize("target", ["coco", "cityscapes"])
def test_names_in_another_encoding_become_letters(tmp_path, target):
    """Two pictures with names of GBK, as ZIP files of Windows have them, one that is no text, and one of UTF-8."""
    source = tmp_path / "source"
    raw = ["\u7ec6\u80de1".encode("gbk"), "\u7ec6\u80de2".encode("gbk"), b"\xff\xff", "\u7ec63".encode()]
    try:
        for number, name in enumerate(raw):
            picture(source / f"{number}.jpg", number)
            os.rename(source / f"{number}.jpg", os.fsencode(source) + b"/" + name + b".jpg")
            text(source / f"{number}.txt", "0 0.5 0.5 0.5 0.5")
            os.rename(source / f"{number}.txt", os.fsencode(source) + b"/" + name + b".txt")
    except OSError:
        pytest.skip("this file system takes names of UTF-8 alone")
    said = run(source, tmp_path / "out", val_share=0, target=target)
    assert "3 pictures whose name is no UTF-8: it gets another one (first: " in said
    places = {"coco": "train2017", "cityscapes": "leftImg8bit/train"}
    written = sorted(each.name.replace("_leftImg8bit", "") for each in (tmp_path / "out" / places[target]).iterdir())
    assert written == ["__.jpg", "\u7ec63.jpg", "\u7ec6\u80de1.jpg", "\u7ec6\u80de2.jpg"]

"""label_map and palette in all the forms in which a user may give them, and what is said of others."""

import re
from itertools import product

import pytest

from segformer.src.config import load
from segformer.src.labels.forms import label_map_texts, palette_texts
from segformer.src.labels.name_forms import class_name_texts
from utils.data_sets.known_palettes import voc_colour
from utils.forms.labels.tables import read_table
from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import BadValueError, UserError

LANES = ["128 64 128 road lane", "0 0 0 ignore"]


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("binary", ["binary"]),
        ("ADE20K", ["ade20k"]),
        ({0: "ignore", 1: 0, 2: 1}, ["0: ignore", "1: 0", "2: 1"]),
        ({0: "void", 255: "crack"}, ["0: ignore", "255: crack"]),
        ("0:ignore, 255:crack", ["0: ignore", "255: crack"]),
        ([{0: "ignore"}, "255: crack"], ["0: ignore", "255: crack"]),
        ({"0:ignore": None, "1:0": None}, ["0: ignore", "1: 0"]),  # what YAML makes of {0:ignore, 1:0}
    ],
)
def test_a_label_map_has_many_forms(given, texts):
    assert label_map_texts(given, "") == texts
    assert label_map_texts(texts, "") == texts


@pytest.mark.parametrize(
    "content",
    [
        "128 64 128\troad lane\n0 0 0\t\tVoid\n",  # CamVid's label_colors.txt
        "# label:color_rgb:parts:actions\nroad lane:128,64,128::\nignore:0,0,0::\n",  # CVAT's labelmap.txt
        "\ufeffname,r,g,b\r\nroad lane,128,64,128\r\nUnlabeled,0,0,0\r\n",  # a CSV file of Windows
    ],
)
def test_a_palette_file_has_a_line_for_each_colour(tmp_path, content):
    (tmp_path / "colours.txt").write_text(content, encoding="utf-8")
    assert palette_texts("colours.txt", str(tmp_path)) == LANES


@pytest.mark.parametrize(
    "given",
    [
        {"road lane": [128, 64, 128], "ignore": "#000000"},
        ["128 64 128 road lane", {"void": [0, 0, 0]}],
        [[128, 64, 128, "road lane"], [0, 0, 0, "ignore"]],
    ],
)
def test_a_palette_has_many_forms(tmp_path, given):
    assert palette_texts(given, "") == LANES
    (tmp_path / "colours.yaml").write_text("road lane: [128, 64, 128]\nignore: '#000000'\n")
    assert palette_texts("colours.yaml", str(tmp_path)) == LANES


@pytest.mark.parametrize("given", [["road lane", "#2"], ("road lane", "#2"), "road lane, #2", "names.txt"])
def test_class_names_are_a_list_or_a_file(tmp_path, given):
    (tmp_path / "names.txt").write_text("\ufeffroad lane\r\n\r\n #2\n", encoding="utf-8")
    assert class_name_texts(given, str(tmp_path)) == ["road lane", "#2"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--class_names=[1, 2]", "class_names is [1, 2], wanted a list of texts, or the path of a text file"),
        ("--class_names={a: 1}", "class_names is "),
        ("--class_names=[a, b,,c]", "wanted a list of texts, or the path of a text file with a name on each line"),
        ("--class_names=[a]", "class_names has 1 name, wanted 2 to 255 classes"),
        ("--class_names=one.txt", "one.txt' has 1 name, wanted 2 to 255 classes"),
        ("--class_names=none.txt", "none.txt' is no file: give the names with commas between them, or a text file"),
        ("--class_names=latin.txt", "latin.txt' is no UTF-8 text (byte 1): name another file"),
    ],
)
def test_other_class_names_are_refused_in_one_sentence(tmp_path, monkeypatch, given, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.txt").write_text("road\n")
    (tmp_path / "latin.txt").write_bytes(b"a\xe4\nb\n")
    with pytest.raises(UserError, match=re.escape(expected)) as refusal:
        load([given])
    assert "class_num is null" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "--label_map=0:ignore,255:crack",
            "label_map has one class, 'crack', wanted two or more: give what is none",
        ),
        ("--label_map=0:ignore,255:0", "label_map has one class, wanted two or more"),
        ("--palette={crack: [255, 0, 0], ignore: [0, 0, 0]}", "palette has one class, 'crack', wanted two or more"),
    ],
)
def test_one_class_is_one_sentence(given, said):
    with pytest.raises(UserError, match=re.escape(said)) as refusal:
        load([given])
    assert "fault" not in str(refusal.value) and "schema default" not in str(refusal.value)


def test_a_file_of_class_names_says_how_many_classes_there_are(tmp_path):
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    config = load([f"--class_names={tmp_path / 'names.txt'}"])
    assert (config.class_num, config.class_names) == (3, ("a", "b", "c"))


def test_known_palettes_have_their_classes(tmp_path):
    assert voc_colour(19) == (128, 192, 0)  # 10011b: bits 0 and 3 for red, 1 and 4 for green
    for name, count, first in (("cityscapes", 19, "road"), ("camvid", 11, "sky"), ("voc", 21, "background")):
        config = load([f"--palette={name}"])
        assert (config.class_num, config.class_names[0]) == (count, first)
        (tmp_path / "config.yaml").write_text(dump_config(config))
        assert load([f"--config_path={tmp_path / 'config.yaml'}"]) == config


@pytest.mark.parametrize(
    ("arguments", "count", "names"),
    [
        (["--label_map=binary"], 2, ("background", "foreground")),
        (["--label_map=ade20k"], 150, None),
        (["--label_map=ade20k", "--class_names=a,b,c"], 3, ("a", "b", "c")),
        (["--label_map={0: ignore, 1: wall, 2: floor, 3: wall}"], 2, ("wall", "floor")),
        (["--label_map=0:2,1:0"], 3, None),
        (["--palette=[[1, 2, 3], [4, 5, 6]]"], 2, None),
        (["--palette={a: [1, 2, 3], b: [4, 5, 6]}", "--class_names=b,a"], 2, ("b", "a")),
        (["--class_names=a,b,c"], 3, ("a", "b", "c")),
        ([], 19, None),
    ],
)
def test_names_and_number_of_classes_follow(arguments, count, names):
    config = load(arguments)
    assert (config.class_num, config.class_names) == (count, names)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--label_map=binry"], "no label_map 'binry' here: did you mean 'binary'?"),
        (["--label_map=70000:1"], "label_map has '70000:1', wanted VALUE: CLASS with a value from 0 to 65535"),
        (["--label_map=0:1,0:2"], "label_map has the value 0 more than once: give each value one class"),
        (["--label_map=0:a,1:1"], "label_map has names and numbers of classes: give all classes by name"),
        (["--label_map=0:0,1:2", "--class_num=2"], "label_map gives the value 1 class 2, and the classes are numbered"),
        (["--label_map=0:a,1:b", "--class_names=a,c"], "label_map names the class 'b', and the classes are a, c"),
        (["--palette=[1 2 3 a, 1 2 3 b]"], "palette has the colour (1, 2, 3) for 'a' and 'b': give each colour one"),
        (["--palette=[1 2 300 a]"], "palette has '1 2 300 a', wanted three numbers from 0 to 255 and a name"),
        (
            ["--palette={2 wheels: [1, 2, 3]}"],
            "palette has the class '2 wheels', wanted a name that begins with no num",
        ),
        (["--palette=[7 road]"], "palette has 'road 7', wanted RED GREEN BLUE NAME"),
        (["--palette=[1 2 3 a, 4 5 6]"], "palette has the colour (4, 5, 6) without a name and others with one"),
        (["--palette=[[1, 2, 3], [4, 5, 6]]", "--class_num=3"], "palette has 2 colours and class_num is 3: set"),
        (["--palette=absent.txt"], "is no file and none of cityscapes, camvid, voc: give one of these, or a file"),
        (["--palette=voc", "--label_map=binary"], "label_map and palette are both set"),
        (["--image_pattern=a/*.jpg"], "image_pattern is set and label_pattern is not: set label_pattern too"),
        (["--image_pattern=a.jpg", "--label_pattern=*.png"], "image_pattern is 'a.jpg', wanted one star in it"),
        (["--image_pattern=/a/*.jpg", "--label_pattern=*.png"], "wanted a path inside data_path: begin it there"),
        (["--val_share=0.2"], "val_share has no effect without image_pattern"),
        (["--image_pattern={split}/*.jpg", "--label_pattern=*.png", "--val_share=0.2"], "already divides the images"),
        (["--image_pattern=*.jpg", "--label_pattern=*.png", "--split_list=a.txt"], "wanted {split} in it"),
        (["--val_group_by_stem=True"], "val_group_by_stem chooses the images that val_share keeps for evaluation, and"),
        (["--val_seed=2"], "val_seed chooses the images that val_share keeps for evaluation, and val_share is 0"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, sentence):
    with pytest.raises(BadValueError) as caught:
        load(arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"road 1 2\n", "palette has 'road 1 2', wanted RED GREEN BLUE NAME"), (b"\xff\xfe\x00", "is no UTF-8 text")],
)
def test_a_broken_palette_file_is_named(tmp_path, content, words):
    path = tmp_path / "colours.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        palette_texts(str(path), "")
    assert str(path) in str(caught.value)


def test_a_file_of_names_in_which_one_stands_twice_is_named(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("RBC\nWBC\nRBC\n")
    with pytest.raises(BadValueError, match=r"^class_names '.*names\.txt' has \['RBC'\] more than once: give each"):
        class_name_texts(str(path), "")


def test_json_is_known_by_its_content(tmp_path):
    path = tmp_path / "colours.txt"
    path.write_text('{"road": [1, 2, 3], "car": [4, 5, 6]}')
    assert palette_texts(str(path), "") == ["1 2 3 road", "4 5 6 car"]


def test_two_names_of_one_colour_are_refused_by_both_readers(tmp_path):
    table = tmp_path / "colors.txt"
    table.write_text("road 1 2 3\ncar 1 2 3\n")
    for read, what in (
        (lambda: read_table(table, "t"), f"table '{table}'"),
        (lambda: palette_texts(str(table), ""), ""),
    ):
        with pytest.raises(BadValueError, match=rf"{what} .*the colour \(1, 2, 3\) for 'road' and 'car': give each"):
            read()


def test_both_readers_say_the_same_of_a_table(tmp_path):
    colours = {"road1": (128, 64, 128), "ground truth": (0, 0, 0), "class 2": (0, 64, 255)}
    lines = [f"{name},{red},{green},{blue}" for name, (red, green, blue) in colours.items()]
    numbered = [f"{number},{line}" for number, line in enumerate(lines)]
    turned = [f"{red} {green} {blue} {name}" for name, (red, green, blue) in colours.items()]
    for number, (heading, rows) in enumerate(product(([], ["# a comment"]), (lines, numbered, turned))):
        path = tmp_path / f"{number}.txt"
        path.write_text("\n".join([*heading, *rows]))
        table = read_table(path, "t")
        assert dict(zip(table.names, table.colours, strict=True)) == colours
        assert palette_texts(str(path), "") == turned

"""Label pictures of every kind become SegFormer's labels, value by value, and boxes region by region."""

import numpy as np
import pytest
from PIL import Image

from utils.data_sets.known_palettes import voc_colour
from utils.data_sets.tests.test_label_files import grey_png
from utils.forms.labels.tables import read_table
from utils.forms.options import Options
from utils.forms.tests.samples import class_names, converted, grey, indexed, label_of, picture, text
from utils.forms.tests.test_boxes_forms import run
from utils.model_utils.errors import BadValueError

SIZE = (40, 60)
VOC_PALETTE = [level for number in range(256) for level in voc_colour(number)]


def blocks(*values):
    """A label of 40 x 60 with the values in columns of 10 pixels, the last one to the end."""
    label = np.full(SIZE, values[-1], np.uint8)
    for number, value in enumerate(values):
        label[:, number * 10 : number * 10 + 10] = value
    return label


def columns(label):
    """Returns the value of each column of blocks, and checks that each has one."""
    assert (label == label[:1]).all()
    return label[0, ::10].tolist()


def two(root, values, others, images="images", masks="masks"):
    """Writes two pictures and their grey labels."""
    for name, blocks_of in (("a", values), ("b", others)):
        picture(root / images / f"{name}.jpg")
        grey(root / masks / f"{name}.png", blocks(*blocks_of))
    return root


@pytest.mark.parametrize(
    ("values", "others", "expected", "options", "names"),
    [
        ([0, 1, 2, 255], [3, 0, 3, 0], [0, 1, 2, 255, 255, 255], {}, ["class_0", "class_1", "class_2", "class_3"]),
        ([0, 255], [255, 0, 255], [0, 1, 1, 1, 1, 1], {}, ["background", "foreground"]),
        ([0, 127, 254], [254, 0], [0, 1, 2, 2, 2, 2], {"classes": ("soil", "weed", "crop")}, ["soil", "weed", "crop"]),
        ([0, 1, 2, 255], [2, 1], [255, 0, 1, 255, 255, 255], {"no_class": (0,), "classes": ("a", "b c")}, ["a", "b c"]),
        ([0, 127, 254], [254, 0], [255, 0, 1, 1, 1, 1], {"no_class": (0,)}, ["class_0", "class_1"]),
        ([5, 255, 1], [1, 5], [3, 255, 1, 1, 1, 1], {"no_class": (2, 3)}, ["class_0", "class_1", "class_2", "class_3"]),
    ],
)
def test_grey_labels(tmp_path, values, others, expected, options, names):
    source = two(tmp_path / "set", values, others)
    said = run(source, tmp_path / "out", val_share=0, options=Options(**options))
    assert columns(label_of(tmp_path / "out", "a")) == expected
    assert "form: label pictures (--form labels): 2 pictures named as labels, in masks" in said
    assert class_names(tmp_path / "out", said) == names
    assert ("--no_class 255" in said) == (values == [0, 255])  # a hint, where 255 is a class
    assert (tmp_path / "out" / "leftImg8bit" / "train" / "a_leftImg8bit.jpg").is_symlink()


@pytest.mark.parametrize(("bits", "expected"), [(2, [0, 1, 2]), (4, [0, 1, 2]), (1, [0, 1, 1])])
def test_grey_labels_of_few_bits_have_their_numbers(tmp_path, bits, expected):
    """Pillow shows levels 0, 1 and 2 of 4 bits as 0, 17 and 34; one bit is black and white, beside masks of 8 bits."""
    source = tmp_path / "set"
    for name, values in (("a", [0, 1, 2]), ("b", [0, 1])):
        picture(source / "images" / f"{name}.jpg")
        (source / "masks").mkdir(exist_ok=True)
        (source / "masks" / f"{name}.png").write_bytes(grey_png(np.minimum(blocks(*values), 2**bits - 1), bits))
    if bits == 1:
        grey(source / "masks" / "b.png", blocks(0, 255))
    said = run(source, tmp_path / "out", val_share=0)
    assert columns(label_of(tmp_path / "out", "a"))[:3] == expected
    count = len(set(expected))
    assert len(class_names(tmp_path / "out", said)) == count


def test_labels_without_any_class_and_with_one_alone_are_refused(tmp_path):
    source = two(tmp_path / "set", [0, 255], [255, 0])
    with pytest.raises(BadValueError, match="SegFormer takes 2 to 255 classes, and the source gives 1: name"):
        run(source, tmp_path / "out", options=Options(no_class=(0,)))
    void = two(tmp_path / "void", [255], [255])
    with pytest.raises(BadValueError, match="no pixel of any label in the source has a class"):
        run(void, tmp_path / "out", options=Options(classes=("a", "b")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("values", "names", "options", "sentence"),
    [
        (
            [0, 255],
            3,
            {},
            r"class_names\.txt names 3 classes, and the labels have 2 values up to 255, of which 2 are classes: ",
        ),
        (
            [0, 127, 254],
            0,
            {"classes": ("a", "b", "c", "d")},
            "--classes names 4 classes, and the labels have 3 values up to 254, of which 3 are classes: name",
        ),
        ([0, 1], 300, {}, r"class_names\.txt names 300 classes, and the labels have 2 values up to 1, of which 2 are"),
        ([1, 2], 255, {"no_class": (0,)}, r"class_names\.txt names 255 classes, and the labels have 3 values up to 2,"),
        (
            [0, 3],
            5,
            {"no_class": (0,)},
            r"names 5 classes, and the labels have 4 values up to 3, of which 3 are classes",
        ),
        (
            [0, 3],
            2,
            {},
            r"names 2 classes, and the labels have 4 values up to 3, of which 4 are classes: name each value",
        ),
        (
            [0, 255],
            0,
            {"no_class": (0, 255)},
            r"--no_class names all values of the labels \(0 and 255\), so that there",
        ),
        ([0, 1, 255], 0, {"no_class": (0, 1, 255)}, r"--no_class names all values of the labels \(0, 1 and 255\), so"),
    ],
)
def test_more_names_than_values_and_no_class_at_all_are_one_sentence(tmp_path, values, names, options, sentence):
    source = two(tmp_path / "set", values, values)
    if names:
        text(source / "class_names.txt", "".join(f"c{number}\n" for number in range(names)))
    with pytest.raises(BadValueError, match=sentence):
        run(source, tmp_path / "out", options=Options(**options))


@pytest.mark.parametrize("line", ["n{0}_{1}x {0} {1} 7", "n{0}x {0}"])
def test_tables_of_too_many_or_no_classes_are_one_sentence(tmp_path, line):
    source = tmp_path / "set"
    picture(source / "images" / "a.jpg")
    coloured(source / "masks" / "a.png", *(([1, 0, 7], [2, 0, 7]) if "7" in line else ([1, 1, 1], [2, 2, 2])))
    rows = [line.format(number % 256, number // 256) for number in range(300 if "7" in line else 256)]
    text(source / "colors.txt", "\n".join(rows))
    count = len(rows)
    with pytest.raises(BadValueError, match=f"the labels have {count} classes, wanted 1 to 255: correct the table"):
        run(source, tmp_path / "out")
    text(source / "colors.txt", "\n".join(row.replace(row.split()[0], "void") for row in rows))
    with pytest.raises(BadValueError, match="the labels have 0 classes, wanted 1 to 255: correct the table"):
        run(source, tmp_path / "out")


def test_camvid(tmp_path):
    """11 is no class; splits are train and trainannot, val and valannot."""
    source = tmp_path / "camvid"
    for split in ("train", "val", "test"):
        picture(source / split / f"{split}_01.png")
        grey(source / f"{split}annot" / f"{split}_01.png", blocks(0, 11, 10, 8))
    said = run(source, tmp_path / "out")
    for split in ("train", "val", "test"):
        assert columns(label_of(tmp_path / "out", f"{split}_01", split)) == [0, 255, 10, 8, 8, 8]
    assert "values are class numbers; 11 and 255 are no class (CamVid's layout" in said
    names = class_names(tmp_path / "out", said)
    assert len(names) == 11 and names[-1] == "bicyclist"


def test_ade20k(tmp_path):
    source = tmp_path / "ade"
    for split, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        picture(source / "images" / split / f"{name}.jpg")
        grey(source / "annotations" / split / f"{name}.png", blocks(0, 1, 3))
    text(
        source / "objectInfo150.txt",
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n"
        + "".join(
            f"{number}\t0.1\t1\t1\t0\t{name}\n" for number, name in ((1, "wall"), (2, "building, edifice"), (3, "sky"))
        ),
    )
    said = run(source, tmp_path / "out")
    assert columns(label_of(tmp_path / "out", "ADE_train_00000001")) == [255, 0, 2, 2, 2, 2]
    assert columns(label_of(tmp_path / "out", "ADE_val_00000001", "val")) == [255, 0, 2, 2, 2, 2]
    assert class_names(tmp_path / "out", said) == ["wall", "building", "sky"]


def test_voc_segmentation_with_its_palette_and_lists(tmp_path):
    """Indexes are classes and 255 the border; a picture without a label, and one that no list has, are left out."""
    source = tmp_path / "voc"
    for name in ("a", "b", "c", "d"):
        picture(source / "JPEGImages" / f"{name}.jpg")
    for name, values in (("a", (0, 15, 255)), ("b", (0, 1)), ("c", (0, 20))):
        indexed(source / "SegmentationClass" / f"{name}.png", blocks(*values), VOC_PALETTE)
        indexed(source / "SegmentationObject" / f"{name}.png", blocks(0, 1), VOC_PALETTE)
    text(source / "ImageSets" / "Segmentation" / "train.txt", "a\n")
    text(source / "ImageSets" / "Segmentation" / "val.txt", "/VOC/JPEGImages/b.jpg /VOC/SegmentationClass/b.png\n")
    said = run(source, tmp_path / "out")
    assert columns(label_of(tmp_path / "out", "a")) == [0, 15, 255, 255, 255, 255]
    assert columns(label_of(tmp_path / "out", "b", "val")) == [0, 1, 1, 1, 1, 1]
    names = class_names(tmp_path / "out", said)
    assert len(names) == 21 and names[-1] == "tvmonitor"
    assert "1 picture without a label (first: JPEGImages/d.jpg)" in said
    assert "1 picture that no split of the source lists (first: JPEGImages/c.jpg)" in said
    run(source, tmp_path / "boxes", target="coco", form="labels")
    assert converted(tmp_path / "boxes") == {"a.jpg": [("person", (10, 0, 20, 40), 0)]}


def test_labelmes_own_export_has_its_names(tmp_path):
    source = tmp_path / "exported"
    picture(source / "JPEGImages" / "a.jpg")
    picture(source / "SegmentationClassVisualization" / "a.jpg")
    indexed(source / "SegmentationClassPNG" / "a.png", blocks(0, 2, 1), VOC_PALETTE)
    text(source / "class_names.txt", "_background_\nleaf\nstem\n")
    said = run(source, tmp_path / "out", val_share=0)
    assert columns(label_of(tmp_path / "out", "a")) == [0, 2, 1, 1, 1, 1]
    assert "class names are those of class_names.txt" in said
    assert class_names(tmp_path / "out", said) == ["_background_", "leaf", "stem"]


def coloured(path, *colours):
    path.parent.mkdir(parents=True, exist_ok=True)
    label = np.zeros((*SIZE, 3), np.uint8)
    for number, colour in enumerate(colours):
        label[:, number * 10 :] = colour
    Image.fromarray(label).save(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labelmap.txt", "# label:color_rgb:parts:actions\nroad:128,64,128::\ncar:0,0,142::\nvoid:0,0,0::\n"),
        ("class_dict.csv", "name,r,g,b\nroad,128,64,128\ncar,0,0,142\nVoid,0,0,0\n"),
        ("label_colors.txt", "128 64 128\t\troad\n0 0 142\tcar\n0 0 0\tVoid\n"),
        ("mine.json", '{"road": [128, 64, 128], "car": [0, 0, 142], "void": [0, 0, 0]}'),
        ("mine.txt", '\n{"road": [128, 64, 128], "car": "#00008e", "void": [0, 0, 0]}'),
        ("mine.txt", "road #804080\ncar #00008E\nvoid #000000\n"),
    ],
)
def test_colours_with_a_table(tmp_path, name, content):
    source = tmp_path / "set"
    picture(source / "imgs" / "a.jpg")
    coloured(source / "labels" / "a_L.png", (128, 64, 128), (0, 0, 142), (0, 0, 0), (1, 2, 3))
    table = text(tmp_path / name if name.startswith("mine") else source / name, content)
    options = Options(colors=table) if name.startswith("mine") else Options()
    said = run(source, tmp_path / "out", val_share=0, options=options)
    assert columns(label_of(tmp_path / "out", "a")) == [0, 1, 255, 255, 255, 255]
    assert class_names(tmp_path / "out", said) == ["road", "car"]
    assert "1 colour of the labels that the table lacks, so no class (first: 1 2 3)" in said


def test_colours_without_a_table_are_listed(tmp_path):
    source = tmp_path / "set"
    picture(source / "images" / "a.jpg")
    coloured(source / "masks" / "a.png", (128, 64, 128), (0, 0, 142))
    with pytest.raises(
        BadValueError, match=r"2 colours and no table names them: .* --colors; found were 0 0 142, 128 64 128$"
    ):
        run(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    many = np.zeros((*SIZE, 3), np.uint8)
    many[0, :, 1] = np.arange(60)
    Image.fromarray(many).save(source / "masks" / "a.png")
    with pytest.raises(BadValueError, match="60 colours and no table .* found were 0 0 0, .*, 0 11 0 and 48 more$"):
        run(source, tmp_path / "out")


def test_grey_levels_in_an_rgb_file_and_values_of_a_table(tmp_path):
    """Roboflow's masks lie beside their pictures, and _classes.csv names their values."""
    source = tmp_path / "set"
    for split in ("train", "valid"):
        picture(source / split / f"{split}_jpg.rf.1.jpg")
        coloured(source / split / f"{split}_jpg.rf.1_mask.png", (0, 0, 0), (1, 1, 1), (2, 2, 2))
        text(source / split / "_classes.csv", "Pixel Value, Class\n0, background\n1, crack\n2, spall\n")
    said = run(source, tmp_path / "out")
    assert columns(label_of(tmp_path / "out", "train_jpg.rf.1")) == [0, 1, 2, 2, 2, 2]
    assert columns(label_of(tmp_path / "out", "valid_jpg.rf.1", "val")) == [0, 1, 2, 2, 2, 2]
    assert class_names(tmp_path / "out", said) == ["background", "crack", "spall"]


def test_regions_become_boxes_whatever_their_classes(tmp_path):
    """Two regions of class 1 that touch at a corner only, inside one of class 2."""
    source = tmp_path / "set"
    picture(source / "images" / "a.jpg")
    label = np.zeros(SIZE, np.uint8)
    label[5:15, 5:25] = 2
    label[6:8, 6:9] = 1
    label[8:10, 9:12] = 1
    label[30:, 50:] = 255
    grey(source / "masks" / "a.png", label)
    said = run(source, tmp_path / "out", target="coco", val_share=0, options=Options(classes=("none", "nut", "box")))
    assert sorted(converted(tmp_path / "out")["a.jpg"]) == [
        ("box", (5, 5, 25, 15), 0),
        ("none", (0, 0, 60, 40), 0),
        ("nut", (6, 6, 9, 8), 0),
        ("nut", (9, 8, 12, 10), 0),
    ]
    assert "each connected region of a class is one object" in said
    run(source, tmp_path / "numbered", target="coco", val_share=0)  # 0 of numbered classes is taken for background
    assert len(converted(tmp_path / "numbered")["a.jpg"]) == 3


@pytest.mark.parametrize("layout", ["images/{0}.png masks/{0}/{1}.png", "{0}/images/{0}.png {0}/masks/{1}.png"])
def test_a_mask_for_each_object(tmp_path, layout):
    source = tmp_path / "cells"
    image, mask = layout.split()
    for name in ("p1", "p2"):
        picture(source / image.format(name))
        for number in range(2):
            label = np.zeros(SIZE, np.uint8)
            label[10 : 20 + number, 5 + 20 * number : 15 + 20 * number] = 255
            grey(source / mask.format(name, f"{name}m{number}"), label)
    grey(source / mask.format("p1", "empty"), np.zeros(SIZE))
    said = run(source, tmp_path / "out", target="coco", val_share=0.5)
    objects = [("object", (5, 10, 15, 20), 0), ("object", (25, 10, 35, 21), 0)]
    assert (
        sorted([*converted(tmp_path / "out").values(), *converted(tmp_path / "out", "val").values()]) == [objects] * 2
    )
    assert "1 mask without a pixel" in said
    run(source, tmp_path / "labels", val_share=0, options=Options(classes=("cell",)))
    assert (label_of(tmp_path / "labels", "p1") == 1).sum() == 100 + 110


def test_labels_that_cannot_be_exact_or_are_broken(tmp_path):
    source = two(tmp_path / "set", [0, 1], [1, 0])
    (source / "masks" / "b.png").write_bytes((source / "masks" / "b.png").read_bytes()[:60])
    grey(source / "masks" / "c.png", blocks(1))
    picture(source / "images" / "d.jpg")
    grey(source / "masks" / "d.png", np.zeros((20, 30)))
    said = run(source, tmp_path / "out", val_share=0)
    assert "1 label that cannot be read (first: " in said and "label 'masks/b.png' is truncated or damaged" in said
    assert "1 label without a picture (first: masks/c.png)" in said
    assert "1 picture annotated at another size than the file has (first: images/d.jpg: 30 x 20, file 60 x 40)" in said
    blurred = tmp_path / "jpeg"
    picture(blurred / "images" / "a.jpg")
    picture(blurred / "masks" / "a.jpg")
    with pytest.raises(BadValueError, match="a JPEG file blurs the borders of classes"):
        run(blurred, tmp_path / "no", form="labels")


@pytest.mark.parametrize("values", [(0, 254, 255), (0, 1, 250, 255), (1, 10, 100), (0, 3, 120, 252, 255)])
def test_masks_with_a_few_stray_values_are_no_255_classes(tmp_path, values):
    source = two(tmp_path / "set", values, values)
    used = [value for value in values if value != 255]
    beside = " beside 255, no class," if 255 in values else ","
    sentence = (
        rf"^the labels have {len(used)} values up to {used[-1]} \({', '.join(map(str, used))}\){beside} so that most "
        rf"of {used[-1] + 1} classes would have no pixel: give masks .* with --colors, in lines such as 'background 0' "
    )
    with pytest.raises(BadValueError, match=sentence):
        run(source, tmp_path / "out")
    table = text(tmp_path / "table.txt", f"background {values[0]}\nforeground {values[-1]}\n")
    run(source, tmp_path / "table", val_share=0, options=Options(colors=table))
    expected = [{values[0]: 0, values[-1]: 1}.get(value, 255) for value in values]
    assert columns(label_of(tmp_path / "table", "a"))[: len(values)] == expected
    text(source / "class_names.txt", "".join(f"c{number}\n" for number in range(255)))
    run(source, tmp_path / "named", val_share=0)  # a list of so many names says that they are class numbers
    assert columns(label_of(tmp_path / "named", "a"))[: len(values)] == list(values)


@pytest.mark.parametrize(
    ("values", "no_class", "names", "expected"),
    [
        ((0, 1, 2, 3, 255), (0,), ("_background_", "RBC", "WBC", "Platelets"), {1: "RBC", 2: "WBC", 3: "Platelets"}),
        ((0, 1, 2, 3), (0,), ("RBC", "WBC", "Platelets"), {1: "RBC", 2: "WBC", 3: "Platelets"}),
        ((0, 1, 2, 3, 4), (0, 4), ("a", "b", "c", "d"), {1: "b", 2: "c", 3: "d"}),  # the last value has no name
        ((0, 1, 2, 3, 4), (0, 4), ("a", "b", "c", "d", "e"), {1: "b", 2: "c", 3: "d"}),
        ((0, 1, 2), (1,), ("a", "b", "c"), {0: "a", 2: "c"}),
        ((0, 127, 254), (127,), ("a", "b", "c"), {0: "a", 254: "c"}),
        ((0, 127, 254), (127,), ("a", "c"), {0: "a", 254: "c"}),
        ((0, 1, 2), None, ("a", "b", "c", "d"), {0: "a", 1: "b", 2: "c"}),
    ],
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_name_belongs_to_its_value_or_to_its_class(tmp_path, values, no_class, names, expected, is_listed):
    source = two(tmp_path / "set", values, values)
    if is_listed:
        text(source / "class_names.txt", "\n".join(names))
    options = Options(no_class=no_class, classes=() if is_listed else names)
    said = run(source, tmp_path / "out", val_share=0, options=options)
    given = class_names(tmp_path / "out", said)
    label = columns(label_of(tmp_path / "out", "a"))
    found = {value: given[number] for value, number in zip(values, label, strict=False) if number != 255}
    assert found == expected


def test_names_that_are_known_belong_to_their_values(tmp_path):
    """Of Pascal VOC, CamVid and ADE20K: 0, 1, 3 and 11 with other values as no class than the layouts have."""
    voc = two(tmp_path / "voc", (0, 1, 3), (1, 0), "JPEGImages", "SegmentationClass")
    text(voc / "ImageSets" / "Segmentation" / "train.txt", "a\nb\n")
    camvid = two(tmp_path / "camvid", (0, 1, 3, 11), (1, 0), "train", "trainannot")
    ade = two(tmp_path / "ade", (0, 1, 3), (1, 0), "images/training", "annotations/training")
    text(ade / "objectInfo150.txt", "Idx\tName\n1\twall\n2\tbuilding\n3\tsky\n")
    cases = [
        (voc, (0,), [255, 0, 2], ["aeroplane", "bicycle", "bird"]),
        (camvid, (0, 11), [255, 0, 2, 255], ["building", "pole", "road"]),
        (ade, (0, 3), [255, 0, 255], ["wall", "building"]),
    ]
    for source, no_class, expected, names in cases:
        out = tmp_path / f"{source.name} out"
        run(source, out, val_share=0, options=Options(no_class=no_class))
        assert columns(label_of(out, "a"))[: len(expected)] == expected
        assert (out / "class_names.txt").read_text().splitlines()[: len(names)] == names
    sentence = r"objectInfo150\.txt names 3 classes, and the labels have 4 values up to 3, of which 4 are classes: name"
    with pytest.raises(BadValueError, match=sentence):
        run(ade, tmp_path / "no", val_share=0, options=Options(no_class=(255,)))
    options = Options(no_class=(255,), classes=("other", "wall", "building", "sky"))
    said = run(ade, tmp_path / "named", val_share=0, options=options)
    assert class_names(tmp_path / "named", said) == ["other", "wall", "building", "sky"]


def test_the_sky_of_camvid_is_an_object(tmp_path):
    source = two(tmp_path / "camvid", (0, 1), (1, 0), "train", "trainannot")
    run(source, tmp_path / "out", val_share=0, target="coco")
    assert ("sky", (0, 0, 10, 40), 0) in converted(tmp_path / "out")["a.jpg"]


@pytest.mark.parametrize("option", [{"classes": ("a", "b")}, {"no_class": (0,)}])
@pytest.mark.parametrize("has_table", [True, False])
def test_options_of_values_are_refused_where_labels_have_colours(tmp_path, option, has_table):
    source = tmp_path / "set"
    picture(source / "images" / "a.jpg")
    coloured(source / "masks" / "a.png", (128, 64, 128), (0, 0, 142))
    if has_table:
        text(source / "labelmap.txt", "road:128,64,128::\ncar:0,0,142::\n")
    name = next(iter(option))
    with pytest.raises(BadValueError, match=f"^--{name} is about values, and these labels have colours: name them in"):
        run(source, tmp_path / "out", val_share=0, options=Options(**option))


def test_many_classes_that_occur_need_no_names(tmp_path):
    source = two(tmp_path / "set", [0], [0])
    grey(source / "masks" / "a.png", np.arange(2400).reshape(SIZE) % 150)
    said = run(source, tmp_path / "out", val_share=0)
    assert len(class_names(tmp_path / "out", said)) == 150


def test_the_foreground_of_masks_keeps_its_name_where_0_is_no_class(tmp_path):
    source = two(tmp_path / "set", [0, 255, 0], [255, 0])
    run(source, tmp_path / "out", target="coco", val_share=0, options=Options(no_class=(0,)))
    assert converted(tmp_path / "out")["a.jpg"] == [("foreground", (10, 0, 20, 40), 0)]


@pytest.mark.parametrize(
    "folder",
    ["masks_png", "SegmentationClassAug", "ground-truth", "Ground Truth", "groundtruth", "label_images", "mask images",
     "LabeledApproved_full", "train_labels", "labels-raw", "GT", "seg2"],
)  # fmt: skip
def test_folders_of_labels_by_their_names(tmp_path, folder):
    source = two(tmp_path / "set", [0, 1], [1, 0], images="pictures", masks=folder)
    run(source, tmp_path / "out", val_share=0)
    assert columns(label_of(tmp_path / "out", "a"))[:2] == [0, 1]


def test_folders_of_pictures_are_none_of_labels(tmp_path):
    for folder in ("images", "labelled", "targeted", "images_full", "photos png", "magnets"):
        source = two(tmp_path / folder, [0, 1], [1, 0], images="pictures", masks=folder)
        sentence = (
            "a folder of label pictures has to be called masks, labels, annotations, gt, ground_truth, targets or"
        )
        with pytest.raises(BadValueError, match=sentence):
            run(source, tmp_path / "out")
        with pytest.raises(
            BadValueError, match="is one of labels by its name: call it masks, labels, annotations, gt,"
        ):
            run(source, tmp_path / "out", form="labels")


def test_the_whole_set_of_camvid(tmp_path):
    source = tmp_path / "camvid"
    for name in ("0001TP_006690", "0016E5_07959"):
        picture(source / "701_StillsRaw_full" / f"{name}.png")
        coloured(source / "LabeledApproved_full" / f"{name}_L.png", (64, 128, 64), (192, 0, 128), (0, 0, 0))
    text(source / "label_colors.txt", "64 128 64\tAnimal\n192 0 128\t\tArchway\n0 0 0\t\tVoid\n")
    said = run(source, tmp_path / "out", val_share=0, is_strict=True)
    assert columns(label_of(tmp_path / "out", "0016E5_07959"))[:3] == [0, 1, 255]
    assert class_names(tmp_path / "out", said) == ["Animal", "Archway"]


@pytest.mark.parametrize("content", ["", "car\nbus\n", "car 1 2 3\nbus 4\n", '{"car": "red"}'])
def test_a_table_without_keys_is_refused(tmp_path, content):
    path = text(tmp_path / ("t.json" if content.startswith("{") else "t.txt"), content)
    with pytest.raises(BadValueError, match=r"table '.*t\.(txt|json)'"):
        read_table(path, "t")

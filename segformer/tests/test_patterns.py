"""Images and labels where two patterns say, lists of names, and a share that is held back."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from segformer.src.infer import open_inputs
from segformer.src.labels.patterns import Layout
from segformer.tests.tiny_city import write_png
from utils.data_sets.val_share import ValShare
from utils.model_utils.errors import BadValueError, MissingPathError, UserError

PIXEL = np.zeros((1, 1, 3), np.uint8)


def make(root, *names):
    for name in names:
        write_png(root / name, PIXEL)
    return root


def found(root, layout, split="train"):
    return [tuple(str(path.relative_to(root)) for path in (p.image, p.label)) for p in layout.pairs(root, split)]


@pytest.mark.parametrize(
    ("images", "labels", "files", "pairs"),
    [
        ("images/{split}/*.png", "masks/{split}/*.png", "{}/train/b/c.PNG", [("images/train/b/c.PNG",) * 2]),
        ("{split}/*.jpg", "{split}annot/*.png", "", [("train/a.jpg", "trainannot/a.png")]),  # CamVid's of SegNet
        ("x/*.jpg", "x/*_mask.png", "", [("x/a.jpg", "x/a_mask.png")]),
        ("x/*.png", "x/*_mask.png", "", [("x/a.png", "x/a_mask.png")]),  # a mask is no image of its own
        ("x/*/image.png", "x/*/mask.png", "", [("x/a/image.png", "x/a/mask.png")]),
        ("x/*", "y/*.png", "", [("x/a.webp", "y/a.png")]),  # any picture
    ],
)
def test_the_star_is_what_both_share(tmp_path, images, labels, files, pairs):
    pairs = [(image, label.replace("images", "masks")) for image, label in pairs]
    for each in pairs:
        make(tmp_path, *each)
    make(tmp_path, "x/.hidden.png", "other/a.png")
    (tmp_path / "x" / "notes.txt").touch()
    assert found(tmp_path, Layout(images, labels)) == pairs


def test_a_label_pattern_without_an_ending_takes_pictures_alone_and_one_of_each_name(tmp_path):
    make(tmp_path, "i/a.jpg", "i/b.jpg", "m/a.png", "m/b.PNG")
    (tmp_path / "m" / "a.txt").write_text("x")
    (tmp_path / "m" / "b.jpg").write_text("a picture that shows the label")
    assert found(tmp_path, Layout("i/*", "m/*")) == [("i/a.jpg", "m/a.png"), ("i/b.jpg", "m/b.PNG")]
    make(tmp_path, "m/other.png", "m/other.bmp", "m/b.png")  # no image has that name
    for pattern in ("m/*", "m/*.png"):
        with pytest.raises(
            BadValueError, match=r"m/b.PNG' and '.*m/b.png' are both the label 'b' of label_pattern: name"
        ):
            found(tmp_path, Layout("i/*", pattern))


def test_lists_name_the_images_of_a_split(tmp_path):
    """As Pascal VOC writes them, and SegNet, whose lines are two paths."""
    make(tmp_path, *(f"JPEGImages/{n}.jpg" for n in "abc"), *(f"SegmentationClass/{n}.png" for n in "abc"))
    lists = tmp_path / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("c\na\n\n")
    (lists / "val.txt").write_text("/SegNet/JPEGImages/b.jpg /SegNet/SegmentationClass/b.png\r\n")
    layout = Layout("JPEGImages/*.jpg", "SegmentationClass/*.png", "ImageSets/Segmentation/{split}.txt")
    assert [image for image, _ in found(tmp_path, layout)] == ["JPEGImages/a.jpg", "JPEGImages/c.jpg"]
    assert [image for image, _ in found(tmp_path, layout, "val")] == ["JPEGImages/b.jpg"]
    (lists / "val.txt").write_text("b\nd\n")
    with pytest.raises(
        MissingPathError, match=r"1 of the 2 names in '.*val.txt' is no image of image_pattern, first 'd'"
    ):
        layout.pairs(tmp_path, "val")
    with pytest.raises(MissingPathError, match=r"split_list '.*test.txt' is no file"):
        layout.pairs(tmp_path, "test")


def held_back(names, share, seed=0):
    """The rule again: the first 8 bytes of a SHA-256 of seed, line feed and name, as a fraction of 2^64."""
    digests = [hashlib.sha256(f"{seed}\n{name}".encode()).hexdigest()[:16] for name in names]
    return [name for name, digest in zip(names, digests, strict=True) if int(digest, 16) / 2**64 < share]


def test_a_share_is_held_back_by_name(tmp_path):
    names = [f"pic_{number:02d}" for number in range(20)]
    make(tmp_path, *(f"i/{name}.png" for name in names), *(f"m/{name}.png" for name in names))
    layout = Layout("i/*.png", "m/*.png", val_share=ValShare(0.25))
    splits = {split: [Path(image).stem for image, _ in found(tmp_path, layout, split)] for split in ("train", "val")}
    assert splits["val"] == held_back(names, 0.25)
    assert sorted(splits["train"] + splits["val"]) == names
    assert 2 <= len(splits["val"]) <= 8
    make(tmp_path, "i/another.png", "m/another.png")
    assert {*splits["val"]} <= {Path(image).stem for image, _ in found(tmp_path, layout, "val")}
    with pytest.raises(BadValueError, match="leaves none of the 21 images of .* for the evaluation: raise val_share"):
        Layout("i/*.png", "m/*.png", val_share=ValShare(0.001)).pairs(tmp_path, "val")


def test_frames_of_a_video_stay_together(tmp_path):
    names = [f"{clip}_{frame:03d}" for clip in ("a", "b", "c", "d") for frame in range(3)]
    make(tmp_path, *(f"i/{name}.png" for name in names), *(f"m/{name}.png" for name in names))
    layout = Layout("i/*.png", "m/*.png", val_share=ValShare(0.4, by_stem=True))
    clips = [{Path(image).stem[0] for image, _ in found(tmp_path, layout, split)} for split in ("train", "val")]
    assert clips[1] == {*held_back("abcd", 0.4)}
    assert clips[0] == {*"abcd"} - clips[1]


@pytest.mark.parametrize(
    ("images", "labels", "sentence"),
    [
        ("imgs/*.png", "m/*.png", r"'.*imgs' of image_pattern is not a folder; folders of '[^']*': i, m: correct"),
        ("i/*.jpg", "m/*.png", r"image_pattern finds no picture at '.*i/\*.jpg': correct image_pattern"),
        (
            "i/*.png",
            "i/*.png",
            r"finds no picture at '.*i/\*.png' but 2 labels of label_pattern: correct image_pattern",
        ),
        ("i/*.png", "m/*_x.png", r"2 of the 2 images of .* have no label, first '.*m/a_x.png'; correct label_pattern"),
        ("i/*", "m/*.png", "are both the image 'a' of image_pattern: name a file ending"),
    ],
)
def test_what_is_not_found_is_said(tmp_path, images, labels, sentence):
    make(tmp_path, "i/a.png", "i/b.png", "m/a.png", "m/b.png", *(["i/a.bmp"] if images == "i/*" else []))
    with pytest.raises(UserError, match=sentence):
        Layout(images, labels).pairs(tmp_path, "train")
    with pytest.raises(MissingPathError, match="is not a folder; set --data_path to the folder that image_pattern"):
        Layout(images, labels).pairs(tmp_path / "absent", "train")


def test_infer_takes_the_images_of_the_split_and_no_masks(tmp_path):
    make(tmp_path, "images/val/a.png", "images/train/b.png", "masks/val/a.png")
    layout = Layout("images/{split}/*.png", "masks/{split}/*.png")
    files = open_inputs(tmp_path, "val", tmp_path / "out", layout).pictures
    assert [str(file.name) for file in files] == ["images/val/a.png"]
    assert len(open_inputs(tmp_path / "masks", "val", tmp_path / "out", layout).pictures) == 1  # any other folder

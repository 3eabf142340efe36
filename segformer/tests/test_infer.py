"""infer.py: which images it takes, how its results are called, what is in them, and what it says."""

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from PIL import Image

from segformer.src.config import load
from segformer.src.infer import choose_outputs, format_progress, format_start, format_total, infer, open_inputs, run
from segformer.src.labels.classes import palette
from segformer.src.results.files import Outputs, refuse_overwriting, result_bases
from segformer.tests.tiny_checkpoint import TINY_NETWORK as TINY
from segformer.tests.tiny_checkpoint import write_checkpoint
from segformer.tests.tiny_city import write_city, write_png
from utils.image_search import ImageFile
from utils.model_utils.errors import BadStateError, BadValueError, MissingPathError, UserError

SUITE = Path(__file__).resolve().parent.parent


class Brightness:
    """Finds class 0, 1, 2 or 3 by how bright the red channel is."""

    follows_pictures = False

    def predict(self, image):
        return image[..., 0] // 64


def _files(*names):
    return tuple(ImageFile(Path("/data", name), PurePosixPath(name)) for name in names)


def _bases(*names, **outputs):
    return [str(base) for base in result_bases(_files(*names), Outputs(**outputs))]


def test_the_lines_of_the_page():
    assert format_start(398, Path("/segformer/infer_result")) == (
        "get image size:398, infer result will save to /segformer/infer_result"
    )
    assert format_progress(100, 398, 1.9578) == "infer 100/398 done, step cost:1958ms"
    assert format_total(819.4) == "all infer process done, cost:819s"


def test_the_file_names_of_the_page():
    name = "munich_000005_000019_leftImg8bit"
    (base,) = result_bases(_files(f"val/munich/{name}.png"), Outputs())
    assert [str(file) for file in Outputs().names(base, ".png")] == [
        f"{name}_gray.png",
        f"{name}_color.png",
        f"{name}_overlap.png",
        f"{name}.png",
    ]


def test_the_same_name_in_two_folders_keeps_its_folder():
    assert _bases("a/x.png", "b/x.png", "b/y.png") == ["a/x", "b/x", "y"]
    assert _bases("x.png", "b/X.JPG") == ["x", "b/X"]


def test_two_kinds_of_file_in_one_folder_keep_their_suffix():
    assert _bases("a/x.jpg", "a/x.png", "z.png") == ["a/x.jpg", "a/x.png", "z"]


def test_an_image_that_is_called_like_a_result_does_not_collide():
    bases = result_bases(_files("x.png", "x_gray.png"), Outputs())
    names = [str(name) for base in bases for name in Outputs().names(base, ".png")]
    assert len(set(names)) == len(names) == 8


@pytest.mark.parametrize("seed", range(20))
def test_no_two_results_share_a_file(seed):
    rng = np.random.default_rng(seed)
    parts = ("a", "b", "a_gray", "A", "a.png"), ("", "a/", "b/"), (".png", ".jpg", ".PNG")
    files = {f"{rng.choice(parts[1])}{rng.choice(parts[0])}{rng.choice(parts[2])}" for _ in range(15)}
    files = _files(*sorted({name.lower(): name for name in files}.values()))
    bases = result_bases(files, Outputs())
    names = [
        str(name).lower()
        for file, base in zip(files, bases, strict=True)
        for name in Outputs().names(base, file.name.suffix)
    ]
    assert len(set(names)) == len(names)


def test_of_a_data_set_only_the_images_of_the_split_are_taken(tmp_path):
    data = write_city(tmp_path / "data", {"train": 2, "val": 3})
    assert len(open_inputs(data, "val", tmp_path / "out").pictures) == 3
    assert len(open_inputs(data, "train", tmp_path / "out").pictures) == 2
    assert len(open_inputs(data / "leftImg8bit", "val", tmp_path / "out").pictures) == 5
    with pytest.raises(MissingPathError, match="splits that are there: train, val"):
        open_inputs(data, "test", tmp_path / "out")


def test_suffixes_in_any_case_and_results_of_earlier_runs_are_no_input(tmp_path):
    names = ["a.jpg", "b.JPEG", "c.PNG", "d.webp", "e.TIF", "f.gif", "g.bmp"]
    for name in (*names, "h.txt", "out/e.png"):
        write_png(tmp_path / name, np.zeros((4, 4), np.uint8))
    assert [str(file.name) for file in open_inputs(tmp_path, "val", tmp_path / "out").pictures] == names
    with pytest.raises(MissingPathError, match="--data_path"):
        open_inputs(tmp_path / "none", "val", tmp_path / "out")


def test_an_image_is_never_overwritten(tmp_path):
    write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    files = open_inputs(tmp_path, "val", tmp_path).pictures
    with pytest.raises(BadValueError, match="--infer_output_path"):
        refuse_overwriting(files, result_bases(files, Outputs()), Outputs(), tmp_path)
    without_copy = Outputs(original=False)
    refuse_overwriting(files, result_bases(files, without_copy), without_copy, tmp_path)


def _infer(folder, tmp_path, outputs=None):
    outputs = outputs or Outputs()
    files = open_inputs(folder, "val", tmp_path / "out").pictures
    bases = result_bases(files, outputs)
    return run(Brightness(), files, bases, tmp_path / "out", outputs=outputs, colours=palette(4), log_interval=2)


def test_the_pictures_are_at_the_size_of_the_image(tmp_path):
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 10:20], image[:, 20:] = (100, 7, 9), (200, 0, 0)
    write_png(tmp_path / "in" / "x.png", image)
    assert _infer(tmp_path / "in", tmp_path).num_written == 1
    classes = np.repeat([0, 1, 3], 10)
    out = tmp_path / "out"
    gray = Image.open(out / "x_gray.png")
    assert gray.mode == "L"
    np.testing.assert_array_equal(np.asarray(gray), np.tile(classes, (20, 1)))
    color = cv2.imread(str(out / "x_color.png"))[..., ::-1]
    np.testing.assert_array_equal(color, palette(4)[np.tile(classes, (20, 1))])
    overlap = cv2.imread(str(out / "x_overlap.png"))[..., ::-1].astype(int)
    np.testing.assert_allclose(overlap, 0.6 * color + 0.4 * image, atol=1)
    assert (out / "x.png").read_bytes() == (tmp_path / "in" / "x.png").read_bytes()
    assert len(list(out.iterdir())) == 4


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({"gray": False, "color": False, "overlap": False}, {"x.png"}),
        ({"original": False, "color": False}, {"x_gray.png", "x_overlap.png"}),
    ],
)
def test_each_picture_can_be_left_out(tmp_path, outputs, expected):
    write_png(tmp_path / "in" / "x.png", np.zeros((8, 8), np.uint8))
    _infer(tmp_path / "in", tmp_path, Outputs(**outputs))
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected


def test_at_least_one_picture_is_asked_for():
    names = ("infer_copy_original_img", "infer_save_gray_img", "infer_save_color_img", "infer_save_overlap_img")
    with pytest.raises(BadValueError, match="write nothing"):
        choose_outputs(load([*TINY, *(f"--{name}=False" for name in names)]))


def test_grey_transparent_and_deep_images_have_results(tmp_path):
    folder = tmp_path / "in"
    write_png(folder / "grey.png", np.full((8, 9), 70, np.uint8))
    write_png(folder / "deep.png", np.full((8, 9), 70 * 257, np.uint16))
    Image.fromarray(np.full((8, 9, 4), 70, np.uint8)).save(folder / "transparent.PNG")
    Image.fromarray(np.full((8, 9, 4), 255, np.uint8), "CMYK").save(folder / "cmyk.jpeg")
    write_png(folder / "pixel.png", np.full((1, 1), 70, np.uint8))
    assert _infer(folder, tmp_path).num_written == 5
    for name in ("grey", "deep", "transparent"):
        assert (cv2.imread(str(tmp_path / "out" / f"{name}_gray.png"), 0) == 1).all()
    assert (tmp_path / "out" / "transparent.PNG").is_file()
    assert (tmp_path / "out" / "cmyk.jpeg").is_file()


def test_broken_images_are_named_and_left_out(tmp_path, caplog):
    folder = tmp_path / "in"
    write_png(folder / "a.png", np.zeros((8, 8), np.uint8))
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:40])
    (folder / "text.jpg").write_text("no image")
    done = _infer(folder, tmp_path)
    assert (done.num_written, done.num_unreadable) == (1, 3)
    assert all(name in caplog.text for name in ("empty.png", "cut.png", "text.jpg"))
    assert not list((tmp_path / "out").glob("empty*"))
    (folder / "a.png").unlink()
    with pytest.raises(BadValueError, match="none of the 3 pictures can be read"):
        _infer(folder, tmp_path)
    for name in ("empty.png", "cut.png"):
        (folder / name).unlink()
    with pytest.raises(BadValueError, match=r"^the picture cannot be read \(it is named above\): replace it$"):
        _infer(folder, tmp_path)


def test_lines_come_at_the_interval(tmp_path, caplog):
    caplog.set_level("INFO")
    for index in range(5):
        write_png(tmp_path / "in" / f"{index}.png", np.zeros((8, 8), np.uint8))
    _infer(tmp_path / "in", tmp_path)
    lines = [re.sub(r"\d+ms", "ms", line) for line in caplog.messages if line.startswith("infer")]
    assert lines == ["infer 2/5 done, step cost:ms", "infer 4/5 done, step cost:ms"]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    write_png(tmp_path / "in" / "x.png", np.zeros((8, 8), np.uint8))
    (tmp_path / "out").write_text("a file")
    with pytest.raises(BadStateError, match="cannot be written"):
        _infer(tmp_path / "in", tmp_path)


def test_bad_arguments_are_refused_before_the_device_is_used(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "a.ckpt")
    write_png(tmp_path / "x.png", np.zeros((8, 8), np.uint8))
    good = (f"--infer_ckpt_path={checkpoint}", f"--data_path={tmp_path}", f"--infer_output_path={tmp_path / 'out'}")
    for words, argument in (
        ("absent.ckpt", f"--infer_ckpt_path={tmp_path / 'absent.ckpt'}"),
        ("--data_path", f"--data_path={tmp_path}/no"),
        ("infer_ckpt_path is not set", "--infer_ckpt_path="),
        ("is a file", f"--infer_output_path={checkpoint}"),
        ("would be overwritten", f"--infer_output_path={tmp_path}"),
        ("no picture", f"--data_path={tmp_path / 'void'}"),
    ):
        (tmp_path / "void").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=words):
            infer(load([*TINY, *good, argument]))
    assert not (tmp_path / "out").exists()


@pytest.mark.end_to_end
def test_the_command_does_what_the_page_says(tmp_path):
    data = write_city(tmp_path / "a city", {"val": 3})
    write_png(data / "leftImg8bit" / "val" / "aachen" / "tall_leftImg8bit.png", np.full((90, 40, 3), 9, np.uint8))
    checkpoint = write_checkpoint(tmp_path / "a.ckpt")
    finished = subprocess.run(
        [
            sys.executable,
            str(SUITE / "infer.py"),
            *TINY,
            f"--data_path={data}",
            f"--infer_ckpt_path={checkpoint}",
            "--infer_log_interval=2",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    out = tmp_path / "infer_result"
    assert f"get image size:4, infer result will save to {out}\n" in finished.stderr
    assert re.search(r"^infer 2/4 done, step cost:\d+ms$", finished.stderr, re.MULTILINE)
    assert re.search(r"^all infer process done, cost:\d+s$", finished.stderr, re.MULTILINE)
    assert "2 input sizes" in finished.stderr
    assert len(list(out.iterdir())) == 16
    gray = cv2.imread(str(out / "tall_leftImg8bit_gray.png"), cv2.IMREAD_UNCHANGED)
    assert gray.shape == (90, 40)
    assert gray.max() < 4

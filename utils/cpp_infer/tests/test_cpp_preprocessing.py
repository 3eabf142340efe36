import dataclasses
import json
import subprocess

import cv2
import numpy as np
import pytest
from PIL import Image

from utils.detection.inputs import InputSettings, fit_image
from utils.exporting.description import ModelDescription, Preprocessing, TensorDescription
from utils.images import read_image
from utils.model_utils.errors import BadValueError
from utils.pixels import to_input

pytestmark = pytest.mark.end_to_end

HEIGHT, WIDTH = 96, 160
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
RULES = {
    "keep_ratio": Preprocessing("RGB", "keep_ratio", HEIGHT, WIDTH, MEAN, STD, "bottom_right"),
    "stretch": Preprocessing("RGB", "stretch", HEIGHT, WIDTH, MEAN, STD, "none"),
    "half_up": Preprocessing("RGB", "keep_ratio", HEIGHT, WIDTH, MEAN, STD, "bottom_right", rounding="half_up"),
}
GREY_LEVEL = 1 / np.float32(STD)[:, None, None]


def dump(cpp_build, folder, rules, files):
    """What the C++ library makes of files: float32[3, H, W], or why it refuses one; and the lines that it prints."""
    tensor = TensorDescription("images", "float32", (1, 3, rules.height, rules.width))
    description = ModelDescription("toy", "toy.mindir", "MINDIR", (tensor,), (tensor,), rules, ("a",), (1,))
    file = folder / "description.json"
    file.write_text(json.dumps(dataclasses.asdict(description)))
    done = subprocess.run(
        [cpp_build / "tests" / "dump_inputs", file, folder, *files], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(files)
    return [
        line
        if line.startswith("refused")
        else np.fromfile(folder / f"{i}.bin", np.float32).reshape(3, rules.height, rules.width)
        for i, line in enumerate(lines)
    ], lines


def python_input(file, rules, name):
    image = read_image(file)
    inputs = InputSettings(HEIGHT, WIDTH, MEAN, STD, keep_ratio=name != "stretch")
    if name != "half_up":
        return fit_image(image, inputs)
    scale = min(HEIGHT / image.shape[0], WIDTH / image.shape[1])
    height, width = (max(1, int(side * scale + 0.5)) for side in image.shape[:2])
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    scales = height / image.shape[0], width / image.shape[1]
    return to_input(resized, inputs.size, inputs.mean, inputs.std), scales


@pytest.mark.parametrize("name", RULES)
def test_real_photographs_become_what_python_makes_of_them(cpp_build, tmp_path, shared_data, name):
    files = sorted((shared_data / "coco_subset" / "val2017").glob("*.jpg"))[:24]
    found, lines = dump(cpp_build, tmp_path, RULES[name], files)
    for file, tensor, line in zip(files, found, lines, strict=True):
        expected, scales = python_input(file, RULES[name], name)
        levels = np.abs(tensor - expected) / GREY_LEVEL
        assert levels.max() < 1.01 and levels.mean() < 0.1, file.name
        assert tuple(map(float, line.split()[2:])) == scales


def draw(height=50, width=70):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 5, columns * 3, (rows * columns) % 256], axis=-1).astype(np.uint8)


def write_kinds(folder):
    """One small file of each kind that a camera or an annotator may hand over."""
    picture = Image.fromarray(draw())
    picture.convert("L").save(folder / "grey.jpg")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    transparent = picture.convert("RGBA")
    transparent.putalpha(picture.convert("L"))
    transparent.save(folder / "rgba.png")
    picture.convert("LA").save(folder / "grey_alpha.png")
    picture.quantize(32).save(folder / "palette.png")
    picture.convert("1").save(folder / "bits.png")
    picture.save(folder / "progressive.jpg", progressive=True)
    picture.save(folder / "plain.bmp")
    picture.save(folder / "jpeg_named.png", "JPEG")
    wide = draw().astype(np.uint16) * 257 - 100 * (draw() > 3)
    cv2.imwrite(str(folder / "wide_grey.png"), wide[..., 1].astype(np.uint16))
    cv2.imwrite(str(folder / "wide_colour.png"), wide.astype(np.uint16))
    Image.new("RGB", (1, 1), (1, 2, 3)).save(folder / "pixel.png")
    Image.fromarray(draw(1, 700)).save(folder / "thin.png")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(folder / f"turned{orientation}.jpg", exif=exif)
    picture.save(folder / "turned6.png", exif=exif)


def test_every_kind_of_picture_is_read_as_python_reads_it(cpp_build, tmp_path):
    folder = tmp_path / "kinds of pictures"
    folder.mkdir()
    write_kinds(folder)
    files = sorted(folder.iterdir())
    found, lines = dump(cpp_build, tmp_path, RULES["keep_ratio"], files)
    for file, tensor, line in zip(files, found, lines, strict=True):
        assert not isinstance(tensor, str), f"{file.name}: {line}"
        expected, _ = python_input(file, RULES["keep_ratio"], "keep_ratio")
        levels = np.abs(tensor - expected) / GREY_LEVEL
        assert levels.max() < 1.01 and levels.mean() < 0.1, file.name
        assert tuple(map(int, line.split()[:2])) == read_image(file).shape[:2]


def test_what_python_refuses_is_refused(cpp_build, tmp_path):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(draw()).save(whole)
    Image.fromarray(draw()).save(tmp_path / "whole.png")
    content = whole.read_bytes()
    bad = {
        "empty.jpg": b"",
        "text.jpg": b"no picture",
        "cut.jpg": content[: len(content) // 2],
        "head.jpg": content[:50],
        "no_end.jpg": content[:-2],
        "cut.png": (tmp_path / "whole.png").read_bytes()[:200],
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    Image.fromarray(draw()).convert("F").save(tmp_path / "float.tif")
    files = [tmp_path / name for name in (*bad, "float.tif", "absent.jpg")]
    found, _ = dump(cpp_build, tmp_path, RULES["keep_ratio"], files)
    for file, reason in zip(files, found, strict=True):
        assert isinstance(reason, str), f"{file.name} was read"
    for file in files[:-1]:
        with pytest.raises(BadValueError):
            read_image(file)

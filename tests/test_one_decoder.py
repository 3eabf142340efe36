"""A picture that is damaged gets one and the same sentence in training, evaluation and inference of every suite."""

import io
import sys
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pytest
from PIL import Image

from segformer.src.dataset import read_pair
from segformer.src.infer import _read
from segformer.src.labels.files import ImagePair, read_label
from utils.detection.data.images.checks import check_image
from utils.detection.data.record_types import ImageRecord
from utils.image_search import ImageFile
from utils.images import read_image
from utils.model_utils.errors import BadValueError, UserError

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutations import mutations

HEIGHT, WIDTH, COPIES = 48, 64, 600
NO_BOXES = np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, bool)


def said_by_detectors_training(path):
    """Training and evaluation of a detector read what was checked when its MindRecord files were made."""
    return check_image(ImageRecord(1, path, HEIGHT, WIDTH, *NO_BOXES)).problem


def said_by(read, *arguments):
    try:
        found = read(*arguments)
    except UserError as error:
        return str(error)
    return str(found[-1]) if isinstance(found[-1], UserError) else ""


def photo(file_format):
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)).save(buffer, file_format)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_every_command_says_the_same_of_a_damaged_picture(file_format, tmp_path):
    """OpenCV reads about 1 in 100 of these JPEG files that Pillow refuses."""
    path, label = tmp_path / "a.png", tmp_path / "label.png"
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(label)
    refused = 0
    for content in mutations(photo(file_format), COPIES):
        path.write_bytes(content)
        sentences = {
            said_by(read_image, path),  # inference of a detector
            said_by(_read, (ImageFile(path, path.name), PurePosixPath("a"))),  # of SegFormer
            said_by(read_image, path, (HEIGHT, WIDTH)),
        }
        if sentences == {""} and read_image(path, (HEIGHT, WIDTH)).shape != (HEIGHT, WIDTH, 3):
            continue  # the header says another size, which the others name
        sentences |= {said_by(read_pair, ImagePair(path, label), 19, 255), said_by_detectors_training(path)}
        assert len(sentences) == 1, sentences
        refused += sentences != {""}
    assert refused > COPIES // 4


def test_a_label_with_any_bit_changed_is_refused_or_has_the_same_classes(tmp_path):
    """Without the checksums 3 in 1000 give other classes."""
    path = tmp_path / "label.png"
    expected = np.random.default_rng(0).integers(0, 19, (6, 9), np.uint8)
    Image.fromarray(expected).save(path)
    good, refused = path.read_bytes(), 0
    for place in range(8 * len(good)):
        changed = bytearray(good)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            np.testing.assert_array_equal(read_label(path), expected)
        except BadValueError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 8 * len(good) * 0.95

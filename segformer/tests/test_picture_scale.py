"""At what sizes the network sees pictures: what is said of them, and when evaluation does not fit training."""

import logging

import numpy as np
import pytest
from PIL import Image

from segformer.src import build
from segformer.src.config import load
from segformer.src.dataset import open_pairs, usual_size
from segformer.src.picture_scale import PictureScale, format_difference, scale_of_training
from segformer.src.results.canvases import FixedCanvas, PictureCanvas
from segformer.tests.tiny_city import image_path, label_path, write_city, write_png
from utils.model_utils.config.loading import dump_config
from utils.model_utils.errors import UserError
from utils.training.checkpoints.checkpoint import TrainingState

CUSTOM = ("--config_path=config/custom.yaml", "--class_num=4", "--base_size=[256,512]")


@pytest.mark.parametrize(
    ("scale", "size", "num_sizes", "text"),
    [
        (PictureScale(FixedCanvas((256, 512))), (360, 480), 1, "pictures of 360x480 are fitted into 256x512 (0.71)"),
        (
            PictureScale(FixedCanvas((256, 512)), (0.75, 1.5)),
            (480, 360),
            4,
            "pictures of 480x360 (and of 3 other sizes) are fitted into 256x512 (0.71), times 0.75 to 1.5",
        ),
        (PictureScale(FixedCanvas((512, 1024))), (64, 128), 1, "pictures of 64x128 are fitted into 512x1024 (8)"),
        (
            PictureScale(FixedCanvas((256, 512))),
            (3000, 4000),
            1,
            "pictures of 3000x4000 are fitted into 256x512 (0.085)",
        ),
        (PictureScale(FixedCanvas()), (360, 480), 1, "pictures of 360x480 are taken as they are"),
        (
            PictureScale(FixedCanvas(), (0.5, 0.5)),
            (360, 480),
            1,
            "pictures of 360x480 are taken as they are, times 0.5",
        ),
    ],
)
def test_the_size_that_pictures_get_is_said(scale, size, num_sizes, text):
    """256 / 360 = 0.711, 512 / 64 = 8, 256 / 3000 = 0.0853."""
    assert scale.describe(size, num_sizes) == text


TRAINED = PictureScale(FixedCanvas((256, 512)), (0.75, 1.5))


@pytest.mark.parametrize(
    ("evaluation", "size", "words"),
    [
        (PictureScale(FixedCanvas((256, 512))), (360, 480), ""),
        (PictureScale(FixedCanvas()), (360, 480), ""),  # 1 is below 0.711 * 1.5 = 1.07
        (PictureScale(FixedCanvas()), (352, 480), ""),
        (PictureScale(FixedCanvas((256, 512)), (0.5, 1.75)), (360, 480), ""),
        (PictureScale(FixedCanvas((384, 768))), (360, 480), ""),  # 1.067 / 0.711 = 1.5
        (
            PictureScale(FixedCanvas((512, 1024))),
            (360, 480),
            "evaluation shows the network pictures of 360x480 at 1.4 of their size, training at 0.53 to 1.1, so that "
            "it has not learnt from objects of such a size: give --base_size=[256,512], as in training",
        ),
        (
            PictureScale(FixedCanvas()),
            (1024, 2048),
            "at 1 of their size, training at 0.19 to 0.38, so that it has not learnt from objects of such a size: give "
            "--eval_mode=whole --base_size=[256,512], or train with a base_size near the size of the pictures",
        ),
        (PictureScale(FixedCanvas((256, 512)), (3.0, 3.0)), (360, 480), "give --eval_scales=[1.0]"),
        (PictureScale(PictureCanvas((512, 256))), (360, 480), ""),
        (PictureScale(PictureCanvas((2048, 512))), (360, 480), "give --canvas_sides=[512,256], as in training"),
        (PictureScale(PictureCanvas((512, 256)), (3.0, 3.0)), (360, 480), "give --eval_scales=[1.0]"),
    ],
)
def test_another_scale_than_in_training_is_a_warning(evaluation, size, words):
    said = format_difference(size, evaluation, TRAINED)
    assert said.endswith(words)
    assert bool(said) is bool(words)


@pytest.fixture()
def images(tmp_path):
    """Four pictures of 48 x 96 and one of 32 x 32."""
    city = write_city(tmp_path / "city")
    write_png(image_path(city, "train", 0), np.zeros((32, 32, 3), np.uint8))
    write_png(label_path(city, "train", 0), np.zeros((32, 32), np.uint8))
    return [pair.image for pair in open_pairs(city, "train", 4, 255)]


def test_the_size_of_most_pictures_counts(images, caplog):
    assert usual_size(images) == ((48, 96), 2)
    with caplog.at_level(logging.INFO):
        build.log_scales(load(CUSTOM), images, "training")
        build.log_scales(load([*CUSTOM, "--eval_scales=[0.5,1.0]"]), images, "evaluation")
    assert caplog.messages[-2:] == [
        "training: pictures of 48x96 (and of 1 other size) are fitted into 256x512 (5.3), times 0.75 to 1.5",
        "evaluation: pictures of 48x96 (and of 1 other size) are scaled within 512x256 (5.3), rounded up to multiples "
        "of 32, times 0.5 to 1",
    ]


def test_a_checkpoint_says_how_it_was_trained(images, caplog):
    """Evaluated by windows, whose pictures of 48 x 96 are not 5.3 times as large."""
    state = TrainingState(arrays={}, steps_per_epoch=2, config_text=dump_config(load(CUSTOM)))
    trained = scale_of_training(state)
    assert trained == TRAINED
    config = load([*CUSTOM, "--eval_mode=slide"], program="eval.py")
    build.log_scales(config, images, "inference", trained)
    assert [record.levelname for record in caplog.records][-1] == "WARNING"
    assert caplog.messages[-1].startswith("inference shows the network pictures of 48x96")
    assert "at 1 of their size, training at 4 to 8" in caplog.messages[-1]
    caplog.clear()
    build.log_scales(load(CUSTOM), images, "evaluation", trained)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_images_that_cannot_be_read_are_left_out_of_the_sizes(images):
    for path in images[:4]:
        path.write_bytes(b"no picture")
    assert usual_size(images) == ((48, 96), 1)
    images[4].unlink()
    with pytest.raises(UserError, match="is not an image"):
        usual_size(images)


def test_a_turned_photograph_counts_as_it_is_shown(images):
    """EXIF 6: stored as 48 x 96, shown as 96 x 48."""
    picture = Image.open(images[1])
    exif = picture.getexif()
    exif[0x0112] = 6
    path = images[1].with_suffix(".jpg")
    picture.save(path, exif=exif)
    assert usual_size([path]) == ((96, 48), 1)


@pytest.mark.parametrize("changes", [{"steps_per_epoch": 0}, {"config_text": ""}, {"config_text": "[1"}])
def test_a_checkpoint_that_says_nothing_gives_no_warning(changes):
    """Converted weights were not trained with the keys that their file holds."""
    facts = {"steps_per_epoch": 2, "config_text": dump_config(load(CUSTOM))} | changes
    assert scale_of_training(TrainingState(arrays={}, **facts)) is None

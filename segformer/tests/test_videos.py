"""Videos: frames go through the network together, and their classes come out as one picture at a time gives them."""

import os
import signal
from pathlib import PurePosixPath

import numpy as np
import pytest

from segformer.src.infer import open_inputs
from segformer.src.labels.classes import palette
from segformer.src.results.canvases import FixedCanvas, PictureCanvas
from segformer.src.results.files import Outputs
from segformer.src.results.inference import Predictor
from segformer.src.results.videos import VideoSegmentation, plan_videos, video_names
from utils.drawing.class_maps import colorize, overlay
from utils.model_utils.errors import BadStateError, BadValueError
from utils.tools.small_disk import small_disk
from utils.videos.tests.films import moving_squares, read_film, write_film

FRAMES = moving_squares(6)


class Channels:
    """A network that takes each channel for a class, at half the size; notes how many images come at once."""

    def __init__(self):
        self.batches = []

    def __call__(self, images):
        self.batches.append(images.shape[0])
        return images[:, :, ::2, ::2]


def predictor(**more):
    return Predictor(Channels(), mean=(120.0, 60.0, 60.0), std=(50.0, 60.0, 70.0), **more)


def segment(folder, film, *, outputs=None, used=None):
    """Makes a video and its results in `folder`; returns what is said of it."""
    write_film(film, FRAMES)
    plan = plan_videos(open_inputs(film, "val", folder), outputs or Outputs(), folder)
    return [VideoSegmentation(used or predictor(), palette()).run(*each) for each in plan]


@pytest.mark.parametrize(
    ("more", "batches"),
    [
        ({"canvas": FixedCanvas((32, 64))}, [4, 4]),
        ({"canvas": PictureCanvas(None)}, [4, 4]),
        ({"flip": True}, [1] * 12),
        ({"mode": "slide", "slide_crop": (32, 32), "slide_stride": (32, 32)}, [1] * 24),
    ],
)
def test_classes_of_frames_are_those_of_pictures(more, batches, tmp_path):
    """Four frames at once, the last call filled up, where each is looked at once and whole."""
    used = predictor(**more)
    (said,) = segment(tmp_path / "out", tmp_path / "film.avi", used=used)
    assert said.startswith("film.avi: 6 frames, ")
    assert used.network.batches == batches
    found, rate = read_film(tmp_path / "out" / "film_gray.mkv")
    expected = [predictor(**more).predict(frame) for frame in FRAMES]
    np.testing.assert_array_equal(found, np.stack([np.stack(expected)] * 3, axis=-1))
    assert len(np.unique(expected)) == 3
    assert rate == 12.5


def test_colours_and_overlay_are_those_of_pictures_but_for_the_codec(tmp_path):
    segment(tmp_path / "out", tmp_path / "film.avi")
    assert sorted(os.listdir(tmp_path / "out")) == ["film_color.mp4", "film_gray.mkv", "film_overlap.mp4"]
    classes = predictor().predict(FRAMES[3])
    for name, drawn in (("color", colorize(classes, palette())), ("overlap", overlay(FRAMES[3], classes, palette()))):
        frames, rate = read_film(tmp_path / "out" / f"film_{name}.mp4")
        assert (frames.shape, rate) == (FRAMES.shape, 12.5)
        assert np.abs(frames[3].astype(int) - drawn).mean() < 10 < np.abs(frames[3].astype(int) - FRAMES[3]).mean()


def test_which_videos_are_written_is_chosen_as_for_pictures(tmp_path):
    base = PurePosixPath("sub/x")
    assert list(video_names(base, Outputs(gray=False)).values()) == [
        PurePosixPath("sub/x_color.mp4"),
        PurePosixPath("sub/x_overlap.mp4"),
    ]
    with pytest.raises(BadValueError, match="nothing would be written for the video"):
        segment(tmp_path / "out", tmp_path / "film.avi", outputs=Outputs(gray=False, color=False, overlap=False))


def test_a_result_does_not_take_the_place_of_a_video(tmp_path):
    for name in ("x.avi", "x_color.mp4"):
        write_film(tmp_path / name, FRAMES, "FFV1" if name == "x.avi" else "mp4v")
    inputs = open_inputs(tmp_path / "x*", "val", tmp_path / "out")
    with pytest.raises(BadValueError, match="x_color.mp4' would be overwritten by a result"):
        plan_videos(inputs, Outputs(), tmp_path)


def test_ctrl_c_leaves_the_frames_so_far_under_a_name_of_their_own(tmp_path, caplog):
    """It comes in the second call, of frames 4 and 5; frame 4 is still written."""
    used = predictor()
    network = used.network

    class Breaks(Channels):
        def __call__(self, images):
            if network.batches:
                os.kill(os.getpid(), signal.SIGINT)
            return network(images)

    used.network = Breaks()
    with pytest.raises(KeyboardInterrupt):
        segment(tmp_path / "out", tmp_path / "film.avi", used=used)
    names = ["film_color.part.mp4", "film_gray.part.mkv", "film_overlap.part.mp4"]
    assert sorted(os.listdir(tmp_path / "out")) == names
    assert [len(read_film(tmp_path / "out" / name)[0]) for name in names] == [5, 5, 5]
    assert "holds the first 5 frames" in caplog.text


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, disk):
    with small_disk(disk, 500):
        with pytest.raises(BadStateError, match=r"film_gray.mkv' cannot be written \(No space left on device, 0.5 MB"):
            segment(disk / "out", tmp_path / "film.avi")
        assert [path for path in disk.rglob("*") if path.is_file()] == []

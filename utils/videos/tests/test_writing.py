"""Videos go out at their size and frame rate, whole or not at all."""

import os

import numpy as np
import pytest

from utils.model_utils.errors import BadStateError
from utils.tools.small_disk import small_disk
from utils.videos import writing
from utils.videos.tests.films import moving_squares, read_film
from utils.videos.writing import VideoFile, part_path

FRAMES = moving_squares(5)


def write(path, frames, rate=12.5, name=None):
    with VideoFile(path, frames[0].shape[:2], rate) as file:
        for frame in frames:
            file.add(frame)
        file.finish(name)


@pytest.mark.parametrize("rate", [12.5, 30000 / 1001, 59.94, 0.5, 1000.0])
def test_size_and_frame_rate_are_kept(rate, tmp_path):
    write(tmp_path / "new" / "a.mp4", FRAMES, rate)
    frames, written = read_film(tmp_path / "new" / "a.mp4")
    assert frames.shape == FRAMES.shape
    assert written == pytest.approx(rate, abs=6e-4)
    assert np.abs(frames.astype(int) - FRAMES).mean() < 12  # the codec's own loss, with colours at half the size
    assert os.listdir(tmp_path / "new") == ["a.mp4"]


def test_class_numbers_come_back_as_they_were_and_odd_sides_become_even(tmp_path):
    classes = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(3, axis=0).repeat(3, axis=1)[:47, :45]
    write(tmp_path / "a.mkv", [classes, 255 - classes])
    frames, _ = read_film(tmp_path / "a.mkv")
    assert frames.shape == (2, 48, 46, 3)
    np.testing.assert_array_equal(frames[0, :47, :45, 0], classes)
    np.testing.assert_array_equal(frames[1, :47, :45, 2], 255 - classes)
    np.testing.assert_array_equal(frames[:, 47], frames[:, 46])


def test_frames_of_another_size_are_scaled(tmp_path):
    write(tmp_path / "a.mp4", [FRAMES[0], FRAMES[1].repeat(2, axis=0).repeat(2, axis=1)])
    assert read_film(tmp_path / "a.mp4")[0].shape == (2, *FRAMES[0].shape)


def test_a_part_has_a_name_of_its_own_and_an_error_leaves_nothing(tmp_path):
    path = tmp_path / "a.mp4"
    write(path, FRAMES)
    write(path, FRAMES[:2], name=part_path(path))
    with pytest.raises(ZeroDivisionError), VideoFile(path, (48, 64), 25.0) as file:
        file.add(FRAMES[0])
        raise ZeroDivisionError
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "a.part.mp4"]
    assert [len(read_film(tmp_path / name)[0]) for name in ("a.mp4", "a.part.mp4")] == [5, 2]


def test_a_full_disk_is_said_and_leaves_nothing(disk, monkeypatch):
    """Before there is no room left, and where FFmpeg has met the end of the disk and said nothing."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 240, 320, 3), np.uint8)
    for room in (20_000, 0):
        monkeypatch.setattr(writing, "ROOM_AT_THE_END", room)
        with small_disk(disk, 200):
            with pytest.raises(
                BadStateError, match=r"a\.mp4' cannot be written \(No space left on device, .* free\): "
            ):
                write(disk / "a.mp4", noise)
            assert os.listdir(disk) == []


def test_a_codec_that_is_not_there_and_folders_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(BadStateError, match=r"a\.mp4' cannot be written \((Not a directory|File exists)\)"):
        write(tmp_path / "file" / "a.mp4", FRAMES)
    with pytest.raises(BadStateError, match="no encoder mp4v for 8200 x 48 pixels"):
        write(tmp_path / "a.mp4", np.zeros((1, 48, 8200, 3), np.uint8))
    monkeypatch.setitem(writing._CODES, ".mp4", "avc1")  # as for an OpenCV that lacks an encoder
    with pytest.raises(BadStateError, match="no encoder avc1 .* install opencv-python"):
        write(tmp_path / "a.mp4", FRAMES)
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_is_no_utf_8_takes_videos(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    write(folder / os.fsdecode(b"\xe9.mp4"), FRAMES)
    (folder / os.fsdecode(b"\xe9.mp4")).rename(tmp_path / "a.mp4")
    assert len(read_film(tmp_path / "a.mp4")[0]) == 5

"""Videos come in frame by frame, with number and time; what is no video, damaged or too large is refused or named."""

import os
import struct

import numpy as np
import pytest

from utils.model_utils.errors import BadValueError, MissingPathError
from utils.model_utils.guards import pixel_limit
from utils.videos.reading import ahead, is_video_name, open_video, read_frames
from utils.videos.tests.films import moving_squares, read_film, write_film

FRAMES = moving_squares(6)


@pytest.mark.parametrize(
    ("name", "code"), [("a.mkv", "FFV1"), ("a.avi", "FFV1"), ("a.mp4", "mp4v"), ("a.webm", "VP80")]
)
def test_frames_have_the_pixels_that_opencv_reads_their_number_and_time(name, code, tmp_path):
    """12.5 frames a second are 80 ms each."""
    video = open_video(write_film(tmp_path / name, FRAMES, code))
    assert (video.height, video.width, video.num_frames) == (48, 64, 6)
    assert video.frames_per_second == pytest.approx(12.5)
    frames = list(read_frames(video))
    assert [frame.index for frame in frames] == list(range(6))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(6) * 0.08, atol=1e-3)
    expected = FRAMES if code == "FFV1" else read_film(tmp_path / name)[0]
    np.testing.assert_array_equal([frame.image for frame in frames], expected)


def test_where_size_and_time_change_frames_keep_the_first_size_and_time_goes_on(tmp_path):
    """Two transport streams one after the other are one; of the second, time begins anew and the size is another."""
    parts = [write_film(tmp_path / "1.ts", FRAMES[:4], "FMP4", 25.0)]
    parts.append(write_film(tmp_path / "2.ts", moving_squares(4, 80, 96), "FMP4", 25.0))
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(read_frames(open_video(tmp_path / "both.ts")))
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    times = [frame.seconds for frame in frames]
    assert len(times) > 5
    assert (np.diff(times) > 0).all()


def test_a_video_is_turned_as_a_player_shows_it(tmp_path):
    """A phone writes how to turn into the track's header: here by a quarter clockwise, which makes rows of columns."""
    data = bytearray(write_film(tmp_path / "a.mp4", FRAMES, "mp4v").read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # after version, times, number, length, layer and volume
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    video = open_video(tmp_path / "turned.mp4")
    assert (video.height, video.width) == (64, 48)
    plain = read_film(tmp_path / "a.mp4")[0]
    for frame, expected in zip(read_frames(video), plain, strict=True):
        np.testing.assert_array_equal(frame.image, np.rot90(expected, -1))


def test_a_video_that_is_cut_off_gives_what_can_be_read_and_says_so(tmp_path, caplog):
    noise = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), np.uint8)
    data = write_film(tmp_path / "a.avi", noise, "MJPG").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    frames = list(read_frames(open_video(tmp_path / "cut.avi")))
    assert 2 < len(frames) < 8
    assert f"ends after {len(frames)} of 10 frames: it is cut off or damaged" in caplog.text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"no video at all", "no video of a known format"),
        (b"#EXTM3U\n#EXTINF:10,\na.mkv\n#EXT-X-ENDLIST\n", "no video of a known format"),  # FFmpeg would follow it
        (b"ffconcat version 1.0\nfile a.mkv\n", "no video of a known format"),
        (b"\0\0\0\x20ftypisom" + bytes(500), "cannot be opened"),
    ],
)
def test_what_is_no_video_is_refused(content, sentence, tmp_path, capfd):
    (tmp_path / "b.mp4").write_bytes(content)
    write_film(tmp_path / "a.mkv", FRAMES)
    with pytest.raises(BadValueError, match=sentence):
        open_video(tmp_path / "b.mp4")
    assert capfd.readouterr().err == ""


def test_a_video_without_its_end_or_without_frames_is_refused(tmp_path, capfd):
    data = write_film(tmp_path / "a.mp4", FRAMES, "mp4v").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadValueError, match="cannot be opened: it is cut off or damaged, or has another codec"):
        open_video(tmp_path / "cut.mp4")
    unknown = write_film(tmp_path / "b.avi", FRAMES, "MJPG").read_bytes().replace(b"MJPG", b"QQQQ")
    (tmp_path / "b.avi").write_bytes(unknown)
    with pytest.raises(BadValueError, match="another codec"):
        open_video(tmp_path / "b.avi")
    film = write_film(tmp_path / "c.avi", FRAMES, "FFV1").read_bytes()
    (tmp_path / "c.avi").write_bytes(film[: film.index(b"movi") + 4])
    with pytest.raises(BadValueError, match=r"c\.avi' "):
        open_video(tmp_path / "c.avi")
    assert capfd.readouterr().err == ""


def test_paths_that_are_not_there_or_folders(tmp_path):
    write_film(tmp_path / "film.mkv", FRAMES)
    with pytest.raises(MissingPathError, match="'.*film.mkv' is there"):
        open_video(tmp_path / "FILM.mkv")
    with pytest.raises(MissingPathError, match="is a folder"):
        open_video(tmp_path)


def test_the_largest_picture_is_that_of_pictures(tmp_path, monkeypatch):
    """48 x 64 are 3072 pixels."""
    film = write_film(tmp_path / "a.mkv", FRAMES)
    monkeypatch.setattr(pixel_limit._limit(), "pixels", 3071)
    with pytest.raises(BadValueError, match="a frame of video .* has 64 x 48 pixels.*--max_image_megapixels"):
        open_video(film)


def test_a_name_that_is_no_utf_8_is_read(tmp_path):
    """OpenCV ends the process of one who gives it such a name."""
    path = tmp_path / os.fsdecode(b"caf\xe9.mkv")
    try:
        write_film(tmp_path / "a.mkv", FRAMES).rename(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert len(list(read_frames(open_video(path)))) == 6


def test_a_frame_rate_that_nobody_shows_becomes_the_usual_one(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("utils.videos.reading.MOST_FRAMES_A_SECOND", 10.0)
    assert open_video(write_film(tmp_path / "a.mkv", FRAMES)).frames_per_second == 25
    assert "no usual frame rate (12.5)" in caplog.text


def test_a_thread_reads_no_further_ahead_than_it_may():
    taken = []
    items = ahead((taken.append(number) or number for number in range(1, 100)), 3)
    assert [next(items), next(items)] == [1, 2]
    items.close()
    assert len(taken) <= 5
    assert list(ahead((item for item in ()), 3)) == []


def test_suffixes_in_any_case_are_videos_and_hidden_files_none():
    assert is_video_name("a.MP4")
    assert not is_video_name(".a.mp4")
    assert not is_video_name("a.png")

"""Videos around a detector that knows the boxes: what is drawn, written down, broken off, and without room."""

import json
import os
import signal
from pathlib import PurePosixPath

import numpy as np
import pytest

from utils.detection.data.class_names import ClassTable
from utils.detection.inputs import InputSettings
from utils.detection.results.inference import BoxLimit, infer_pictures, open_inputs
from utils.detection.results.picture_detector import PictureDetector
from utils.detection.results.pictures.drawing import draw_detections
from utils.detection.results.pictures.min_score import MinScore
from utils.detection.results.pictures.videos import VideoDetection
from utils.detection.tests.known_boxes import KnowsTheBoxes
from utils.model_utils.command import Terminated
from utils.model_utils.errors import BadStateError, BadValueError
from utils.tools.small_disk import small_disk
from utils.videos import writing
from utils.videos.tests.films import moving_squares, read_film, write_film

INPUTS = InputSettings(64, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CLASSES = ClassTable(("red", "blue"), (7, 3))
FRAMES = moving_squares(5)


class FollowsTheSquare(KnowsTheBoxes):
    """Answers a frame with the box of its bright square, by the red of the input: the input is 64 x 64."""

    def __init__(self):
        super().__init__(None)
        self.calls = 0

    def detect(self, images, *, scales, sizes, clock):
        self.calls += 1
        self.boxes_of = lambda _size: ([self.found.pop(0)], [1])
        self.found = []
        for planes, (vertical, horizontal) in zip(images, scales, strict=False):
            rows, columns = np.nonzero(planes[0] > 228)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0, 0, 1, 1]
            self.found.append([box[0] / horizontal, box[1] / vertical, box[2] / horizontal, box[3] / vertical])
        return super().detect(images, scales=scales, sizes=sizes, clock=clock)


def detection(folder, detector=None):
    return VideoDetection(PictureDetector(detector or FollowsTheSquare(), INPUTS, 2, 1), folder, CLASSES, MinScore(0.4))


def film(path, frames=FRAMES):
    (source,) = open_inputs(write_film(path, frames), path.parent / "out").videos
    return source


def rows_of(path):
    return json.loads(path.read_text())


def test_each_frame_has_its_boxes_its_number_and_its_time(tmp_path):
    """The square of frame k is 4 + 2 k from the left, 8 from the top, 12 wide and high; 12.5 frames a second."""
    found = detection(tmp_path)
    summary = found.run(film(tmp_path / "a.mkv"), PurePosixPath("a.mp4"))
    rows = rows_of(tmp_path / "a_detections.json")
    assert [row["bbox"] for row in rows] == [[4 + 2 * number, 8, 12, 12] for number in range(5)]
    assert [row["time"] for row in rows] == [0.0, 0.08, 0.16, 0.24, 0.32]
    assert [(row["frame"], row["image_id"]) for row in rows] == [(number, number) for number in range(5)]
    assert {(row["file_name"], row["category_id"]) for row in rows} == {("a.mkv", 3)}
    assert found.detector.detector.shapes == [(2, 3, 64, 64)] * 3  # batches of two, the last one filled up
    assert str(summary).startswith("a.mkv: 5 frames, 5 detections, ")
    assert (summary.num_frames, summary.network_seconds) == (5, 1.5)


def test_the_video_shows_each_frame_with_its_box_at_size_and_rate(tmp_path):
    detection(tmp_path / "out").run(film(tmp_path / "a.mkv"), PurePosixPath("sub/a.mp4"))
    frames, rate = read_film(tmp_path / "out" / "sub" / "a.mp4")
    assert (frames.shape, rate) == (FRAMES.shape, 12.5)
    for number, row in enumerate(rows_of(tmp_path / "out" / "sub" / "a_detections.json")):
        x, y, width, height = row["bbox"]
        box = np.array([[x, y, x + width, y + height]], np.float32)
        drawn = draw_detections(FRAMES[number], box, [1], [0.9], CLASSES.names, may_enlarge=False)
        assert drawn.shape == FRAMES[number].shape
        differences = [np.abs(frames[number].astype(int) - other).mean() for other in (drawn, FRAMES[number])]
        assert differences[0] < differences[1] / 2


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_what_is_broken_off_is_closed_under_a_name_of_its_own(number, kind, tmp_path, caplog):
    """The signal comes with the second batch, of frames 2 and 3; frame 2 is still written."""
    (tmp_path / "a.mp4").write_bytes(b"of an earlier run")

    class Breaks(FollowsTheSquare):
        def detect(self, images, **about):
            if self.calls == 1:
                os.kill(os.getpid(), number)
            return super().detect(images, **about)

    with pytest.raises(kind):
        detection(tmp_path, Breaks()).run(film(tmp_path / "a.mkv"), PurePosixPath("a.mp4"))
    assert sorted(os.listdir(tmp_path)) == ["a.mkv", "a.mp4", "a.part.mp4", "a_detections.part.json"]
    assert (tmp_path / "a.mp4").read_bytes() == b"of an earlier run"
    assert len(read_film(tmp_path / "a.part.mp4")[0]) == 3
    assert [row["frame"] for row in rows_of(tmp_path / "a_detections.part.json")] == [0, 1, 2]
    assert "hold the first 3 frames" in caplog.text


def test_a_fault_leaves_nothing_behind(tmp_path):
    class Fails(FollowsTheSquare):
        def detect(self, images, **about):
            if self.calls == 1:
                raise ZeroDivisionError
            return super().detect(images, **about)

    with pytest.raises(ZeroDivisionError):
        detection(tmp_path / "out", Fails()).run(film(tmp_path / "a.mkv"), PurePosixPath("a.mp4"))
    assert os.listdir(tmp_path / "out") == []


def test_detections_are_written_where_the_video_finds_no_room(tmp_path, disk, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (6, 240, 320, 3), np.uint8)
    source = film(tmp_path / "a.mkv", noise)
    monkeypatch.setattr(writing, "ROOM_AT_THE_END", 40_000)
    with small_disk(disk, 90):
        with pytest.raises(BadStateError, match=r"a\.mp4' cannot be written \(No space .*_detections.json' is writt"):
            detection(disk).run(source, PurePosixPath("a.mp4"))
        assert os.listdir(disk) == ["a_detections.json"]
        assert [row["frame"] for row in rows_of(disk / "a_detections.json")] == list(range(6))


def test_pictures_and_videos_go_together_and_a_broken_one_is_counted(tmp_path, capsys, caplog):
    folder = tmp_path / "in"
    folder.mkdir()
    write_film(folder / "a.mkv", FRAMES)
    (folder / "b.mp4").write_bytes(b"no video")
    (folder / "c.png").write_bytes(b"no picture")
    inputs = open_inputs(folder / "*", tmp_path / "out")
    detector = PictureDetector(FollowsTheSquare(), INPUTS, 2, 1)
    infer_pictures(detector, inputs, tmp_path / "out", CLASSES, 0.4, BoxLimit("max_boxes", 100))
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("a.mkv: 5 frames, 5 detections, ")
    assert said[1:] == [f"videos and *_detections.json are in {tmp_path / 'out'}", "1 video could not be read"]
    assert "the picture cannot be read" in caplog.text
    assert sorted(os.listdir(tmp_path / "out")) == ["a.mp4", "a_detections.json"]


def test_a_result_does_not_take_the_place_of_a_video(tmp_path):
    write_film(tmp_path / "a.mp4", FRAMES, "mp4v")
    with pytest.raises(BadValueError, match="the video '.*a.mp4' would be overwritten"):
        open_inputs(tmp_path / "a.mp4", tmp_path)

"""Videos, folders and patterns in Python: one result after the other, with number and time, and saved as a video."""

import numpy as np
import pytest
from PIL import Image

from utils.api.engines import SegmentationEngine
from utils.api.model import Model
from utils.api.results import DetectionResult
from utils.model_utils.errors import BadValueError, MissingPathError
from utils.videos.tests.films import moving_squares, read_film, write_film

FRAMES = moving_squares(5)


class Boxes:
    """Answers each picture with one box, and notes how many come at once."""

    names = ("ant", "bee")

    def __init__(self):
        self.calls = []

    def predict(self, pictures, batch, _probabilities):
        self.calls.append(len(pictures))
        return [self._result(picture) for picture in pictures]

    def _result(self, picture):
        return DetectionResult(
            boxes=np.array([[4, 8, 16, 20]], np.float32),
            scores=np.array([0.9], np.float32),
            labels=np.array([1], np.int32),
            names=self.names,
            category_ids=(7, 3),
            min_score=0.4,
            image=picture.image,
            path=picture.path,
            frame=picture.frame,
            time=picture.time,
        )


@pytest.fixture()
def model(tmp_path):
    return Model("nas_fpn", tmp_path / "a.ckpt", Boxes())


def test_a_video_is_predicted_as_its_results_are_taken(model, tmp_path):
    results = model(write_film(tmp_path / "a.mkv", FRAMES), batch=2)
    assert model._engine.calls == []
    first = next(results)
    assert model._engine.calls == [2]
    assert (first.frame, first.time) == (0, 0.0)
    np.testing.assert_array_equal(first.image, FRAMES[0])
    others = list(results)
    assert [(each.frame, round(each.time, 3)) for each in others] == [(1, 0.08), (2, 0.16), (3, 0.24), (4, 0.32)]
    assert model._engine.calls == [2, 2, 1]
    assert (results.video.num_frames, results.video.frames_per_second) == (5, 12.5)
    assert repr(others[0]).endswith("a.mkv', frame 1)")
    (row,) = others[0].to_coco()
    assert row == {
        "image_id": 1,
        "category_id": 3,
        "bbox": [4.0, 8.0, 12.0, 12.0],
        "score": row["score"],
        "file_name": "a.mkv",
        "frame": 1,
        "time": 0.08,
    }


def test_what_is_drawn_is_saved_at_size_and_rate(model, tmp_path):
    results = model(str(write_film(tmp_path / "a.mkv", FRAMES)))
    saved = results.save(tmp_path / "new" / "b.mp4")
    frames, rate = read_film(saved)
    assert (frames.shape, rate) == (FRAMES.shape, 12.5)
    drawn = np.asarray(next(model(tmp_path / "a.mkv")).draw())
    assert drawn.shape == FRAMES[0].shape
    assert np.abs(frames[0].astype(int) - drawn).mean() < np.abs(frames[0].astype(int) - FRAMES[0]).mean() / 2
    with pytest.raises(BadValueError, match="all frames of .* were taken"):
        results.save(tmp_path / "new" / "c.mp4")
    with pytest.raises(BadValueError, match="written as .mp4, got 'b.avi'"):
        model(tmp_path / "a.mkv").save(tmp_path / "b.avi")
    with pytest.raises(BadValueError, match="b.mp4' would be overwritten by its result"):
        model(saved).save(saved)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.mp4"]


def test_ctrl_c_keeps_the_frames_so_far(model, tmp_path):
    def interrupted(results):
        yield next(results)
        raise KeyboardInterrupt

    results = model(write_film(tmp_path / "a.mkv", FRAMES))
    object.__setattr__(results, "results", interrupted(results.results))
    with pytest.raises(KeyboardInterrupt):
        results.save(tmp_path / "out" / "b.mp4")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.part.mp4"]
    assert len(read_film(tmp_path / "out" / "b.part.mp4")[0]) == 1


def test_folders_and_patterns_give_pictures_then_frames(model, tmp_path, caplog):
    (tmp_path / "sub").mkdir()
    Image.fromarray(FRAMES[0]).save(tmp_path / "b.png")
    Image.fromarray(FRAMES[0]).save(tmp_path / "sub" / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    write_film(tmp_path / "sub" / "film.mkv", FRAMES)
    assert [result.path.name for result in model(tmp_path)] == ["b.png", "a.png"]
    assert "broken.png' is not an image" in caplog.text
    found = list(model(f"{tmp_path}/**/[af]*", batch=4))
    assert [(result.path.name, result.frame) for result in found] == [
        ("a.png", None),
        *(("film.mkv", number) for number in range(5)),
    ]


def test_a_video_stands_alone_and_one_that_is_not_there_is_said(model, tmp_path):
    film = write_film(tmp_path / "a.mkv", FRAMES)
    with pytest.raises(BadValueError, match="a.mkv' is a video, .* in no list"):
        model([film])
    with pytest.raises(MissingPathError, match="'.*a.mkv' is there"):
        model(tmp_path / "A.MKV")
    with pytest.raises(MissingPathError, match="no picture or video fits"):
        model(tmp_path / "*.mp4")


def test_frames_go_through_a_segmentation_network_together():
    class Predictor:
        batches = []

        def predict(self, image):
            return image[..., 0]

        def predict_batch(self, images, batch_size):
            self.batches.append((len(images), batch_size))
            return [image[..., 0] for image in images]

    from utils.api.pictures import Picture

    engine = SegmentationEngine(Predictor(), ("a",), (0,), np.zeros((256, 3), np.uint8))
    frames = [Picture(frame, None, number, number / 25) for number, frame in enumerate(FRAMES)]
    assert [result.frame for result in engine.predict(frames[:3], 4, False)] == [0, 1, 2]
    assert Predictor.batches == [(3, 4)]
    engine.predict([Picture(frame) for frame in FRAMES], 4, False)  # of pictures each is looked at alone
    engine.predict(frames, 1, False)
    assert Predictor.batches == [(3, 4)]

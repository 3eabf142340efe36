"""The pictures of a run: when they are due, where they are, and that none of them ends a run."""

import numpy as np
import pytest

from utils.images import read_image
from utils.sharding import BatchSource, ShardedEpochs
from utils.training.pictures.batch_view import BatchView
from utils.training.pictures.run_pictures import MOST_OF_BATCH, PicturePlan, RunPictures
from utils.training.record.run_folder import RunFolder

PLAN = PicturePlan(interval=3, first_epoch=2, epochs_between=2, last_epoch=19)


class FakeSource(BatchSource):
    def batches(self, epoch, start_step=0):
        raise NotImplementedError


class FakeView(BatchView):
    """Draws a batch as a grey of its first value."""

    source = FakeSource(ShardedEpochs(num_images=20, batch_size=10, seed=1))
    drawn = ()

    def draw(self, batch, names, heading):
        self.drawn = (len(batch[0]), names, heading)
        if batch[0].flat[0] < 0:
            raise RuntimeError("no memory left")
        return np.full((32, 32, 3), batch[0].flat[0], np.uint8)

    def item_names(self, items):
        return [f"image {item}" for item in items]

    def survey(self):
        raise NotImplementedError


@pytest.fixture()
def run(tmp_path):
    with RunFolder(tmp_path / "run", resume=True) as folder:
        folder.begin("")
        yield folder


def batch_of(value):
    return (np.full((10, 3, 8, 12), value, np.float32),)


def test_predictions_are_due_at_each_third_evaluation_and_the_last():
    """Evaluations are after the epochs 2, 4, ... and 19."""
    assert [epoch for epoch in (2, 4, 6, 8, 10, 12, 14, 16, 18, 19) if PLAN.is_due(epoch)] == [2, 8, 14, 19]
    assert not any(PicturePlan(0, 1, 1, 9).is_due(epoch) for epoch in range(1, 10))


def test_the_first_batch_is_drawn_once_with_the_names_of_its_pictures(run):
    view = FakeView()
    pictures = RunPictures(run, PLAN, view)
    for value in (50, 90):
        pictures.add_first_batch(batch_of(value), 2, 1, is_new_run=True)
    assert abs(int(read_image(run.first_batch_path)[5, 5, 0]) - 50) <= 2
    items = view.source.epochs.own_items(2, 1)[0][0][:MOST_OF_BATCH]
    names = [f"image {item}" for item in items]
    heading = "epoch 2, step 2: what the network is fed, 12 x 8 pixels (width x height)"
    assert view.drawn == (MOST_OF_BATCH, names, heading)


@pytest.mark.parametrize(("is_new_run", "level"), [(False, 50), (True, 90)])
def test_a_resumed_run_keeps_the_picture_that_it_has(run, is_new_run, level):
    RunPictures(run, PLAN, FakeView()).add_first_batch(batch_of(50), 1, 0, is_new_run=True)
    RunPictures(run, PLAN, FakeView()).add_first_batch(batch_of(90), 1, 1, is_new_run=is_new_run)
    assert abs(int(read_image(run.first_batch_path)[5, 5, 0]) - level) <= 2


def test_what_fails_is_said_and_the_run_goes_on(run, caplog):
    pictures = RunPictures(run, PLAN, FakeView())
    pictures.add_first_batch(batch_of(-1), 1, 0, is_new_run=True)
    (run.path / "predictions").touch()  # a file where the folder is to be
    pictures.add_predictions(2, lambda: np.zeros((8, 8, 3), np.uint8))
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith(f"the first batch in '{run.first_batch_path}' could not be drawn")
    assert first.endswith("RuntimeError: no memory left")
    assert second.startswith(f"the predictions in '{run.predictions_path(2)}' could not be drawn")


def test_other_workers_draw_nothing(tmp_path):
    with RunFolder(tmp_path / "run", writes=False) as folder:
        pictures = RunPictures(folder, PLAN, FakeView())
        pictures.add_first_batch(batch_of(50), 1, 0, is_new_run=True)
        assert not pictures.are_due(2)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_takes_the_place_of_another_removes_its_pictures(tmp_path):
    with RunFolder(tmp_path) as run:
        run.begin("")
        run.metrics.append({"kind": "step", "global_step": 1})
        RunPictures(run, PLAN, FakeView()).add_first_batch(batch_of(50), 1, 0, is_new_run=True)
        RunPictures(run, PLAN).add_predictions(2, lambda: np.zeros((8, 8, 3), np.uint8))
        own = run.path / "predictions" / "mine.jpg"
        own.write_bytes(b"")
    with RunFolder(tmp_path, overwrite=True) as run:
        run.begin("")
        assert not run.first_batch_path.exists()
        assert list((run.path / "predictions").iterdir()) == [own]

"""loss_<rank>.log: a line of each step, also of a run that was killed and went on."""

import pytest

from faster_rcnn.src.loss_log import LOSS_ORDER, LossLog, format_loss_line
from utils.model_utils.errors import UserError
from utils.training.record.records import StepRecord


def line(epoch, step):
    return format_loss_line(epoch, step, dict.fromkeys(LOSS_ORDER, 0.5)) + "\n"


def record(epoch, step):
    return StepRecord(
        epoch=epoch,
        epochs=2,
        step=step,
        steps_per_epoch=10,
        global_step=10 * (epoch - 1) + step,
        learning_rate=0.1,
        losses=dict.fromkeys(LOSS_ORDER, 0.5),
        grad_norm=1.0,
        loss_scale=1.0,
        is_finite=True,
        data_ms=0.0,
        step_ms=0.0,
        images_per_second=0.0,
        seconds_left=0.0,
    )


def test_a_run_that_is_killed_again_and_again_has_one_line_of_each_step(tmp_path):
    """Of 20 steps, killed three steps after each checkpoint: 12 times, as many as there are whole threes before 20."""
    path, done = tmp_path / "loss_0.log", None
    for saved in (*range(1, 20, 2), 20):
        log = LossLog(path, done and ((done - 1) // 10 + 1, (done - 1) % 10 + 1))
        for step in range(done or 0, min(saved + 3, 20)):
            log.step_lines(record(step // 10 + 1, step % 10 + 1))
        done = saved
    assert path.read_text() == "".join(line(epoch, step) for epoch in (1, 2) for step in range(1, 11))


def test_a_line_that_a_crash_cut_short_goes_and_lines_of_another_batch_size_stay(tmp_path):
    """Steps 9 and 10 of 20 are earlier than step 6 of 10."""
    path = tmp_path / "loss_0.log"
    kept = line(1, 9) + line(1, 10) + line(1, 6)
    path.write_text(kept + line(1, 7) + line(1, 8)[:30])
    LossLog(path, (1, 6)).step_lines(record(1, 7))
    assert path.read_text() == kept + line(1, 7)


def test_nothing_is_cut_before_the_first_step(tmp_path):
    """A run that is refused after all has lost nothing."""
    path = tmp_path / "loss_0.log"
    path.write_text(line(1, 9))
    LossLog(path, (1, 6))
    assert path.read_text() == line(1, 9)


def test_a_new_run_begins_the_file_anew(tmp_path):
    path = tmp_path / "loss_0.log"
    path.write_text(line(1, 9))
    log = LossLog(path)
    assert path.read_text() == line(1, 9)  # the run has not begun
    for step in (1, 2):
        log.step_lines(record(1, step))
    assert path.read_text() == line(1, 1) + line(1, 2)


def test_the_file_and_its_folder_are_made_with_the_first_line(tmp_path):
    """Also those of a run that goes on in another folder."""
    for name, done in (("new", None), ("old", (1, 3))):
        log = LossLog(tmp_path / name / "loss_0.log", done)
        assert not (tmp_path / name).exists()
        log.step_lines(record(1, 4))
        assert (tmp_path / name / "loss_0.log").read_text() == line(1, 4)


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "loss_0.log").mkdir()
    with pytest.raises(UserError, match=r"loss_0\.log' cannot be written .*then go on with --resume=auto"):
        LossLog(tmp_path / "loss_0.log").step_lines(record(1, 1))

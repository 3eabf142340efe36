import logging

import numpy as np
import pytest
from tiny_training import STEPS_PER_EPOCH, TinySource, final_state, tiny_step, tiny_trainer

from utils.model_utils.errors import BadStateError, BadValueError
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.record.metrics_log import read_metrics
from utils.training.step.precision import LossScaler


class DocumentedLines:
    def step_lines(self, record):
        return [
            f"epoch: {record.epoch} step: {record.step}, loss is {record.losses['loss']:.5f}",
            f"lr:[{record.learning_rate:.6f}]",
        ]

    def epoch_lines(self, record):
        return [f"epoch time: {record.seconds * 1000:.3f} ms, per step time: {record.step_ms + record.data_ms:.3f} ms"]


def file_names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_leaves_lines_rows_checkpoints_and_a_result(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    scores = {1: 0.7, 2: 0.9, 3: 0.8}
    trainer, run, _ = tiny_trainer(
        tmp_path,
        epochs=3,
        lines=DocumentedLines(),
        log_interval=2,
        config_text="epochs: 3",
        keep_last=2,
        evaluate=lambda epoch: {"AP": scores[epoch]},
        best_metric="AP",
    )
    with run:
        result = trainer.fit()
    assert (result.steps, result.best.epoch, result.last.metrics) == (12, 2, {"AP": 0.8})
    assert file_names(run.checkpoints_path) == ["tiny-2_4.ckpt", "tiny-3_4.ckpt", "tiny_best.ckpt"]
    best = load_checkpoint(result.best_checkpoint)
    assert (best.epoch, best.epoch_done, best.best["metrics"], best.config_text) == (2, True, {"AP": 0.9}, "epochs: 3")
    assert result.last_checkpoint.name == "tiny-3_4.ckpt"
    assert run.curves_path.is_file()
    rows = read_metrics(run.metrics.path)
    assert [row["step"] for row in rows if row["kind"] == "step"] == [2, 4] * 3
    assert len([row for row in rows if row["kind"] == "evaluation"]) == 3
    for text in (
        "epoch: 2 step: 4, loss is ",
        "lr:[0.010000]",
        "epoch time: ",
        "epoch 3/3 step 4/4 loss ",
        "evaluation epoch 3: AP 0.8000",
        "(best AP 0.9000 at epoch 2)",
        "trained 12 steps in",
        "peak memory",
    ):
        assert text in caplog.text


def test_evaluation_sees_the_averaged_weights_and_training_goes_on_with_the_others(tmp_path):
    step = tiny_step()[1]
    seen = {}

    def evaluate(epoch):
        assert not step.network.training
        seen.update({parameter.name: parameter.asnumpy().copy() for parameter in step.network.get_parameters()})
        return {"AP": 0.5}

    trainer, run, _ = tiny_trainer(tmp_path, epochs=1, step=step, evaluate=evaluate, best_metric="AP")
    with run:
        trainer.fit()
    state = final_state(step)
    for name, values in seen.items():
        np.testing.assert_array_equal(values, state[f"ema.{name}"])
    assert not np.array_equal(seen["conv.weight"], state["conv.weight"])


def test_evaluations_come_every_n_epochs_from_the_start_epoch_and_at_the_end(tmp_path):
    epochs = []
    trainer, run, _ = tiny_trainer(
        tmp_path,
        epochs=6,
        interval=2,
        start_epoch=3,
        save_every_epochs=4,
        evaluate=lambda epoch: {"AP": float(epochs.append(epoch) is None)},
    )
    with run:
        trainer.fit()
    assert epochs == [3, 5, 6]
    assert file_names(run.checkpoints_path) == ["tiny-4_4.ckpt", "tiny-6_4.ckpt"]


def test_a_metric_that_falls_below_half_of_its_best_is_said_once_with_the_remedy(tmp_path, caplog):
    """0.01 after 0.04 is chance at the beginning; 0.21 after 0.4 is more than half of it, 0.1 and 0.05 are not."""
    values = iter((0.04, 0.01, 0.4, 0.21, 0.1, 0.05))
    trainer, run, _ = tiny_trainer(tmp_path, epochs=6, evaluate=lambda epoch: {"AP": next(values)}, best_metric="AP")
    with run:
        trainer.fit()
    (said,) = [record.getMessage() for record in caplog.records if "less than half" in record.getMessage()]
    assert said.startswith("AP fell to 0.1000, less than half of the best, 0.4000 at epoch 3: ")
    assert "lower --lr" in said


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_parts(tmp_path):
    trainer, run, _ = tiny_trainer(tmp_path, source=TinySource(poisoned_step=2), scaler=LossScaler(8.0))
    with run, pytest.raises(BadStateError) as caught:
        trainer.fit()
    sentence = str(caught.value)
    assert "not finite at epoch 1 step 3 (global step 3): loss " in sentence
    assert "(class " in sentence
    assert " size " in sentence
    assert "learning rate 0.07" in sentence
    assert "lower the learning rate" in sentence
    rows = read_metrics(run.metrics.path)
    assert (rows[-1]["step"], rows[-1]["is_finite"]) == (3, False)


def test_under_dynamic_scale_a_bad_step_is_skipped_and_several_in_a_row_stop_the_run(tmp_path, caplog):
    trainer, run, step = tiny_trainer(tmp_path / "one", source=TinySource(poisoned_step=1), epochs=1, log_interval=100)
    with run:
        trainer.fit()
    assert "skipped: not finite at loss scale 8" in caplog.text
    assert step.loss_scaler.scale == 8.0  # halved once, doubled after two good steps
    assert all(np.isfinite(values).all() for values in final_state(step).values())

    class AllBad(TinySource):
        def batches(self, epoch, start_step):
            for images, labels, kept in super().batches(epoch, start_step):
                yield images * np.float32(np.inf), labels, kept

    trainer, run, _ = tiny_trainer(tmp_path / "all", source=AllBad(), max_bad_steps=3)
    with run, pytest.raises(BadStateError, match="not finite for 3 steps in a row at epoch 1 step 3"):
        trainer.fit()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epochs": 0, "learning_rates": []}, "epochs=0: wanted 1 or more, there is nothing to train"),
        (
            {"source": TinySource(0)},
            r"fewer images than one step takes \(4\), so an epoch has no step; lower batch_size",
        ),
        ({"log_interval": 0}, "log_interval=0: wanted 1 or more"),
        ({"save_every_epochs": 0}, "save_every_epochs=0: wanted 1 or more"),
        ({"interval": -1}, "eval_interval=-1: wanted 1 or more"),
    ],
)
def test_a_run_without_steps_or_with_odd_intervals_gets_a_sentence(options, sentence, tmp_path):
    with pytest.raises(BadValueError, match=sentence):
        tiny_trainer(tmp_path, **options)


def test_an_unknown_best_metric_is_named_with_the_known_ones(tmp_path):
    trainer, run, _ = tiny_trainer(tmp_path, evaluate=lambda epoch: {"AP": 1.0, "AP50": 1.0}, best_metric="mIoU")
    with run, pytest.raises(BadValueError, match="best_metric 'mIoU' is not among the metrics: AP, AP50"):
        trainer.fit()
    assert (run.checkpoints_path / "tiny-1_4.ckpt").is_file()


def test_a_metric_that_is_not_a_number_is_never_the_best(tmp_path):
    trainer, run, _ = tiny_trainer(tmp_path, evaluate=lambda epoch: {"AP": float("nan")}, best_metric="AP")
    with run:
        result = trainer.fit()
    assert (result.best, result.best_checkpoint) == (None, None)


def test_of_equal_evaluations_the_later_is_the_best(tmp_path):
    """It has learned for longer; where nothing is found yet, all are 0."""
    trainer, run, _ = tiny_trainer(tmp_path, evaluate=lambda epoch: {"AP": 0.0}, best_metric="AP")
    with run:
        result = trainer.fit()
    assert result.best.epoch == 2
    assert load_checkpoint(result.best_checkpoint).epoch == 2


def test_a_resumed_run_without_a_best_metric_says_what_it_finds(tmp_path, caplog):
    """The checkpoint that it goes on from was chosen by a metric that is not defined any more."""
    caplog.set_level("INFO")
    trainer, run, _ = tiny_trainer(tmp_path, epochs=1, evaluate=lambda epoch: {"AP": 0.5}, best_metric="AP")
    with run:
        trainer.fit()
    trainer, run, _ = tiny_trainer(tmp_path, epochs=2, evaluate=lambda epoch: {"AP": -1.0})
    with run:
        result = trainer.fit()
    assert (result.best.metrics, result.last.metrics) == ({"AP": 0.5}, {"AP": -1.0})
    assert "evaluation epoch 2: AP -1.0000 in" in caplog.text


def test_a_source_that_ends_early_is_a_fault_of_ours(tmp_path):
    class Short(TinySource):
        def batches(self, epoch, start_step):
            yield next(super().batches(epoch, start_step))

    trainer, run, _ = tiny_trainer(tmp_path, source=Short())
    with run, pytest.raises(RuntimeError, match=f"the source ended at step 1 of {STEPS_PER_EPOCH} in epoch 1"):
        trainer.fit()


def test_too_few_learning_rates_are_a_fault_of_ours(tmp_path):
    with pytest.raises(ValueError, match="3 learning rates for 2 epochs of 4 steps"):
        tiny_trainer(tmp_path, learning_rates=np.zeros(3))

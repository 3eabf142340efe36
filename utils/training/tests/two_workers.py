"""What two workers do in the one job of test_several_workers.py, and what a single worker is compared with.

As a script that msrun starts twice: `two_workers.py FOLDER`; each worker leaves `worker_<rank>.npz` there.
"""

import os
import signal
import sys
import time
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from tiny_training import NUM_CLASSES, SEED, TinyNetwork

from utils.model_utils.command import Terminated
from utils.model_utils.device_adapter import set_up_device
from utils.model_utils.errors import BadStateError
from utils.model_utils.local_adapter import is_scheduler
from utils.model_utils.workers import ALONE, Workers
from utils.sharding import ShardedEpochs
from utils.training.agreement import check_equal, share_parameters
from utils.training.beginning import Beginning, find_continued
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.ends.time_limit import NO_LIMIT, TimeLimit
from utils.training.evaluations import NO_EVALUATION, EvaluationPlan
from utils.training.loop import Trainer
from utils.training.plan import RunIdentity, RunOutput, TrainingPlan
from utils.training.record.logging_setup import set_up_logging
from utils.training.record.run_folder import RunFolder
from utils.training.step.optimizer import build_optimizer
from utils.training.step.precision import LossScaler
from utils.training.step.reductions import sum_over_workers
from utils.training.step.train_step import TrainStep

STEPS = 5
IMAGES = 8  # of a step of all workers
EPOCHS, NUM_IMAGES = 2, 30
STOP_AFTER = 6
PLAIN = {"optimizer_name": "sgd"}
ACCUMULATED = {"optimizer_name": "adamw", "accumulate_steps": 2, "gradient_fusion_mb": 0.0}
TRAINED_NORM = {"optimizer_name": "sgd", "has_frozen_norm": False, "gradient_fusion_mb": 0.0001}


class SharedLoss(nn.Cell):
    """Mean over the labelled images of all workers; a label of -1 is none."""

    loss_names = ("loss", "class", "size")

    def __init__(self, network, workers):
        super().__init__(auto_prefix=False)
        self.network, self.total = network, sum_over_workers(workers)

    def construct(self, images, labels):
        logits = self.network(images)
        is_labelled = (labels >= 0).astype(ms.float32)
        count = self.total(is_labelled.sum())
        each = -(ops.log_softmax(logits) * ops.one_hot(labels, NUM_CLASSES, 1.0, 0.0)).sum(1)
        class_loss = each.sum() / count
        size_loss = (ops.square(logits).mean(1) * is_labelled).sum() / count
        return class_loss + size_loss, class_loss, size_loss


def make_step(workers, *, optimizer_name, has_frozen_norm=True, **options):
    network = TinyNetwork()
    if has_frozen_norm:
        network.norm.use_batch_statistics = False
    optimizer = build_optimizer(optimizer_name, network.get_parameters(), weight_decay=0.01)
    step = TrainStep(
        SharedLoss(network, workers),
        optimizer,
        loss_scaler=LossScaler(8.0, dynamic=True),
        clip_norm=0.4,
        ema_decay=0.9,
        workers=workers,
        **options,
    )
    step.optimizer.set_learning_rate(0.1)
    return step


def parameters_of(step):
    return step.parameters()


def state_of(step):
    return {parameter.name: parameter.asnumpy().copy() for parameter in parameters_of(step)}


def all_images(count=NUM_IMAGES):
    draws = np.random.default_rng(5)
    labels = draws.integers(0, NUM_CLASSES, count).astype(np.int32)
    return (draws.normal(size=(count, 1, 8, 8)) + labels[:, None, None, None]).astype(np.float32), labels


class SharedSource:
    """Thirty images: the fourth step of an epoch has six."""

    def __init__(self, workers, stop_after=0):
        self.epochs = ShardedEpochs(NUM_IMAGES, IMAGES // workers.count, SEED, workers=workers, drop_remainder=False)
        self.steps_per_epoch, self.images_per_step = self.epochs.steps_per_epoch, self.epochs.images_per_step
        self.images, self.labels = all_images()
        self.stop_after = stop_after

    def batches(self, epoch, start_step):
        positions, fillers = self.epochs.own_items(epoch, start_step)
        for number, (chosen, is_filler) in enumerate(zip(positions, fillers, strict=True), start_step + 1):
            if (epoch - 1) * self.steps_per_epoch + number == self.stop_after:
                os.kill(os.getpid(), signal.SIGTERM)
            yield self.images[chosen], np.where(is_filler, -1, self.labels[chosen]).astype(np.int32)


def five_steps(step, workers=ALONE):
    """Makes five steps on this worker's part of eight images each; returns the outputs."""
    outputs = []
    for number in range(STEPS):
        images, labels = all_images(IMAGES * STEPS)
        parts = []
        for values in (images, labels):
            of_step = values[number * IMAGES : (number + 1) * IMAGES]
            shape = (step.accumulate_steps, workers.count, -1, *values.shape[1:])
            parts.append(of_step.reshape(shape)[:, workers.rank].reshape(-1, *values.shape[1:]))
        outputs.append(step(*parts))
    return outputs


def trainer_of(folder, step, source, evaluation=NO_EVALUATION, on_saved=None, time_limit=NO_LIMIT):
    run = RunFolder(folder, resume=True, writes=step.workers.is_main)
    checkpoints = CheckpointFolder(run.checkpoints_path, pattern="tiny-{epoch}_{step}.ckpt", best_name="best.ckpt")
    rates = np.linspace(0.1, 0.01, EPOCHS * source.steps_per_epoch)
    return Trainer(
        step,
        source,
        plan=TrainingPlan(EPOCHS, rates, log_interval=1, time_limit=time_limit),
        output=RunOutput(run, checkpoints, on_saved=on_saved),
        identity=RunIdentity(seed=SEED),
        evaluation=evaluation,
        beginning=Beginning(find_continued("auto", checkpoints, "", step.workers)),
    )


class LateAfterAnEpoch:
    """A limit that is reached when it is looked at after the four steps of an epoch."""

    hours = 1.0

    def __init__(self):
        self.looks = 0

    def is_reached(self, next_seconds=0.0):
        self.looks += 1
        return self.looks > 4


class Job:
    """One worker's part in the job; `found` is what it leaves."""

    def __init__(self, workers, folder):
        self.workers, self.folder, self.found = workers, folder, {}

    def run(self):
        self.talk()
        step = make_step(self.workers, **PLAIN)
        beginning = state_of(step)
        self.keep("plain", step, five_steps(step, self.workers))
        accumulating = make_step(self.workers, **ACCUMULATED)
        self.keep("accumulated", accumulating, five_steps(accumulating, self.workers))
        self.overflow("accumulated", accumulating)
        trained = make_step(self.workers, **TRAINED_NORM)
        images, labels = (values[:IMAGES][self.workers.rank * 4 :][:4] for values in all_images(IMAGES * STEPS))
        trained(images, labels)
        self.found["first_mean"] = state_of(trained)["norm.moving_mean"]
        self.keep("trained", trained)
        self.overflow("trained", trained)
        self.differ(trained)
        for parameter in parameters_of(step):
            parameter.set_data(ms.Tensor(beginning[parameter.name]))
        step.loss_scaler = LossScaler(8.0, dynamic=True)
        self.run_out_of_time(step)
        for parameter in parameters_of(step):
            parameter.set_data(ms.Tensor(beginning[parameter.name]))
        step.loss_scaler = LossScaler(8.0, dynamic=True)
        self.train(step)
        np.savez(self.folder / f"worker_{self.workers.rank}.npz", **self.found)

    def talk(self):
        rank = self.workers.rank
        self.found["gathered"] = str(self.workers.gather({"rank": rank, "text": "x" * 7 * rank}))
        told = self.workers.broadcast({"from": 0, "bits": np.float32([np.nan, 1e-45])} if rank == 0 else None)
        self.found |= told
        self.workers.wait()

    def keep(self, name, step, outputs=()):
        self.found |= {f"{name}/{key}": value for key, value in state_of(step).items()}
        self.found[f"{name}.losses"] = [list(output.losses.values()) for output in outputs]
        self.found[f"{name}.norms"] = [output.grad_norm for output in outputs]

    def overflow(self, name, step):
        """Makes a step that is not finite on worker 1 alone, in its first micro batch."""
        before = state_of(step)
        images, labels = all_images(4)
        images[0] = np.inf if self.workers.rank == 1 else 0
        output = step(images, labels, wants_stop=self.workers.rank == 0)
        changed = [key for key, value in state_of(step).items() if not np.array_equal(value, before[key])]
        self.found[f"{name}.overflow"] = [output.is_finite, len(changed), step.loss_scaler.scale, output.wants_stop]

    def differ(self, step):
        """Lets worker 1 begin with another weight."""
        if self.workers.rank == 1:
            weight = step.parameters()[0]
            weight.set_data(ms.Tensor(weight.asnumpy() + np.float32(1e-7)))
        try:
            check_equal(self.workers, parameters_of(step))
        except BadStateError as error:
            self.found["refusal"] = str(error)
        share_parameters(self.workers, parameters_of(step))
        self.found["agreed"] = check_equal(self.workers, parameters_of(step))

    def run_out_of_time(self, step):
        """Trains until worker 1's clock alone is over its limit, at once; then worker 0's, after an epoch's steps."""
        far = TimeLimit(1000.0, time.time())
        for name, late_rank, late in (("step", 1, TimeLimit(0.0, time.time())), ("evaluation", 0, LateAfterAnEpoch())):
            limit = late if self.workers.rank == late_rank else far
            evaluation = EvaluationPlan(lambda epoch: {"AP": 0.5})
            folder, source = self.folder / f"timed_{name}", SharedSource(self.workers)
            result = trainer_of(folder, step, source, evaluation, time_limit=limit).fit()
            self.found[f"{name}_timed"] = [result.has_ended, result.steps, result.last is not None]

    def train(self, step):
        """Trains until worker 1 has a signal before its sixth step."""
        source = SharedSource(self.workers, stop_after=STOP_AFTER if self.workers.rank == 1 else 0)
        saved = []
        trainer = trainer_of(
            self.folder / "run",
            step,
            source,
            EvaluationPlan(lambda epoch: {"AP": epoch + self.workers.rank}, best_metric="AP"),
            on_saved=lambda path: saved.append(path.name),
        )
        try:
            trainer.fit()
        except Terminated:
            self.found["stopped"] = True
        self.found["saved"] = saved
        self.found["best"] = trainer._evaluations.best.metrics["AP"]
        self.keep("interrupted", step)


def main(folder):
    if is_scheduler():
        from mindspore.communication import init

        init()
        return
    set_up_logging()
    info = set_up_device("CPU", is_distributed=True)
    assert isinstance(info.workers, Workers)
    Job(info.workers, folder).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

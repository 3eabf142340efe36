"""A tiny run for tests: conv + BN + dense on 8x8 images that the source augments, with a sampled input for the graph.

As a script, with the repository on PYTHONPATH: `python tiny_training.py FOLDER OPTIMIZER RESULT.npz EPOCHS` trains
epochs of one step, each with a checkpoint, and resume=auto, under run_command.
"""

import sys
from dataclasses import fields
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from utils.model_utils.command import run_command
from utils.randomness import epoch_order, generator
from utils.training.beginning import Beginning, find_continued
from utils.training.checkpoints.checkpoint import load_checkpoint
from utils.training.checkpoints.folder import CheckpointFolder
from utils.training.evaluations import EvaluationPlan
from utils.training.loop import Trainer
from utils.training.plan import RunIdentity, RunOutput, TrainingPlan
from utils.training.record.logging_setup import set_up_logging
from utils.training.record.run_folder import RunFolder
from utils.training.step.optimizer import build_optimizer
from utils.training.step.precision import LossScaler
from utils.training.step.train_step import TrainStep

SEED = 7
BATCH = 4
STEPS_PER_EPOCH = 4
NUM_CLASSES = 3
AUGMENTATION, SAMPLING = 0, 1  # streams of draws


class TinyNetwork(nn.Cell):
    def __init__(self, num_classes=NUM_CLASSES):
        super().__init__()
        generator_of_weights = np.random.default_rng(0)

        def weights(*shape):
            return ms.Tensor(generator_of_weights.normal(scale=0.3, size=shape).astype(np.float32))

        self.conv = nn.Conv2d(1, 4, 3, weight_init=weights(4, 1, 3, 3))
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Dense(4, num_classes, weight_init=weights(num_classes, 4), bias_init="zeros")

    def construct(self, images):
        return self.head(ops.relu(self.norm(self.conv(images))).mean((2, 3)))


class TinyLoss(nn.Cell):
    loss_names = ("loss", "class", "size")

    def __init__(self, network):
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images, labels, kept):
        """`kept`: float32[N], the sampled images' weights."""
        logits = self.network(images)
        # Not ops.cross_entropy: MindSpore's CPU kernels of ops.log and ops.pow tune their thread count over their first
        # 15 calls and differ by one ulp with it, so a resumed run would log other last digits of the loss.
        each = -(ops.log_softmax(logits) * ops.one_hot(labels, logits.shape[1], 1.0, 0.0)).sum(1)
        class_loss = (each * kept).sum() / kept.sum()
        size_loss = ops.square(logits).mean() * 0.01
        return class_loss + size_loss, class_loss, size_loss


class TinySource:
    """16 fixed images, flipped and shifted in brightness by draws of (seed, epoch, image).

    With a `saver` there is a checkpoint after each step, as a signal after it would leave one.
    """

    saver = None

    images_per_step = BATCH

    def __init__(self, steps_per_epoch=STEPS_PER_EPOCH, poisoned_step=None):
        self.steps_per_epoch = steps_per_epoch
        count = max(steps_per_epoch, 1) * BATCH
        draws = np.random.default_rng(1)
        self.labels = draws.integers(0, NUM_CLASSES, count).astype(np.int32)
        self.images = (draws.normal(size=(count, 1, 8, 8)) + self.labels[:, None, None, None]).astype(np.float32)
        self.poisoned_step = poisoned_step

    def batches(self, epoch, start_step):
        order = epoch_order(SEED, epoch, len(self.images))
        for step in range(start_step, self.steps_per_epoch):
            if self.saver is not None and step > start_step:
                self.saver.save()
            indices = order[step * BATCH : (step + 1) * BATCH]
            images = np.stack([self.augmented(epoch, index) for index in indices])
            if step == self.poisoned_step:
                images[0] = np.inf
            kept = generator(SEED, epoch, step, SAMPLING).integers(0, 2, BATCH).astype(np.float32)
            kept[0] = 1
            yield images, self.labels[indices], kept

    def augmented(self, epoch, index):
        draws = generator(SEED, epoch, int(index), AUGMENTATION)
        image = self.images[index] + draws.normal(scale=0.1)
        return (image[..., ::-1] if draws.random() < 0.5 else image).astype(np.float32)


def tiny_step(optimizer_name="sgd", *, scaler=None, ema_decay=0.9, num_classes=NUM_CLASSES):
    network = TinyNetwork(num_classes)
    optimizer = build_optimizer(optimizer_name, network.get_parameters(), weight_decay=0.01)
    return network, TrainStep(
        TinyLoss(network),
        optimizer,
        loss_scaler=scaler or LossScaler(8.0, dynamic=True, growth_interval=2),
        clip_norm=1.0,
        ema_decay=ema_decay,
    )


def options_of(kind, options):
    """Takes the fields of a dataclass out of options."""
    return {item.name: options.pop(item.name) for item in fields(kind) if item.name in options}


def tiny_trainer(
    folder,
    *,
    optimizer="sgd",
    source=None,
    scaler=None,
    resume="auto",
    earlier=None,
    step=None,
    saves_each_step=False,
    **options,
):
    """Returns a trainer, its run folder and its step; the options are fields of what a trainer takes."""
    ms.set_context(mode=ms.GRAPH_MODE)
    run = RunFolder(folder, resume=bool(resume), loggers=options.pop("loggers", ()))
    checkpoints = CheckpointFolder(
        run.checkpoints_path,
        pattern=options.pop("pattern", "tiny-{epoch}_{step}.ckpt"),
        best_name="tiny_best.ckpt",
        keep_last=options.pop("keep_last", 3),
    )
    source = source or TinySource()
    step = step or tiny_step(optimizer, scaler=scaler)[1]
    options = {"epochs": 2, "log_interval": 1, "suite": "tiny", "seed": SEED, **options}
    rates = np.linspace(0.1, 0.01, options["epochs"] * source.steps_per_epoch)
    beginning = Beginning(
        continued=find_continued(resume, checkpoints, options["suite"]),
        pretrained=earlier and load_checkpoint(earlier),
        takes_optimizer=earlier is not None,
        **options_of(Beginning, options),
    )
    trainer = Trainer(
        step,
        source,
        plan=TrainingPlan(**{"learning_rates": rates, **options_of(TrainingPlan, options)}),
        output=RunOutput(run, checkpoints, **options_of(RunOutput, options)),
        identity=RunIdentity(**options_of(RunIdentity, options)),
        evaluation=EvaluationPlan(**options_of(EvaluationPlan, options)),
        beginning=beginning,
    )
    assert not options
    if saves_each_step:
        source.saver = trainer._saver
    return trainer, run, step


def final_state(step):
    state = {parameter.name: parameter.asnumpy().copy() for parameter in step.parameters()}
    scaler = step.loss_scaler
    return {**state, "loss_scale": np.float64(scaler.scale), "good_steps": np.int64(scaler.good_steps)}


def main():
    set_up_logging()
    folder, optimizer = Path(sys.argv[1]), sys.argv[2]
    trainer, _, step = tiny_trainer(folder, optimizer=optimizer, source=TinySource(1), epochs=int(sys.argv[4]))
    trainer.fit()
    np.savez(sys.argv[3], **final_state(step))


if __name__ == "__main__":
    run_command(main, "tiny_training.py")

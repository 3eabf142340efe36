"""The training command."""

from utils.training.assembly import identify_run, keep_checkpoints, log_plan, plan_training
from utils.training.beginning import find_beginning
from utils.training.loop import Trainer
from utils.training.record.records import TrainResult
from utils.training.run import open_run

from . import build
from .config import HalvesConfig
from .dataset import CLASS_NAMES


def train(config: HalvesConfig) -> TrainResult:
    """Trains as configured."""
    names = ("halves-{epoch}_{step}.ckpt", "halves_best.ckpt")
    with open_run(config, names=names) as run:
        checkpoints = keep_checkpoints(config, run, *names)
        source = build.build_training_source(config, run.workers)
        log_plan(config, config.num_images, CLASS_NAMES, source.images_per_step)
        trainer = Trainer(
            build.build_train_step(config, build.build_network(config), run.workers),
            source,
            plan=plan_training(config, build.build_schedule(config, source)),
            output=run.output(checkpoints),
            identity=identify_run(config, build.SUITE, CLASS_NAMES),
            beginning=find_beginning(config, checkpoints, build.SUITE, run.workers),
        )
        return trainer.fit()

"""From the configuration to objects; the only file of src that sees its keys."""

import numpy as np

from utils.model_utils.workers import Workers
from utils.sharding import shard_epochs
from utils.training.assembly import build_step, effective_lr
from utils.training.schedules import cosine_schedule
from utils.training.step.train_step import TrainStep

from .config import HalvesConfig
from .dataset import COLUMNS, HalvesSource
from .network import SIDE, HalvesLoss, HalvesNetwork

SUITE = "halves"


def build_network(config: HalvesConfig) -> HalvesNetwork:
    """Builds the network."""
    return HalvesNetwork(config.channels)


def build_training_source(config: HalvesConfig, workers: Workers) -> HalvesSource:
    """Builds what yields the batches."""
    return HalvesSource(shard_epochs(config, config.num_images, workers), SIDE)


def build_train_step(config: HalvesConfig, network: HalvesNetwork, workers: Workers) -> TrainStep:
    """Puts loss, optimizer and update around the network."""
    return build_step(config, HalvesLoss(network, workers.count), COLUMNS, workers)


def build_schedule(config: HalvesConfig, source: HalvesSource) -> np.ndarray:
    """Returns the learning rate of each step."""
    return cosine_schedule(effective_lr(config, source.images_per_step), config.epoch_size * source.steps_per_epoch)

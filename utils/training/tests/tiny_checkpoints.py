"""Checkpoints of the tiny network."""

from tiny_training import TinyNetwork

from utils.training.checkpoints.checkpoint import TrainingState, save_checkpoint


def weights_of(network):
    return {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}


def state(network=None, **options):
    """State of a network whose averaged weights are the weights plus 1."""
    weights = weights_of(network or TinyNetwork())
    averages = {f"ema.{name}": array + 1 for name, array in weights.items()}
    moments = {f"optimizer.momentum.{name}": array * 2 for name, array in weights.items()}
    return TrainingState(arrays={**weights, **moments, **averages}, suite="tiny", **options)


def saved(path, *names, network=None):
    """A checkpoint of `state`, of the arrays only whose names begin with one of `names`."""
    whole = state(network)
    whole.arrays = {key: array for key, array in whole.arrays.items() if not names or key.startswith(names)}
    save_checkpoint(path, whole)
    return path

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops

from utils.training.step.optimizer import build_optimizer
from utils.training.step.precision import LossScaler, apply_amp
from utils.training.step.train_step import TrainStep


class Linear(nn.Cell):
    """One weight vector w; the loss is mean(x . w), whose gradient is the mean of x."""

    loss_names = ("loss", "half")

    def __init__(self, weights: list[float]) -> None:
        super().__init__(auto_prefix=False)
        self.weight = ms.Parameter(ms.Tensor(weights, ms.float32), name="weight")

    def construct(self, inputs: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        loss = (inputs * self.weight).sum(-1).mean()
        return loss, loss * 0.5


class Conv(nn.Cell):
    """Convolution and batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def construct(self, images: ms.Tensor) -> ms.Tensor:
        return self.norm(self.conv(images))


class WithNorm(nn.Cell):
    """An infinite input makes the gradients and the moving statistics of this loss infinite."""

    loss_names = ("loss",)

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.network = Conv()

    def construct(self, images: ms.Tensor) -> tuple[ms.Tensor]:
        return (ops.square(self.network(images)).mean(),)


def linear_step(weights=(1.0, 1.0), learning_rate=1.0, **options):
    network = Linear(list(weights))
    optimizer = build_optimizer("sgd", network.get_parameters(), momentum=0.0, no_decay_norm_bias=False)
    step = TrainStep(network, optimizer, **options)
    step.optimizer.set_learning_rate(learning_rate)
    return network, step


def batch(*rows):
    return np.array(rows, np.float32)


def test_a_step_moves_the_weight_by_rate_times_gradient_and_names_its_losses():
    """Gradient (3, 4), rate 0.5: (1, 1) goes to (-0.5, -1); loss 3 + 4 before the step; norm 5."""
    network, step = linear_step(learning_rate=0.5)
    output = step(batch([3, 4]))
    np.testing.assert_array_equal(network.weight.asnumpy(), [-0.5, -1.0])
    assert output.losses == {"loss": 7.0, "half": 3.5}
    assert output.is_finite
    assert output.grad_norm == pytest.approx(5.0)
    assert output.loss_scale == 1.0


def test_the_learning_rate_changes_without_another_compilation():
    network, step = linear_step(learning_rate=0.5)
    for rate in (0.5, 0.25, 0.125):
        step.optimizer.set_learning_rate(rate)
        step(batch([1, 1]))
    np.testing.assert_array_equal(network.weight.asnumpy(), [0.125, 0.125])


def test_clipping_scales_the_gradient_to_the_norm():
    """Gradient (3, 4) has norm 5; clipped to 1 it is (0.6, 0.8), so (1, 1) goes to (0.4, 0.2)."""
    network, step = linear_step(clip_norm=1.0)
    assert step(batch([3, 4])).grad_norm == pytest.approx(5.0)
    np.testing.assert_allclose(network.weight.asnumpy(), [0.4, 0.2], rtol=1e-5)


def test_a_gradient_below_the_norm_is_not_clipped():
    network, step = linear_step(clip_norm=6.0)
    step(batch([3, 4]))
    np.testing.assert_array_equal(network.weight.asnumpy(), [-2.0, -3.0])


def test_the_average_is_worked_by_hand():
    """w: 1, 0, -1 for both; average with decay 0.5: 1, 0.5, -0.25."""
    network, step = linear_step(ema_decay=0.5)
    step(batch([1, 1]))
    step(batch([1, 1]))
    with step.averaged_weights():
        np.testing.assert_array_equal(network.weight.asnumpy(), [-0.25, -0.25])
        assert network(ms.Tensor(batch([1, 1])))[0].asnumpy() == -0.5
    np.testing.assert_array_equal(network.weight.asnumpy(), [-1.0, -1.0])
    assert step(batch([1, 1])).losses["loss"] == -2.0


def test_two_micro_batches_of_two_equal_one_batch_of_four():
    rows = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    results = []
    for count in (1, 2):
        network, step = linear_step(accumulate_steps=count, clip_norm=0.5, ema_decay=0.9)
        outputs = [step(rows), step(rows * 2)]
        results.append((network.weight.asnumpy(), outputs[1].losses["loss"], outputs[1].grad_norm))
    for whole, accumulated in zip(*results, strict=True):
        np.testing.assert_allclose(accumulated, whole, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_a_step_that_is_not_finite_changes_nothing(name, count):
    network = WithNorm()
    optimizer = build_optimizer(name, network.get_parameters(), weight_decay=0.1)
    step = TrainStep(
        network, optimizer, loss_scaler=LossScaler(8.0, dynamic=True), ema_decay=0.9, accumulate_steps=count
    )
    step.optimizer.set_learning_rate(0.1)
    images = np.random.default_rng(0).normal(size=(4, 1, 6, 6)).astype(np.float32)
    assert step(images).is_finite
    parameters = step.parameters()
    before = {parameter.name: parameter.asnumpy().copy() for parameter in parameters}
    images[3, 0, 2, 2] = np.inf
    output = step(images)
    assert not output.is_finite
    assert output.loss_scale == 8.0
    assert step.loss_scaler.scale == 4.0
    for parameter in parameters:
        np.testing.assert_array_equal(parameter.asnumpy(), before[parameter.name], err_msg=parameter.name)
    images[3, 0, 2, 2] = 0
    assert step(images).is_finite
    assert all(np.isfinite(parameter.asnumpy()).all() for parameter in parameters)
    assert not np.array_equal(network.network.conv.weight.asnumpy(), before["conv.weight"])


def test_the_loss_scale_does_not_change_the_step():
    results = []
    for scale in (1.0, 1024.0):
        network, step = linear_step(loss_scaler=LossScaler(scale))
        output = step(batch([3, 4]))
        results.append((network.weight.asnumpy().tolist(), output.losses["loss"], output.grad_norm))
    assert results[0] == results[1]


def test_the_dynamic_scale_doubles_halves_and_stays_above_one():
    scaler = LossScaler(4.0, dynamic=True, growth_interval=2)
    scales = []
    for is_finite in (True, True, True, False, False, False, False, False, True, True):
        scaler.update(is_finite)
        scales.append(scaler.scale)
    assert scales == [4, 8, 8, 4, 2, 1, 1, 1, 1, 2]


def test_a_static_scale_stays():
    scaler = LossScaler(16.0)
    scaler.update(False)
    assert scaler.scale == 16.0


def test_a_batch_that_cannot_be_cut_is_refused():
    _, step = linear_step(accumulate_steps=2)
    with pytest.raises(ValueError, match=r"shape \(3, 2\) cannot be cut into accumulate_steps=2 equal parts"):
        step(np.zeros((3, 2), np.float32))


class Weighted(Linear):
    """The loss of `Linear` with a weight for each row."""

    def construct(self, inputs: ms.Tensor, weights: ms.Tensor, offset: ms.Tensor | None = None):
        loss = ((inputs * self.weight).sum(-1) * weights).mean()
        return loss, loss * 0.5


def weighted_step(columns):
    network = Weighted([1.0, 1.0])
    return TrainStep(network, build_optimizer("sgd", network.get_parameters(), momentum=0.0), columns=columns)


@pytest.mark.parametrize("columns", [("inputs", "weights"), ("weights", "inputs")])
def test_each_column_of_a_batch_goes_to_the_argument_of_its_name(columns):
    arrays = {"inputs": batch([3, 4], [1, 1]), "weights": np.float32([1, 0])}
    output = weighted_step(columns)(*(arrays[name] for name in columns))
    assert output.losses["loss"] == 3.5  # (7 * 1 + 2 * 0) / 2


@pytest.mark.parametrize("columns", [("inputs",), ("inputs", "weight"), ("inputs", "weights", "labels")])
def test_columns_that_are_no_arguments_are_named_with_those_that_are(columns):
    with pytest.raises(
        ValueError, match=f"a batch has {', '.join(columns)} and Weighted takes inputs, weights, offset"
    ):
        weighted_step(columns)


@pytest.mark.parametrize("options", [{"clip_norm": -1.0}, {"accumulate_steps": 0}, {"ema_decay": 1.0}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"wanted clip_norm >= 0, accumulate_steps >= 1 and 0 <= ema_decay < 1"):
        linear_step(**options)


@pytest.mark.parametrize("level", ["O0", "O2", "O3"])
def test_every_precision_keeps_float32_weights_and_gives_float32(level):
    network = apply_amp(Conv(), level)
    network.set_train(True)
    output = network(ms.Tensor(np.ones((1, 1, 4, 4), np.float32)))
    assert output.dtype == ms.float32
    assert all(parameter.dtype == ms.float32 for parameter in network.get_parameters())
    assert next(iter(network.get_parameters())).name == "conv.weight"


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="amp_level 'O9' is unknown; use one of O0, O2, O3, bf16"):
        apply_amp(Conv(), "O9")

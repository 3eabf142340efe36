import contextlib

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from utils.cpu_kernels.choice import chosen_library, stock_operators
from utils.training.step.optimizer import BETAS, EPSILON, bias_corrections, build_optimizer

SHAPES = {"backbone.conv.weight": (4, 3, 3, 3), "backbone.norm.gamma": (4,), "head.weight": (5, 4), "head.bias": (5,)}
RATES = (0.01, 0.005, 0.02, 0.001, 0.01)
DECAY = 0.03


def make_parameters(seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


class Apply(nn.Cell):
    def __init__(self, optimizer):
        super().__init__(auto_prefix=False)
        self.optimizer = optimizer

    def construct(self, factor, is_finite, *gradients):
        return self.optimizer(gradients, factor, is_finite)


def run_ours(name, steps, **options):
    parameters = [ms.Parameter(ms.Tensor(values), name=key) for key, values in make_parameters().items()]
    optimizer = build_optimizer(name, parameters, weight_decay=DECAY, lr_scales={"head": 10.0}, **options)
    apply = Apply(optimizer)
    for step in range(steps):
        optimizer.set_learning_rate(RATES[step])
        gradients = [ms.Tensor(values) for values in make_parameters(step + 1).values()]
        apply(ms.Tensor(1.0, ms.float32), ms.Tensor(True), *gradients)
    return {parameter.name: parameter.asnumpy() for parameter in parameters}


def run_torch(name, steps, **options):
    torch = pytest.importorskip("torch")
    tensors = {key: torch.tensor(values, requires_grad=True) for key, values in make_parameters().items()}
    groups = [
        {"params": [tensor], "weight_decay": 0.0 if tensor.ndim == 1 else DECAY, "lr": 1.0}
        for tensor in tensors.values()
    ]
    optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[name](groups, **options)
    for step in range(steps):
        for (key, tensor), group in zip(tensors.items(), optimizer.param_groups, strict=True):
            group["lr"] = RATES[step] * (10 if key.startswith("head") else 1)
            tensor.grad = torch.tensor(make_parameters(step + 1)[key])
        optimizer.step()
    return {key: tensor.detach().numpy() for key, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("sgd", {"momentum": 0.9}, {"momentum": 0.9}),
        ("sgd", {"momentum": 0.0}, {}),
        ("adamw", {}, {"betas": (0.9, 0.999), "eps": 1e-8}),
    ],
)
def test_five_steps_with_groups_equal_torch(name, ours, theirs):
    expected = run_torch(name, 5, **theirs)
    for key, values in run_ours(name, 5, **ours).items():
        np.testing.assert_allclose(values, expected[key], rtol=1e-6, atol=1e-6, err_msg=key)


def adamw_update(moments, gradient, number, betas=BETAS):
    """Returns the moments after update `number`, and by what it changes a weight at rate 1, in float64."""
    moments = [
        beta * moment + (1 - beta) * gradient**power for beta, moment, power in zip(betas, moments, (1, 2), strict=True)
    ]
    first, second = (moment / (1 - beta**number) for beta, moment in zip(betas, moments, strict=True))
    return moments, -first / (np.sqrt(second) + EPSILON)


@pytest.fixture(params=[contextlib.nullcontext, stock_operators])
def adamw_updates(request):
    """Returns a function from float64[64] gradients to what the next update changes weights by, and the optimizer."""
    with request.param():
        weight = ms.Parameter(ms.Tensor(np.zeros(64, np.float32)), name="weight")
        optimizer = build_optimizer("adamw", [weight])
    apply = Apply(optimizer)
    optimizer.set_learning_rate(1.0)

    def update(gradient):
        weight.set_data(ms.Tensor(np.zeros(64, np.float32)))  # nothing to round the update to
        apply(ms.Tensor(1.0, ms.float32), ms.Tensor(True), ms.Tensor(np.float32(gradient)))
        return weight.asnumpy()

    return update, optimizer


def test_updates_of_adamw_equal_those_in_float64(adamw_updates):
    """Algorithm 1 of Kingma and Ba; each update by itself, since 1e-6 of a weight would hide 1e-5 of an update."""
    update, _ = adamw_updates
    draws, moments = np.random.default_rng(4), (0.0, 0.0)
    for number in range(1, 11):
        gradient = draws.uniform(0.5, 2, 64)
        moments, expected = adamw_update(moments, gradient, number)
        np.testing.assert_allclose(update(gradient), expected, rtol=1e-6, err_msg=str(number))


@pytest.mark.parametrize("number", [2, 3, 1000, 16700, 30000])
def test_a_resumed_run_has_the_corrections_of_its_updates(adamw_updates, number):
    """The betas are those that float32 holds: so are those of the run that the state is from."""
    update, optimizer = adamw_updates
    draws = np.random.default_rng(number)
    moments = draws.uniform(0.5, 2, (2, 64)).astype(np.float32)
    for item, values in zip(optimizer.state_parameters(), (*moments, np.float32(number - 1)), strict=True):
        item.set_data(ms.Tensor(values))
    gradient = draws.uniform(0.5, 2, 64)
    betas = [np.float64(np.float32(beta)) for beta in BETAS]
    _, expected = adamw_update(moments.astype(np.float64), gradient, number, betas)
    np.testing.assert_allclose(update(gradient), expected, rtol=5e-7)


def test_bias_corrections_are_rounded_once():
    """float32(0.999) is 0.999000013, so sqrt(1 - beta2^2) = sqrt(0.001998974) = 0.0447099."""
    corrections = bias_corrections(BETAS)
    assert corrections.dtype == np.float32
    exact = [1 - np.float64(np.float32(beta)) ** np.array([1, 2, 3, 10, 1000, 10000]) for beta in BETAS]
    expected = np.stack([exact[0], np.sqrt(exact[1])], axis=1)
    np.testing.assert_allclose(corrections[[1, 2, 3, 10, 1000, 10000]], expected, rtol=6e-8)
    assert corrections[2, 1] == pytest.approx(0.0447099, abs=5e-8)
    assert corrections[-1].tolist() == [1, 1]
    assert corrections[-1000, 1] < 1  # no longer than it has to be


def test_norms_and_biases_are_decayed_when_not_excepted():
    """One SGD step from w with gradient g and decay d at rate r: w - r * (g + d * w); the head's rate is tenfold."""
    after = run_ours("sgd", 1, no_decay_norm_bias=False)
    before, gradients = make_parameters(), make_parameters(1)
    for key, values in after.items():
        rate = RATES[0] * (10 if key.startswith("head") else 1)
        np.testing.assert_allclose(values, before[key] - rate * (gradients[key] + DECAY * before[key]), atol=1e-6)


def test_the_longest_prefix_decides():
    parameters = [ms.Parameter(ms.Tensor([1.0]), name=name) for name in ("head.a", "head.b", "body")]
    assert build_optimizer("sgd", parameters, lr_scales={"head": 2.0, "head.b": 3.0}).scales == (2.0, 3.0, 1.0)


def test_parameters_with_a_named_part_do_not_decay_where_norms_and_biases_do_not():
    parameters = [ms.Parameter(ms.Tensor([[1.0]]), name=name) for name in ("a.mlp.position.weight", "a.mlp.weight")]
    options = {"weight_decay": DECAY, "undecayed": (".position.",)}
    assert build_optimizer("adamw", parameters, **options).decays == (0.0, DECAY)
    assert build_optimizer("adamw", parameters, no_decay_norm_bias=False, **options).decays == (DECAY, DECAY)


def test_frozen_parameters_are_left_out():
    parameters = [ms.Parameter(ms.Tensor([1.0]), name=name, requires_grad=name == "a") for name in "ab"]
    assert [parameter.name for parameter in build_optimizer("adamw", parameters).parameters] == ["a"]


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("adamm", {}, "optimizer 'adamm' is unknown; use sgd or adamw"),
        (
            "sgd",
            {"lr_scales": {"hed": 10}},
            "learning rate factor for 'hed': no trainable parameter's name begins with it",
        ),
    ],
)
def test_what_cannot_be_built_gets_a_sentence(name, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_optimizer(name, [ms.Parameter(ms.Tensor([1.0]), name="head")], **options)


def test_a_network_without_trainable_parameters_gets_a_sentence():
    with pytest.raises(ValueError, match="no trainable parameter"):
        build_optimizer("sgd", [])


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_kernels_agree_with_the_stock_operators(name):
    if chosen_library() is None:
        pytest.skip("no C compiler here: the kernels cannot be built")
    own = run_ours(name, 5)
    with stock_operators():
        stock = run_ours(name, 5)
    for key, values in own.items():
        assert np.abs(values - stock[key]).max() < 2e-6 * np.abs(values).max(), key


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("operators", [contextlib.nullcontext, stock_operators])
def test_a_step_that_is_not_finite_changes_nothing(operators, name):
    with operators():
        parameters = [ms.Parameter(ms.Tensor(values), name=key) for key, values in make_parameters().items()]
        optimizer = build_optimizer(name, parameters, weight_decay=DECAY)
    optimizer.set_learning_rate(0.1)
    kept = [*parameters, *optimizer.state_parameters()]
    before = [item.asnumpy().copy() for item in kept]
    bad = [ms.Tensor(np.full(shape, np.nan, np.float32)) for shape in SHAPES.values()]
    Apply(optimizer)(ms.Tensor(1.0, ms.float32), ms.Tensor(False), *bad)
    assert all(np.array_equal(item.asnumpy(), values) for item, values in zip(kept, before, strict=True))

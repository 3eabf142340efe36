"""Computes a little with MindSpore, in a process of its own: what kills it does not kill the doctor.

Called by computing.py; prints one line of JSON.
"""

import json
import logging
import time

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from utils.cpu_kernels.choice import chosen_library
from utils.cpu_kernels.convolution import Convolution
from utils.installation import module_name
from utils.model_utils.device_adapter import ACCELERATORS, card_numbers, set_up_device

SIZE, CHANNELS = 16, 8  # of the step that is compared with numpy
LARGE, REPEATS = (1, 64, 40, 40), 5  # of the convolution that is timed: 59 million multiplications


def main() -> None:
    """Takes the device, makes the kernels and a step; prints what came out."""
    found: dict[str, object] = {}
    found["counts"] = {name: ms.hal.device_count(name) if ms.hal.is_available(name) else 0 for name in ACCELERATORS}
    found["cards"] = {name: len(card_numbers(name)) for name in ACCELERATORS}
    messages = _Messages()
    logging.getLogger(module_name("utils.cpu_kernels.library")).addHandler(messages)
    found["device"] = set_up_device().target
    found["kernels"] = str(chosen_library() or "")
    found["why_no_kernels"] = messages.last
    start = time.perf_counter()
    found["loss"], found["gradient"] = step()
    found["step_seconds"] = time.perf_counter() - start
    found["expected_loss"], found["expected_gradient"] = expected()
    found["convolution_seconds"] = convolution_seconds()
    print(json.dumps(found))


class _Messages(logging.Handler):
    """Keeps the last message: why there are no kernels."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the text of a warning."""
        if record.levelno >= logging.WARNING:
            self.last = record.getMessage()


def _picture_and_weight() -> tuple[np.ndarray, np.ndarray]:
    """Returns float32[1, C, S, S] and float32[C, C, 3, 3], the same everywhere."""
    random = np.random.default_rng(1)
    picture = random.standard_normal((1, CHANNELS, SIZE, SIZE)).astype(np.float32)
    return picture, random.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32)


class _Loss(nn.Cell):
    """The mean square of a 3x3 convolution."""

    def __init__(self, weight: np.ndarray) -> None:
        super().__init__()
        self.convolution = Convolution(CHANNELS, CHANNELS, 3, weight_init=Tensor(weight))

    def construct(self, picture: Tensor) -> Tensor:
        """float32[1, C, S, S] -> float32[]."""
        return ops.square(self.convolution(picture)).mean()


def step() -> tuple[float, float]:
    """Returns the mean square of a convolution and the sum of the sizes of its gradient by the weight."""
    picture, weight = _picture_and_weight()
    network = _Loss(weight)
    compute = ms.value_and_grad(network, None, network.trainable_params())
    loss, (gradient,) = compute(Tensor(picture))
    return float(loss.asnumpy()), float(np.abs(gradient.asnumpy()).sum())


def expected() -> tuple[float, float]:
    """Returns the same numbers from numpy, in float64."""
    picture, weight = (each.astype(np.float64) for each in _picture_and_weight())
    padded = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))  # type: ignore[call-overload]  # NumPy 1.26 names one axis only
    result = np.einsum("ncyxij,ocij->noyx", windows, weight)
    gradient = np.einsum("ncyxij,noyx->ocij", windows, 2 * result / result.size)
    return float(np.square(result).mean()), float(np.abs(gradient).sum())


def convolution_seconds() -> float:
    """Returns what MindSpore's own 3x3 convolution of 64 channels takes of the processor, the best of some tries."""
    convolve = nn.Conv2d(LARGE[1], LARGE[1], 3, pad_mode="pad", padding=1)
    picture = Tensor(np.ones(LARGE, np.float32))
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()  # the machine may be busy with other things
        convolve(picture).asnumpy()
        seconds.append(time.process_time() - start)
    return min(seconds)


if __name__ == "__main__":
    main()

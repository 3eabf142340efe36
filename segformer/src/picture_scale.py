"""How large the network sees a data set's pictures, in training and in evaluation, and whether these fit together."""

from dataclasses import dataclass
from typing import Any

from utils.model_utils.config.yaml_files import parse_value
from utils.training.checkpoints.checkpoint import TrainingState
from utils.words import counted

from .results.canvases import Canvas, FixedCanvas, PictureCanvas, text_of
from .results.planes import Size

TOLERANCE = 1.02  # sides are rounded to pixels, and scales given with two digits


@dataclass(frozen=True)
class PictureScale:
    """What is done to the size of pictures before the network sees them.

    Attributes:
        canvas: what they are fitted into.
        factors: lowest and highest factor on that.
    """

    canvas: Canvas
    factors: tuple[float, float] = (1.0, 1.0)

    def fit(self, size: Size) -> float:
        """Returns the scale of a picture of (height, width) without a factor, along its longer side."""
        side = max(range(2), key=lambda axis: size[axis])
        return self.canvas.view_size(size)[side] / size[side]

    def limits(self, size: Size) -> tuple[float, float]:
        """Returns the lowest and the highest scale of a picture of (height, width)."""
        return self.fit(size) * self.factors[0], self.fit(size) * self.factors[1]

    def describe(self, size: Size, num_sizes: int = 1) -> str:
        """Returns e.g. `pictures of 360x480 are fitted into 256x512 (0.71), times 0.75 to 1.5`.

        Args:
            size: height and width of most pictures.
            num_sizes: how many sizes there are.
        """
        others = f" (and of {counted(num_sizes - 1, 'other size')})" if num_sizes > 1 else ""
        low, high = self.factors
        factors = "" if (low, high) == (1, 1) else f", times {low:g}" + (f" to {high:g}" if high > low else "")
        return f"pictures of {text_of(size)}{others} are {self.canvas.done_to(self.fit(size))}{factors}"


def scale_of_training(state: TrainingState) -> PictureScale | None:
    """Returns how a checkpoint's training saw pictures; None where it does not say, as converted weights do not."""
    if not state.steps_per_epoch:
        return None
    try:
        keys: Any = parse_value(state.config_text)
        return PictureScale(FixedCanvas(tuple(keys["base_size"])), tuple(keys["scale_range"]))
    except (ValueError, KeyError, TypeError):  # of an older version, or of another program
        return None


def format_difference(size: Size, evaluation: PictureScale, training: PictureScale, command: str = "evaluation") -> str:
    """Returns what to do where evaluation shows the network objects of sizes that it has not learnt from.

    Args:
        size: height and width of most pictures.
        evaluation: what it does with them.
        training: what training did, or does; its canvas is fixed.
        command: what it is called: inference is evaluation without labels.

    Returns:
        The sentence; empty where the scales of both overlap.
    """
    (low, high), (lowest, highest) = evaluation.limits(size), training.limits(size)
    if low <= highest * TOLERANCE and high >= lowest / TOLERANCE:
        return ""
    base_size = getattr(training.canvas, "base_size", None)
    assert base_size is not None, "trainings have a fixed canvas"
    return (
        f"{command} shows the network pictures of {text_of(size)} at {_range(low, high)} of their size, training at "
        f"{_range(lowest, highest)}, so that it has not learnt from objects of such a size: "
        f"{_advice(evaluation.canvas, base_size)}"
    )


def _advice(evaluation: Canvas, base_size: Size) -> str:
    base = f"--base_size=[{base_size[0]},{base_size[1]}]"
    if isinstance(evaluation, PictureCanvas) and evaluation.sides:
        long, short = max(base_size), min(base_size)
        is_other = evaluation.sides != (long, short)
        return f"give --canvas_sides=[{long},{short}], as in training" if is_other else "give --eval_scales=[1.0]"
    if isinstance(evaluation, PictureCanvas) or evaluation.base_size is None:
        return f"give --eval_mode=whole {base}, or train with a base_size near the size of the pictures"
    return f"give {base}, as in training" if evaluation.base_size != base_size else "give --eval_scales=[1.0]"


def _range(low: float, high: float) -> str:
    return f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"

"""An exported network that puts out the class of each pixel, not logits. Needs no MindSpore."""

from collections.abc import Iterator, Sequence

import numpy as np

from utils.exporting.description import ModelDescription
from utils.model_utils.errors import BadValueError
from utils.pixels import size_of, to_input

from .inference import Predictor
from .planes import Size, class_map_at

AXES = 3  # of such an output, [N, H, W]; logits have four


def gives_class_maps(description: ModelDescription) -> bool:
    """Whether an exported network puts out classes."""
    return len(description.outputs[0].shape) == AXES


class ClassMapPredictor(Predictor):
    """A `Predictor` whose network gives uint8[N, H, W], the class of each pixel of its input.

    Where a picture has another size than its place in the input, each of its pixels takes the class of the nearest one:
    edges are coarser than those of logits, which are interpolated.
    """

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Returns the class of each pixel, uint8[H, W], of uint8[H, W, 3] RGB."""
        (classes,) = self.predict_batch([image], 1)
        return classes

    def predict_batch(self, images: Sequence[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
        """Yields what `predict` returns for each of at most `batch_size` images uint8[H, W, 3] of one size."""
        size: Size = size_of(images[0])
        padded = self._canvas.input_size(size)
        self.input_sizes.add(padded)
        views = [self._canvas.view(image) for image in images]
        inputs = [to_input(view, padded, self._mean, self._std) for view in views]
        maps = self.network(np.stack([*inputs, *inputs[-1:] * (batch_size - len(inputs))]))
        for view, class_map in zip(views, maps, strict=False):
            yield class_map_at(class_map, size_of(view), size)

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Refuses: there are none.

        Raises:
            BadValueError: always.
        """
        raise BadValueError(
            "this file gives classes alone: for probabilities export the network with --export_output=logits"
        )

    def predict_with_probabilities(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Refuses, as `probabilities` does."""
        return self.predict(image), self.probabilities(image)

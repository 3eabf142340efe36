"""From an image of any size to the class of each of its pixels, with a network whose input sizes are few and fixed.

The steps and their order are MMSegmentation's: logits are resized bilinearly to the network's input, then to the image;
several views of an image (mirrored, other scales) are averaged as probabilities there.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import cv2
import mindspore as ms
import numpy as np

from utils.pixels import to_input

from ..base_dataset import fitted_size
from .planes import Size, cut_planes, highest_plane, resize

MIN_SIDE = 32  # below that, the coarsest features of the encoder have no pixel left


class Predictor:
    """Applies a segmentation network to images.

    Args:
        network: float32[1, 3, H, W] to logits float[1, C, h, w] of any lower or the same resolution, such as
            `Segformer`. It may share its weights with a training network. It is compiled once for each input size.
        mean: subtracted from the channels, RGB, 0 to 255.
        std: divides the channels.
        base_size: height and width that an image is fitted into, keeping its ratio, and padded to; exchanged for an
            image that stands upright where this lies, or the reverse. None takes images as large as they are.
        mode: "whole" gives the network the whole image, "slide" one window of it after the other.
        slide_crop: height and width of a window; a smaller image is padded to it.
        slide_stride: step from one window to the next, at most `slide_crop`.
        flip: add the mirrored image.
        scales: factors on the image's size (and on `base_size`), one view for each.

    Attributes:
        input_sizes: the different sizes, height and width, that the network was given so far.
    """

    def __init__(
        self,
        network: Callable[[ms.Tensor], ms.Tensor],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        base_size: Size | None = None,
        mode: Literal["whole", "slide"] = "whole",
        slide_crop: Size = (1024, 1024),
        slide_stride: Size = (768, 768),
        flip: bool = False,
        scales: Sequence[float] = (1.0,),
    ) -> None:
        self.network = network
        self.input_sizes: set[Size] = set()
        self._mean = tuple(mean)
        self._std = tuple(std)
        self._base_size = base_size
        self._mode = mode
        self._crop = slide_crop
        self._stride = slide_stride
        self._flips = (False, True) if flip else (False,)
        self._scales = tuple(scales)

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Returns the class of each pixel, uint8[H, W], of uint8[H, W, 3] RGB."""
        if len(self._flips) * len(self._scales) == 1:  # the class of the highest logit: no probabilities needed
            return highest_plane(self._logit_planes(image, self._scales[0], False))
        return highest_plane(self.probabilities(image))

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Returns the probability of each class at each pixel, float32[C, H, W], of uint8[H, W, 3] RGB."""
        total = None
        for scale in self._scales:
            for is_mirrored in self._flips:
                view = np.stack(list(self._logit_planes(image, scale, is_mirrored)))
                _softmax_in_place(view)
                total = view if total is None else np.add(total, view, out=total)
        total /= len(self._flips) * len(self._scales)
        return total

    def describe(self) -> str:
        """Returns how images are predicted, e.g. "whole image in 512x1024"."""
        if self._mode == "slide":
            words = [f"sliding window {_text(self._crop)}, step {_text(self._stride)}"]
        else:
            words = ["whole image" + (f" in {_text(self._base_size)}" if self._base_size else "")]
        if self._scales != (1.0,):
            words.append(f"scales {', '.join(f'{scale:g}' for scale in self._scales)}")
        if len(self._flips) > 1:
            words.append("with its mirror image")
        return ", ".join(words)

    def _logit_planes(self, image: np.ndarray, scale: float, is_mirrored: bool) -> Iterator[np.ndarray]:
        """Yields the logits of one class after the other at the image's size, float32[H, W]."""
        size = image.shape[:2]
        padded = _times(turned_like(self._base_size or size, size), scale)
        view = resize(image, fitted_size(size, self._base_size or size, scale))
        if is_mirrored:
            view = cv2.flip(view, 1)
        planes = self._slide(view) if self._mode == "slide" else self._run(view, padded)
        for plane in planes:
            plane = resize(plane, size)
            yield cv2.flip(plane, 1) if is_mirrored else plane

    def _run(self, view: np.ndarray, padded: Size) -> Iterator[np.ndarray]:
        """Returns the logits of one class after the other at the size of uint8[H, W, 3], which is padded before."""
        height, width = view.shape[:2]
        padded = max(padded[0], height, MIN_SIDE), max(padded[1], width, MIN_SIDE)
        self.input_sizes.add(padded)
        if getattr(self.network, "training", False):
            self.network.set_train(False)
        batch = to_input(view, padded, self._mean, self._std)[None]
        logits = self.network(ms.Tensor(batch)).asnumpy()[0]
        return cut_planes(logits, padded, (height, width))

    def _slide(self, view: np.ndarray) -> np.ndarray:
        """Returns float32[C, H, W]: the mean of the logits of all windows of uint8[H, W, 3] that cover a pixel."""
        height, width = view.shape[:2]
        covering = np.zeros((height, width), np.float32)
        total = None
        for top, left in window_corners((height, width), self._crop, self._stride):
            window = np.s_[top : top + self._crop[0], left : left + self._crop[1]]
            planes = list(self._run(view[window], self._crop))
            if total is None:
                total = np.zeros((len(planes), height, width), np.float32)
            for of_class, plane in zip(total, planes, strict=True):
                of_class[window] += plane
            covering[window] += 1
        total /= covering
        return total


def window_corners(size: Size, crop: Size, stride: Size) -> list[tuple[int, int]]:
    """Returns top and left of the windows that cover an image, row by row; the last of a row ends at the border.

    Args:
        size: height and width of the image; where it is smaller than the window, there is one, at 0.
        crop: height and width of a window.
        stride: steps down and to the right, not above `crop`.
    """
    tops, lefts = (
        [min(start, max(side - window, 0)) for start in range(0, max(side - window, 0) + step, step)]
        for side, window, step in zip(size, crop, stride, strict=True)
    )
    return [(top, left) for top in tops for left in lefts]


def turned_like(base_size: Size, size: Size) -> Size:
    """Returns `base_size`, its sides exchanged where it lies and an image of `size` stands upright, or the reverse."""
    lies, image_lies = base_size[1] > base_size[0], size[1] > size[0]
    stands, image_stands = base_size[1] < base_size[0], size[1] < size[0]
    return base_size[::-1] if (lies and image_stands) or (stands and image_lies) else base_size


def _times(size: Size, factor: float) -> Size:
    return int(size[0] * factor), int(size[1] * factor)


def _softmax_in_place(logits: np.ndarray) -> None:
    """Turns logits float32[C, H, W] into probabilities."""
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"

"""From an image of any size to the class of each of its pixels, with whatever runs a network. Needs no MindSpore.

The steps and their order are MMSegmentation's: logits are resized bilinearly to the network's input, then to the image;
several views of an image (mirrored, other scales) are averaged as probabilities there.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np

from utils.images import read_size
from utils.pixels import size_of, to_input

from .canvases import Canvas, FixedCanvas, PictureCanvas, text_of
from .planes import Size, cut_planes, highest_plane, resize

Item = TypeVar("Item")


class Predictor:
    """Applies a segmentation network to images.

    Args:
        network: float32[1, 3, H, W] to logits float[1, C, h, w] of any lower or the same resolution, such as
            `Segformer` in `CompiledSizes`; any number of images instead of 1 for `predict_batch`.
        mean: subtracted from the channels, RGB, 0 to 255.
        std: divides the channels.
        canvas: from the size of an image to that of the network's input; None takes images as large as they are.
        mode: "whole" gives the network the whole image, "slide" one window of it after the other.
        slide_crop: height and width of a window; a smaller image is padded to it where the canvas is fixed.
        slide_stride: step from one window to the next, at most `slide_crop`.
        flip: add the mirrored image.
        scales: factors on the size of the view, one view for each.

    Attributes:
        input_sizes: the different sizes, height and width, that the network was given so far.
    """

    def __init__(
        self,
        network: Callable[[np.ndarray], np.ndarray],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        canvas: Canvas | None = None,
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
        self._canvas = canvas or FixedCanvas()
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

    def predict_batch(self, images: Sequence[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
        """Yields what `predict` returns for each of at most `batch_size` images uint8[H, W, 3] of one size.

        The network runs once for all of them, where each is looked at once and whole. A batch that is not full is
        filled up, so that the network is compiled once.
        """
        if self._mode == "slide" or len(self._flips) * len(self._scales) > 1:
            yield from map(self.predict, images)
            return
        size, scale = size_of(images[0]), self._scales[0]
        padded = self._canvas.input_size(size, scale)
        self.input_sizes.add(padded)
        views = [self._canvas.view(image, scale) for image in images]
        inputs = [to_input(view, padded, self._mean, self._std) for view in views]
        logits = self.network(np.stack([*inputs, *inputs[-1:] * (batch_size - len(inputs))]))
        for view, of_image in zip(views, logits, strict=False):
            planes = cut_planes(of_image, padded, size_of(view))
            yield highest_plane(resize(plane, size) for plane in planes)

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Returns the probability of each class at each pixel, float32[C, H, W], of uint8[H, W, 3] RGB."""
        total = None
        for scale in self._scales:
            for is_mirrored in self._flips:
                view = np.stack(list(self._logit_planes(image, scale, is_mirrored)))
                _softmax_in_place(view)
                total = view if total is None else np.add(total, view, out=total)
        assert total is not None, "there is a view"
        total /= len(self._flips) * len(self._scales)
        return total

    def predict_with_probabilities(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns what `predict` and `probabilities` return, having run the network once."""
        if len(self._flips) * len(self._scales) > 1:
            probabilities = self.probabilities(image)
            return highest_plane(probabilities), probabilities
        logits = np.stack(list(self._logit_planes(image, self._scales[0], False)))
        classes = highest_plane(logits)  # two probabilities can be equal where their logits are not
        _softmax_in_place(logits)
        return classes, logits

    @property
    def follows_pictures(self) -> bool:
        """Whether the size of the network's input follows that of the image, so that there may be many."""
        return isinstance(self._canvas, PictureCanvas)

    def sizes_for(self, size: Size) -> tuple[Size, ...]:
        """Returns the largest input sizes, height and width, that an image of `size` needs, one for each scale."""
        whole = [self._canvas.input_size(size, scale) for scale in self._scales]
        return tuple(self._canvas.window_size(self._crop, each) if self._mode == "slide" else each for each in whole)

    def describe(self) -> str:
        """Returns how images are predicted, e.g. "whole image in 512x1024"."""
        if self._mode == "slide":
            words = [f"sliding window {text_of(self._crop)}, step {text_of(self._stride)}"]
            words += [f"over the image{self._canvas.describe()}"] if self.follows_pictures else []
        else:
            words = [f"whole image{self._canvas.describe()}"]
        if self._scales != (1.0,):
            words.append(f"scales {', '.join(f'{scale:g}' for scale in self._scales)}")
        if len(self._flips) > 1:
            words.append("with its mirror image")
        return ", ".join(words)

    def _logit_planes(self, image: np.ndarray, scale: float, is_mirrored: bool) -> Iterator[np.ndarray]:
        """Yields the logits of one class after the other at the image's size, float32[H, W]."""
        size = size_of(image)
        view = self._canvas.view(image, scale)
        if is_mirrored:
            view = cv2.flip(view, 1)
        planes = self._slide(view) if self._mode == "slide" else self._run(view, self._canvas.input_size(size, scale))
        for plane in planes:
            plane = resize(plane, size)
            yield cv2.flip(plane, 1) if is_mirrored else plane

    def _run(self, view: np.ndarray, padded: Size) -> Iterator[np.ndarray]:
        """Returns the logits of one class after the other at the size of uint8[H, W, 3], which is padded before."""
        self.input_sizes.add(padded)
        logits = self.network(to_input(view, padded, self._mean, self._std)[None])[0]
        return cut_planes(logits, padded, size_of(view))

    def _slide(self, view: np.ndarray) -> np.ndarray:
        """Returns float32[C, H, W]: the mean of the logits of all windows of uint8[H, W, 3] that cover a pixel."""
        height, width = view.shape[:2]
        padded = self._canvas.window_size(self._crop, (height, width))
        covering = np.zeros((height, width), np.float32)
        total = None
        for top, left in window_corners((height, width), self._crop, self._stride):
            window = np.s_[top : top + self._crop[0], left : left + self._crop[1]]
            planes = list(self._run(view[window], padded))
            if total is None:
                total = np.zeros((len(planes), height, width), np.float32)
            for of_class, plane in zip(total, planes, strict=True):
                of_class[window] += plane
            covering[window] += 1
        assert total is not None, "there is a window"
        total /= covering
        return total


def in_order_of_canvas(predictor: Predictor, items: Sequence[Item], path_of: Callable[[Item], Path]) -> Sequence[Item]:
    """Returns images in the order of their input sizes, so that each size is compiled once; else as they are.

    Where the canvas is fixed, they are left as they are. Only the first bytes of the files are read. Those that cannot
    be read come last, and are named where they are decoded.

    Args:
        predictor: of the images.
        items: stand for an image each.
        path_of: the file of one.
    """
    if not predictor.follows_pictures:
        return items

    def sizes(item: Item) -> tuple[bool, tuple[Size, ...]]:
        size = read_size(path_of(item))
        return size is None, () if size is None else predictor.sizes_for(size)

    return sorted(items, key=sizes)


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


def _softmax_in_place(logits: np.ndarray) -> None:
    """Turns logits float32[C, H, W] into probabilities."""
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)

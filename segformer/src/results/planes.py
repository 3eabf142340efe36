"""From the network's logits to the class of each pixel, plane by plane: the 19 planes of a Cityscapes image are 160 MB.

No MindSpore here: results of an exported model are read where it is not installed.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

Size = tuple[int, int]


def cut_planes(logits: Iterable[np.ndarray], padded: Size, content: Size) -> Iterator[np.ndarray]:
    """Yields the logits of one class after the other without the padding.

    Args:
        logits: float[h, w] each, of any lower or the same resolution as the network's input.
        padded: height and width of the input.
        content: height and width of the picture in its upper left corner.

    Yields:
        float32[*content].
    """
    for plane in logits:
        yield resize(plane.astype(np.float32, copy=False), padded)[: content[0], : content[1]]


def class_map_at(class_map: np.ndarray, content: Size, size: Size) -> np.ndarray:
    """Returns the classes of a picture, uint8[*size], of those of the network's input.

    Args:
        class_map: uint8[h, w], with the picture in its upper left corner.
        content: height and width of that corner.
        size: height and width of the picture; where they are others, the nearest pixel counts.
    """
    cut = class_map[: content[0], : content[1]]
    if content == size:
        return cut
    return cv2.resize(cut, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def highest_plane(planes: Iterable[np.ndarray]) -> np.ndarray:
    """Returns the index of the highest of at most 256 planes at each pixel, the first of equal ones.

    Args:
        planes: float32[H, W] each. Only two of them are held at a time: 19 planes of a Cityscapes image are 160 MB.

    Returns:
        uint8[H, W].
    """
    iterator = iter(planes)
    highest = np.array(next(iterator))
    index = np.zeros(highest.shape, np.uint8)
    for number, plane in enumerate(iterator, start=1):
        is_higher = cv2.compare(plane, highest, cv2.CMP_GT)  # 255 where it is, so `& number` is the number or 0
        cv2.max(highest, plane, dst=highest)
        cv2.max(index, cv2.bitwise_and(is_higher, number), dst=index)  # type: ignore[call-overload]  # it takes a number
    return index


def resize(plane: np.ndarray, size: Size) -> np.ndarray:
    """Resizes [H, W] or [H, W, 3] bilinearly (pixel centres at halves, no anti-aliasing) to height and width."""
    if plane.shape[:2] == tuple(size):
        return plane
    return cv2.resize(plane, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)

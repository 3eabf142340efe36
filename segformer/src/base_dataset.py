"""What training does to an image and its label: scale, crop, flip, colours, normalisation, padding.

Images are uint8[H, W, 3] RGB, labels uint8[H, W]. Every draw comes from the generator that is passed in. The steps and
their order are MMSegmentation's for Cityscapes; details differ. The label is scaled with nearest neighbours at pixel
centres (OpenCV's plain nearest looks up to half a pixel to the left and above, so that label and image would be shifted
against each other); contrast comes right after brightness, without clipping to 0-255 in between, never after hue.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from utils.pixels import photometric_distortion, size_of, to_input

CROP_TRIES = 10  # MMSegmentation's
_HUE_DEGREES = 36.0  # 18 steps of OpenCV's half circle of 180


@dataclass(frozen=True)
class AugmentSettings:
    """What is done to images.

    Attributes:
        base_size: height and width that an image fits into at scale 1.
        crop_size: height and width of the network's input.
        scale_range: smallest and largest multiple of `base_size`.
        cat_max_ratio: largest share of a crop's labelled pixels that one class may have; 1 accepts every crop.
        class_crop_ratio: probability that a crop is laid around a pixel of a class that is drawn from those of the
            picture, each as likely, instead of anywhere.
        flip_ratio: probability of a horizontal flip.
        photometric_distortion: change brightness, contrast, saturation and hue at random.
        mean: subtracted from the channels, RGB, 0-255.
        std: divides the channels, RGB, 0-255.
        ignore_label: label of pixels that are not trained on, and of padding.
    """

    base_size: tuple[int, int]
    crop_size: tuple[int, int]
    scale_range: tuple[float, float]
    cat_max_ratio: float
    flip_ratio: float
    photometric_distortion: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    ignore_label: int = 255
    class_crop_ratio: float = 0.0


def fitted_size(size: tuple[int, int], base_size: tuple[int, int], ratio: float = 1.0) -> tuple[int, int]:
    """Returns the (height, width) at which an image just fits into `base_size` * `ratio`, its ratio of sides kept.

    As in MMSegmentation the long side is held against the long side of the base, so that an upright image fits into the
    upright base, and the base is cut to whole pixels first.

    Args:
        size: (height, width) of the image.
        base_size: (height, width) to fit into.
        ratio: multiple of the base.
    """
    base = [int(side * ratio) for side in base_size]
    scale = min(max(base) / max(size), min(base) / min(size))
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales uint8[H, W, 3] to (height, width), bilinear at pixel centres."""
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


def resize_label(label: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales uint8[H, W] to (height, width), nearest neighbour at pixel centres."""
    return cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def is_varied(label: np.ndarray, cat_max_ratio: float, ignore_label: int) -> bool:
    """Tells whether a crop has at least two classes, none with `cat_max_ratio` or more of the pixels not ignored."""
    counts = cv2.calcHist([label], [0], None, [256], [0, 256])[:, 0]  # whole numbers, exact below 2^24
    counts[ignore_label] = 0
    return bool(np.count_nonzero(counts) > 1 and counts.max() < cat_max_ratio * counts.sum(dtype=np.float64))


def choose_crop(
    label: np.ndarray, crop_size: tuple[int, int], cat_max_ratio: float, ignore_label: int, draws: np.random.Generator
) -> tuple[slice, slice]:
    """Draws windows until one is varied; after ten that are not, the next one is taken as it is.

    Args:
        label: uint8[H, W].
        crop_size: height and width that the window does not exceed.
        cat_max_ratio: see `is_varied`; 1 or more accepts the first window.
        ignore_label: value that is no class.
        draws: source of the draws, two for each window.

    Returns:
        Rows and columns; all of an axis that is not longer than the crop.
    """
    margins = _margins(label, crop_size)
    window = _draw_window(margins, crop_size, draws)
    if cat_max_ratio >= 1 or not any(margins):
        return window
    for _ in range(CROP_TRIES):
        if is_varied(label[window], cat_max_ratio, ignore_label):
            break
        window = _draw_window(margins, crop_size, draws)
    return window


def crop_around_class(
    label: np.ndarray, crop_size: tuple[int, int], ignore_label: int, draws: np.random.Generator
) -> tuple[slice, slice]:
    """Draws a class of the label, each as likely, one of its pixels, and a window that has this pixel anywhere in it.

    So a class of few pixels is in as many crops as one that fills the picture.

    Args:
        label: uint8[H, W].
        crop_size: height and width that the window does not exceed.
        ignore_label: value that is no class.
        draws: source of the draws.

    Returns:
        Rows and columns; all of an axis that is not longer than the crop. Of a label without a class, any window.
    """
    counts = cv2.calcHist([label], [0], None, [256], [0, 256])[:, 0]
    counts[ignore_label] = 0
    classes = np.flatnonzero(counts)
    margins = _margins(label, crop_size)
    if not classes.size:
        return _draw_window(margins, crop_size, draws)
    rows, columns = np.nonzero(label == classes[draws.integers(classes.size)])
    chosen = draws.integers(rows.size)
    pixel = (int(rows[chosen]), int(columns[chosen]))
    starts = [
        int(draws.integers(max(0, place - side + 1), min(margin, place) + 1))
        for place, side, margin in zip(pixel, crop_size, margins, strict=True)
    ]
    return _window(starts, crop_size)


def pad_label(label: np.ndarray, size: tuple[int, int], ignore_label: int) -> np.ndarray:
    """Turns uint8[h, w] into int32[*size], `ignore_label` below and on the right."""
    padded = np.full(size, ignore_label, np.int32)
    padded[: label.shape[0], : label.shape[1]] = label
    return padded


def augment(
    image: np.ndarray, label: np.ndarray, settings: AugmentSettings, draws: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Scales, crops, flips and changes the colours of an image at random.

    Args:
        image: uint8[H, W, 3] RGB.
        label: uint8[H, W].
        settings: what is done.
        draws: source of all draws.

    Returns:
        uint8[h, w, 3] and uint8[h, w], at most `crop_size`.
    """
    size = fitted_size(size_of(label), settings.base_size, draws.uniform(*settings.scale_range))
    is_flipped = draws.uniform() < settings.flip_ratio
    label = resize_label(label, size)
    # Without the ratio nothing is drawn for it, so that the other draws stay as they were.
    if settings.class_crop_ratio > 0 and draws.uniform() < settings.class_crop_ratio:
        window = crop_around_class(label, settings.crop_size, settings.ignore_label, draws)
    else:
        window = choose_crop(label, settings.crop_size, settings.cat_max_ratio, settings.ignore_label, draws)
    image, label = resize_image(image, size)[window], label[window]
    if is_flipped:
        image, label = cv2.flip(image, 1), cv2.flip(label, 1)
    if settings.photometric_distortion:
        image = photometric_distortion(image, draws, hue=_HUE_DEGREES)
    return image, label


def prepare(
    image: np.ndarray, label: np.ndarray, settings: AugmentSettings, draws: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Augments and turns the result into what the network takes: float32[3, *crop_size] and int32[*crop_size]."""
    image, label = augment(image, label, settings, draws)
    return (
        to_input(image, settings.crop_size, settings.mean, settings.std),
        pad_label(label, settings.crop_size, settings.ignore_label),
    )


def _margins(label: np.ndarray, crop_size: tuple[int, int]) -> list[int]:
    return [max(0, side - limit) for side, limit in zip(label.shape, crop_size, strict=True)]


def _draw_window(margins: list[int], crop_size: tuple[int, int], draws: np.random.Generator) -> tuple[slice, slice]:
    return _window([int(draws.integers(0, margin + 1)) for margin in margins], crop_size)


def _window(starts: list[int], crop_size: tuple[int, int]) -> tuple[slice, slice]:
    top, left = starts
    return slice(top, top + crop_size[0]), slice(left, left + crop_size[1])

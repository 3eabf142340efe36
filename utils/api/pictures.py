"""What a user hands over as a picture becomes uint8 RGB: a path, an array, or an image of Pillow."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from utils.images import read_image, rgb_of_pillow
from utils.model_utils.errors import BadValueError, short
from utils.model_utils.guards.pixel_limit import check_pixels
from utils.videos.reading import is_video_name

WANTED = "RGB as uint8[height, width, 3]"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to predict.

    Attributes:
        image: uint8[H, W, 3] RGB, as a viewer shows it.
        path: its file, or that of its video; None where it came as an array or an image of Pillow.
        frame: its number in a video, from 0; None for any other picture.
        time: seconds from the start of the video, likewise.
    """

    image: np.ndarray
    path: Path | None = None
    frame: int | None = None
    time: float | None = None


def is_one_picture(source: object) -> bool:
    """Whether it stands for one picture, rather than for several."""
    return isinstance(source, str | os.PathLike | np.ndarray | Image.Image)


def read_picture(source: object) -> Picture:
    """Returns a picture; an array is copied, so that later changes of it do not show in what is drawn.

    Args:
        source: the path of an image file, an array uint8[H, W, 3] in the order RGB, or an image of Pillow, whose EXIF
            orientation is applied as it is for a file.

    Raises:
        MissingPathError: there is no such file.
        BadValueError: it is no picture, or none that has a meaning in 8 bits.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(os.path.expanduser(os.fspath(source)))
        if is_video_name(path.name):
            raise BadValueError(f"'{path}' is a video, which has a result for each frame: give it alone, in no list")
        return Picture(read_image(path), path)
    if isinstance(source, Image.Image):
        return Picture(rgb_of_pillow(source, getattr(source, "filename", "") or "of Pillow"))
    if isinstance(source, np.ndarray):
        _check_array(source)
        return Picture(np.array(source, order="C"))
    raise BadValueError(
        f"{short(source)} is of type {type(source).__name__}, wanted a picture: give a path, an array ({WANTED}) or an "
        "image of Pillow"
    )


def _check_array(image: np.ndarray) -> None:
    """Refuses an array that is not uint8[H, W, 3], and says how to make it one."""
    got = f"{image.dtype}[{', '.join(map(str, image.shape))}]"
    if image.ndim == 4:
        advice = "give list(images) for several pictures"
    elif image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        advice = "repeat a grey picture: np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)"
    elif image.ndim == 3 and image.shape[2] == 4:
        advice = "leave the alpha channel out: image[..., :3]"
    elif image.ndim == 3 and image.shape[0] == 3 != image.shape[2]:
        advice = "put the channels last: image.transpose(1, 2, 0)"
    elif image.ndim != 3 or image.shape[2] != 3 or not image.size:
        advice = "give another array, a path or an image of Pillow"
    elif image.dtype != np.uint8:
        advice = "bring the values to 0 to 255, then image.astype(np.uint8)"
    else:
        check_pixels(image.shape[0], image.shape[1], "an array")
        return
    raise BadValueError(f"the array is {got}, wanted {WANTED}: {advice}")

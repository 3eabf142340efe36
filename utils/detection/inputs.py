"""From image files to what a detector takes, and the evaluation split as batches of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from utils.canvas import CanvasRule, Size
from utils.detection.augment import scaled_size
from utils.detection.canvases.plan import CanvasBatch
from utils.detection.data.mindrecord import open_mindrecord
from utils.detection.data.mindrecord_info import MindRecordInfo
from utils.images import decode_ordinary
from utils.pixels import size_of, to_input

SIZE_COLUMNS = ("height", "width")
EVALUATION_COLUMNS = ("image", "image_id", *SIZE_COLUMNS)


@dataclass(frozen=True)
class InputSettings:
    """What the network takes.

    Attributes:
        height: of the input in pixels.
        width: of the input in pixels.
        mean: subtracted from the channels, RGB, 0-255.
        std: divides the channels, RGB, 0-255.
        keep_ratio: scale both sides of an image alike; without it the image is stretched to the whole input.
        rule: chooses the input of each image by its size; None for one height and width.
    """

    height: int
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    keep_ratio: bool = True
    rule: CanvasRule | None = None

    @property
    def size(self) -> Size:
        """Height and width of the input, where no rule chooses them."""
        return self.height, self.width

    def canvas(self, size: Size) -> Size:
        """Returns height and width of the input of an image of (height, width) `size`."""
        return self.size if self.rule is None else self.rule.canvas_size(size)

    def resized_size(self, size: Size) -> Size:
        """Returns the (height, width) that an image of `size` has within its input."""
        if self.rule is not None:
            return self.rule.resized_size(size)
        return scaled_size(size, self.size, keep_ratio=self.keep_ratio)


def resize_to_input(image: np.ndarray, inputs: InputSettings) -> tuple[np.ndarray, tuple[float, float]]:
    """Scales uint8[H, W, 3] to fit the input.

    Returns:
        uint8[h, w, 3] with h and w at most the input's, and the input pixels for one pixel of the image, vertically and
        horizontally: h / H and w / W, which with `keep_ratio` differ by the rounding of h and w (as MMDetection's
        scale_factor does). So whoever is told image size and scales knows h and w.
    """
    size = inputs.resized_size(size_of(image))
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
    return resized, (size[0] / image.shape[0], size[1] / image.shape[1])


def fit_image(image: np.ndarray, inputs: InputSettings) -> tuple[np.ndarray, tuple[float, float]]:
    """Scales uint8[H, W, 3] RGB to fit the input and normalises it.

    Returns:
        float32[3, height, width] of the image's canvas, and the scales as `resize_to_input` gives them.
    """
    resized, scales = resize_to_input(image, inputs)
    return to_input(resized, inputs.canvas(size_of(image)), inputs.mean, inputs.std), scales


@dataclass(frozen=True, eq=False)
class EvaluationBatch:
    """Images of the evaluation split that lie on canvases of one size.

    Attributes:
        positions: of the real images in the annotation file, at most N.
        images: float32[N, 3, H, W]; rows after the last real image repeat it.
        image_ids: the files' own ids of the real images.
        scales: input pixels for one pixel of the original, vertically and horizontally.
        sizes: (height, width) of the originals in pixels.
        encoded: the image files.
    """

    positions: tuple[int, ...]
    images: np.ndarray
    image_ids: tuple[int, ...]
    scales: tuple[tuple[float, float], ...]
    sizes: tuple[tuple[int, int], ...]
    encoded: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class EvaluationSample:
    """Turns a row into one input.

    Attributes:
        inputs: what the network takes.
    """

    inputs: InputSettings

    def __call__(
        self, encoded: np.ndarray, image_id: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """uint8[bytes] and int64 scalar -> float32[3, H, W], the scales as float64[2], and both arguments again."""
        image, scales = fit_image(decode_ordinary(encoded, f"image {int(image_id)}"), self.inputs)
        return image, np.asarray(scales, np.float64), encoded, image_id


def evaluation_sizes(records: MindRecordInfo, num_loaders: int) -> list[Size]:
    """Reads the (height, width) of every image of a split, in the annotation file's order; no pixel is decoded."""
    rows = open_mindrecord(records, range(records.num_images), SIZE_COLUMNS, num_loaders)
    return [
        (int(row["height"]), int(row["width"])) for row in rows.create_dict_iterator(num_epochs=1, output_numpy=True)
    ]


def evaluation_batches(
    records: MindRecordInfo, inputs: InputSettings, batches: Sequence[CanvasBatch], num_loaders: int
) -> Iterator[EvaluationBatch]:
    """Yields batches of a split; one that is not full is filled up, so that its shape is that of the others.

    Args:
        records: MindRecord files of the split.
        inputs: what the network takes.
        batches: which images, by their positions in the annotation file, and in which order.
        num_loaders: threads that prepare images.
    """
    positions = [position for batch in batches for position in batch.members]
    if not positions:
        return
    dataset = open_mindrecord(records, positions, EVALUATION_COLUMNS, num_loaders).map(
        EvaluationSample(inputs),
        ["image", "image_id"],
        ["input", "scales", "image", "image_id"],
        num_parallel_workers=num_loaders,
    )
    # through a generator, since MindSpore's iterator may not be asked again after its end
    rows = (row for row in dataset.create_dict_iterator(num_epochs=1, output_numpy=True))
    for batch in batches:
        yield _evaluation_batch(list(islice(rows, len(batch.members))), batch)


def _evaluation_batch(rows: Sequence[dict[str, np.ndarray]], batch: CanvasBatch) -> EvaluationBatch:
    return EvaluationBatch(
        positions=batch.members,
        images=batch.fill([row["input"] for row in rows]),
        image_ids=tuple(int(row["image_id"]) for row in rows),
        scales=tuple((float(row["scales"][0]), float(row["scales"][1])) for row in rows),
        sizes=tuple((int(row["height"]), int(row["width"])) for row in rows),
        encoded=tuple(row["image"].tobytes() for row in rows),
    )

"""The images of an evaluation split in MindRecord files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from utils.canvas import Size
from utils.detection.data.mindrecord import open_mindrecord
from utils.detection.data.mindrecord_info import MindRecordInfo
from utils.detection.evaluated.images import EvaluationImage
from utils.detection.inputs import InputSettings, fit_image
from utils.images import decode_ordinary

SIZE_COLUMNS = ("height", "width")


@dataclass(frozen=True, eq=False)
class RecordImages:
    """The `EvaluationImages` of MindRecord files.

    Attributes:
        records: the files.
    """

    records: MindRecordInfo

    @property
    def num_images(self) -> int:
        """Number of images."""
        return self.records.num_images

    @property
    def image_ids(self) -> np.ndarray:
        """The annotation file's own id of each, int64[num_images]."""
        return self.records.image_ids

    @property
    def category_ids(self) -> Sequence[int]:
        """Ids of the categories that the files were made with."""
        return self.records.category_ids

    def sizes(self, num_loaders: int) -> list[Size]:
        """Returns the (height, width) of every image; no pixel is decoded."""
        return [_size(row) for row in self._rows(range(self.num_images), SIZE_COLUMNS, num_loaders)]

    def read(self, positions: Sequence[int], inputs: InputSettings, num_loaders: int) -> Iterator[EvaluationImage]:
        """Yields chosen images in the order of `positions`; `num_loaders` threads prepare them."""
        columns = ("image", "image_id", *SIZE_COLUMNS)
        dataset = open_mindrecord(self.records, positions, columns, num_loaders).map(
            _FittedRow(inputs),
            ["image", "image_id"],
            ["planes", "scales", "image", "image_id"],
            num_parallel_workers=num_loaders,
        )
        # a generator, since MindSpore's iterator may not be asked again after its end
        for row in dataset.create_dict_iterator(num_epochs=1, output_numpy=True):
            scales = float(row["scales"][0]), float(row["scales"][1])
            yield EvaluationImage(row["planes"], scales, int(row["image_id"]), _size(row), row["image"].tobytes())

    def encoded(self, positions: Sequence[int], num_loaders: int) -> Iterator[bytes]:
        """Yields chosen image files in the order of `positions`."""
        for row in self._rows(positions, ("image",), num_loaders):
            yield row["image"].tobytes()

    def _rows(
        self, positions: Sequence[int], columns: Sequence[str], num_loaders: int
    ) -> Iterator[dict[str, np.ndarray]]:
        dataset = open_mindrecord(self.records, positions, columns, num_loaders)
        yield from dataset.create_dict_iterator(num_epochs=1, output_numpy=True)


@dataclass(frozen=True, eq=False)
class _FittedRow:
    """Turns a row into one input."""

    inputs: InputSettings

    def __call__(
        self, encoded: np.ndarray, image_id: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """uint8[bytes] and int64 scalar -> float32[3, H, W], the scales as float64[2], and both arguments again."""
        planes, scales = fit_image(decode_ordinary(encoded, f"image {int(image_id)}"), self.inputs)
        return planes, np.asarray(scales, np.float64), encoded, image_id


def _size(row: dict[str, np.ndarray]) -> Size:
    return int(row["height"]), int(row["width"])

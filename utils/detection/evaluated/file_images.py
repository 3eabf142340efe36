"""The images of an evaluation split as they lie, for a process that has no MindSpore to read MindRecord files with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from utils.canvas import Size
from utils.data_sets.reading_ahead import map_ahead
from utils.detection.data.images.checks import CheckedImage, check_images, ordinary_copy, sources_of, without_bad_images
from utils.detection.data.record_types import DetectionDataset, ImageRecord
from utils.detection.evaluated.images import EvaluationImage
from utils.detection.inputs import InputSettings, fit_image
from utils.images import decode_ordinary, read_bytes


@dataclass(frozen=True, eq=False)
class FileImages:
    """The `EvaluationImages` of a data set.

    Attributes:
        dataset: the split, without images that cannot be used.
        are_ordinary: whether each file is read as it is; others are read as the copy that MindRecord files would hold.
    """

    dataset: DetectionDataset
    are_ordinary: tuple[bool, ...]

    @property
    def num_images(self) -> int:
        """Number of images that can be read."""
        return len(self.dataset.records)

    @property
    def image_ids(self) -> np.ndarray:
        """The annotation file's own id of each, int64[num_images]."""
        return np.array([record.image_id for record in self.dataset.records], np.int64)

    @property
    def category_ids(self) -> Sequence[int]:
        """Ids of the categories that count."""
        return self.dataset.category_ids

    def sizes(self, num_loaders: int) -> list[Size]:
        """Returns the (height, width) of every image, as annotated; they were compared with the files."""
        del num_loaders
        return [(record.height, record.width) for record in self.dataset.records]

    def read(self, positions: Sequence[int], inputs: InputSettings, num_loaders: int) -> Iterator[EvaluationImage]:
        """Yields chosen images in the order of `positions`; `num_loaders` threads prepare them."""
        return map_ahead(partial(self._fit, inputs=inputs), positions, num_loaders, extra=num_loaders)

    def encoded(self, positions: Sequence[int], num_loaders: int) -> Iterator[bytes]:
        """Yields chosen image files in the order of `positions`."""
        return map_ahead(self._encoded, positions, num_loaders, extra=0)

    def _fit(self, position: int, inputs: InputSettings) -> EvaluationImage:
        record, encoded = self.dataset.records[position], self._encoded(position)
        planes, scales = fit_image(decode_ordinary(encoded, str(record.file_path)), inputs)
        return EvaluationImage(planes, scales, record.image_id, (record.height, record.width), encoded)

    def _encoded(self, position: int) -> bytes:
        record: ImageRecord = self.dataset.records[position]
        data = read_bytes(record.file_path)
        return data if self.are_ordinary[position] else ordinary_copy(data, record)


def open_files(dataset: DetectionDataset, *, skip_bad_images: bool) -> FileImages:
    """Looks at every image of a split once.

    Args:
        dataset: the split.
        skip_bad_images: leave images out that cannot be used, instead of refusing them.

    Raises:
        BadValueError: images cannot be used.
    """
    checked: list[CheckedImage] = check_images(dataset, skip_bad_images=skip_bad_images)
    kept = without_bad_images(dataset, [image.problem for image in checked], sources_of(dataset))
    return FileImages(kept, tuple(image.is_ordinary for image in checked if not image.problem))

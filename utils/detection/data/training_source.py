"""The batches of a training run, from MindRecord files in the order of each epoch, and warnings before the first."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from utils.detection.data.layouts.sides import side_of
from utils.detection.data.mindrecord import open_mindrecord
from utils.detection.data.mindrecord_info import MindRecordInfo
from utils.detection.data.mixing.mixed_rows import MixedSample, Mixing, open_mixed, partners
from utils.sharding import BatchSource
from utils.words import agreed, counted

if TYPE_CHECKING:
    from mindspore.dataset import Dataset

ROW_COLUMNS = ("image", "annotation", "image_id")

logger = logging.getLogger(__name__)


class RowSample(Protocol):
    """A frozen dataclass that turns a row into the arrays of one image; all that it draws follows from its fields.

    Attributes:
        COLUMNS: names of the arrays.
        seed: of the run.
        epoch: from 1.
    """

    COLUMNS: ClassVar[tuple[str, ...]]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def seed(self) -> int:
        """Seed of the run."""

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 1."""

    def __call__(self, encoded: np.ndarray, annotation: np.ndarray, image_id: np.ndarray) -> tuple[np.ndarray, ...]:
        """Prepares uint8[bytes], float32[N, 6] and an int64 scalar, as MindRecord holds them."""

    def without_targets(self, arrays: tuple[np.ndarray, ...], is_filler: np.ndarray) -> tuple[np.ndarray, ...]:
        """Takes the targets out of some images of a batch, so that they add nothing to the loss and its normalisers.

        Args:
            arrays: the batch, an array for each of `COLUMNS`; its first axis is the images.
            is_filler: bool[images], whose targets go.

        Returns:
            The batch with new arrays where something changes.
        """


@dataclass(frozen=True, eq=False)
class MindRecordSource(BatchSource):
    """The batches of a detector, read from MindRecord files.

    Attributes:
        records: the MindRecord files.
        rows: int64[N], the rows that are trained on, by all workers together.
        sample: prepares a row; its epoch is replaced.
        num_loaders: threads or processes that prepare rows.
        multiprocessing: processes instead of threads.
        mixing: lays objects of other images on some; None for none. Then, and where images are repeated, `sample` has
            the fields `occurrence` and `paste` of `DetectionSample`.
    """

    records: MindRecordInfo
    rows: np.ndarray
    sample: RowSample
    num_loaders: int
    multiprocessing: bool
    mixing: Mixing | None = None

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields what `sample` makes of the worker's own images of each step, from `start_step` on."""
        items, is_filler = self.epochs.own_items(epoch, start_step)
        if items.size == 0:
            return
        dataset, columns, sample = self._open(items.ravel(), epoch, start_step)
        dataset = dataset.map(
            sample,
            columns,
            list(self.sample.COLUMNS),
            num_parallel_workers=self.num_loaders,
            python_multiprocessing=self.multiprocessing,
        )
        batches = dataset.batch(items.shape[1]).create_tuple_iterator(num_epochs=1, output_numpy=True)
        for batch, is_without in zip(batches, is_filler, strict=True):
            yield self.sample.without_targets(tuple(batch), is_without) if is_without.any() else tuple(batch)

    def _open(
        self, items: np.ndarray, epoch: int, start_step: int
    ) -> tuple["Dataset", list[str], Callable[..., tuple[np.ndarray, ...]]]:
        """Opens the rows of some images; returns also their columns and what prepares them."""
        sample, rows = replace(self.sample, epoch=epoch), self.rows[items]
        if self.mixing is None and self.epochs.repeats is None:
            return open_mindrecord(self.records, rows, ROW_COLUMNS, self.num_loaders), list(ROW_COLUMNS), sample
        occurrences, others = self.epochs.own_occurrences(epoch, start_step).ravel(), None
        if self.mixing is not None:
            ids, pool = self.records.image_ids[rows], self.epochs.items(epoch)
            chosen = partners(items, ids, occurrences, pool, self.sample.seed, epoch, self.mixing.share)
            others = self.rows[chosen]
        return *open_mixed(self.records, rows, occurrences, others, self.num_loaders), MixedSample(sample, self.mixing)


def warn_of_random_weights(frozen_stages: int, has_frozen_norms: bool) -> None:
    """Says which keys are meant for weights that are pretrained, where there are none.

    Args:
        frozen_stages: the key of this name.
        has_frozen_norms: whether the key `norm_statistics` is frozen.
    """
    if frozen_stages > 0:
        logger.warning(
            "frozen_stages is %d without pre_trained: what is frozen keeps random weights; set "
            "--pre_trained, or --frozen_stages=0",
            frozen_stages,
        )
    if has_frozen_norms:
        logger.warning(
            "norm_statistics is frozen without pre_trained: nothing is normalised; set --pre_trained, or "
            "--norm_statistics=trained"
        )


def warn_of_same_data(training: MindRecordInfo, evaluation: MindRecordInfo) -> None:
    """Says that a run is evaluated on what it learns, where both splits were made from the same annotations."""
    content = training.made_from.get("annotations")
    has_same = content is not None and content == evaluation.made_from.get("annotations")
    if has_same and side_of(training) == side_of(evaluation):
        logger.warning(
            "training and evaluation have the same annotations ('%s' ...): the metric shows what was learned by "
            "heart; --val_share=0.2 keeps a fifth of the images for evaluation; or set --val_data_type to another "
            "split, and put {} into instance_set or anno_path where its name belongs",
            evaluation.files[0],
        )


def warn_of_cut_boxes(records: MindRecordInfo, num_gts: int) -> None:
    """Says how many images lose boxes to `num_gts`, where any do."""
    num_cut = sum(images for boxes, images in records.box_counts.items() if boxes > num_gts)
    if num_cut:
        logger.warning(
            "%d of %s %s more than %s (num_gts), up to %d; the largest %d of each are kept",
            num_cut,
            counted(sum(records.box_counts.values()), "image"),
            agreed(num_cut, "has", "have"),
            counted(num_gts, "box"),
            max(records.box_counts),
            num_gts,
        )

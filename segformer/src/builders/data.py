"""Images and labels, the batches of a training, what shows them, and what checks them."""

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from utils.checking.findings import Options, Report
from utils.data_sets.val_share import ValShare
from utils.model_utils.config.stored import naming_source
from utils.model_utils.device_adapter import clamp_loaders
from utils.model_utils.errors import BadValueError
from utils.model_utils.workers import ALONE, Workers
from utils.sharding import shard_epochs

from ..base_dataset import AugmentSettings
from ..checking.check import TrainingSizes, check_segmentation_data
from ..checking.labels import LabelledClasses
from ..config import SegformerConfig
from ..dataset import CityscapesSource, list_pairs, open_pairs, read_pair
from ..image_cache import BYTES_PER_GB, ImageCache
from ..labels.files import ImagePair
from ..labels.patterns import Layout
from ..results.batch_view import LabelBatchView
from ..variants import drop_path_rates
from .classes import build_label_coding, colours_of_classes, names_of_classes
from .scales import SIZE_DIVISOR
from .size import network_size


def open_split(config: SegformerConfig, is_training: bool) -> tuple[ImagePair, ...]:
    """Finds and checks images and labels of the training or the evaluation split.

    Raises:
        UserError: they cannot be used, or the images of the training would be those of its evaluation.
    """
    split, layout = config.train_split if is_training else config.eval_split, build_layout(config)
    if layout is not None and is_training and config.run_eval and not layout.is_divided:
        raise BadValueError(
            "training and evaluation would have the same images: write {split} into the patterns, keep some for "
            "evaluation with --val_share=0.2, or set --run_eval=False"
        )
    with naming_source(config, ("data_path",)):
        return open_pairs(
            Path(config.data_path),
            split,
            config.class_num,
            config.dataset_ignore_label,
            names_of_classes(config),
            layout=layout,
            coding=build_label_coding(config),
            for_training=is_training,
        )


def build_layout(config: SegformerConfig) -> Layout | None:
    """Returns where images and labels lie; None for the layout of Cityscapes."""
    if not config.image_pattern:
        return None
    share = ValShare(config.val_share, config.val_seed, config.val_group_by_stem) if config.val_share else None
    return Layout(config.image_pattern, config.label_pattern, config.split_list, share, config.train_split)


def check_data(config: SegformerConfig, options: Options) -> Report:
    """Looks at the data set that a training would read; see `check_segmentation_data`."""
    root = Path(config.data_path)
    layout, coding = build_layout(config), build_label_coding(config)
    splits = {
        split: partial(list_pairs, root, split, layout, coding) for split in (config.train_split, config.eval_split)
    }
    classes = LabelledClasses(names_of_classes(config), config.dataset_ignore_label)
    sizes = TrainingSizes(config.base_size, config.crop_size, SIZE_DIVISOR, pads=config.canvas == "fixed")
    with naming_source(config, ("data_path",)):
        return check_segmentation_data(root, splits, classes, sizes, options)


def build_training_source(
    config: SegformerConfig, pairs: tuple[ImagePair, ...], workers: Workers = ALONE
) -> CityscapesSource:
    """Builds the batches that a worker of a run trains on."""
    size = network_size(config)
    augmentation = AugmentSettings(
        base_size=config.base_size,
        crop_size=config.crop_size,
        scale_range=config.scale_range,
        cat_max_ratio=config.cat_max_ratio,
        class_crop_ratio=config.class_crop_ratio,
        flip_ratio=config.flip_ratio,
        photometric_distortion=config.photometric_distortion,
        mean=config.img_norm_mean,
        std=config.img_norm_std,
        ignore_label=config.dataset_ignore_label,
    )
    rates = np.repeat(drop_path_rates(config.drop_path_rate, sum(size.depths)), 2)  # attention and MLP of each block
    epochs = shard_epochs(config, len(pairs), workers)
    read = partial(read_pair, num_classes=config.class_num, ignore_label=config.dataset_ignore_label)
    return CityscapesSource(
        images=ImageCache(pairs, read, config.cache_gb * BYTES_PER_GB),
        epochs=epochs,
        augmentation=augmentation,
        path_drop_rates=rates,
        channels=size.decoder_channels,
        channel_drop_rate=config.head_dropout,
        num_loaders=clamp_loaders(config.dataset_num_parallel_workers),
    )


def build_batch_view(config: SegformerConfig, source: CityscapesSource) -> LabelBatchView:
    """Builds what shows the batches of a run."""
    return LabelBatchView(source, names_of_classes(config), colours_of_classes(config))


@contextlib.contextmanager
def open_batch_view(config: SegformerConfig) -> Iterator[LabelBatchView]:
    """Opens the training split and yields what shows its batches, as one worker would train on them."""
    yield build_batch_view(config, build_training_source(config, open_split(config, is_training=True)))

"""Repeat-factor sampling (Gupta, Dollar, Girshick: LVIS, CVPR 2019, section 5.1): images of rare classes come often."""

import logging

import numpy as np

from utils.detection.data.mindrecord import open_mindrecord, unpack_annotation
from utils.detection.data.mindrecord_info import MindRecordInfo
from utils.words import counted, first_of

MAX_NAMED = 5  # classes in the line of the log

logger = logging.getLogger(__name__)


def repeat_factors(image_index: np.ndarray, labels: np.ndarray, count: int, threshold: float) -> np.ndarray:
    """Returns how often each class is to be seen for each time that it is.

    A class in a share f of the images has max(1, sqrt(threshold / f)), one that is in none has 1.

    Args:
        image_index: int64[N], image of each box, 0 to `count` - 1.
        labels: int64[N], class index of each box.
        count: images.
        threshold: share of the images, above 0, from which a class is frequent enough.

    Returns:
        float64[C], C up to the highest label.
    """
    _, labels_of_images = np.unique(np.stack([image_index, labels]), axis=1)
    share = np.bincount(labels_of_images) / count
    return np.sqrt(np.maximum(1.0, np.divide(threshold, share, out=np.ones_like(share), where=share > 0)))


def image_repeats(image_index: np.ndarray, labels: np.ndarray, count: int, of_class: np.ndarray) -> np.ndarray:
    """Returns how often each image comes, float64[count]: as its rarest class asks for; 1 without boxes.

    Args:
        image_index: int64[N], image of each box.
        labels: int64[N], class index of each box.
        count: images.
        of_class: float64[C], of each class.
    """
    repeats = np.ones(count)
    np.maximum.at(repeats, image_index, of_class[labels])
    return repeats


def repeats_of_rows(records: MindRecordInfo, rows: np.ndarray, threshold: float) -> np.ndarray:
    """Returns how often each image of a training set comes in an epoch, float64[N]; the log says what that makes.

    Crowds do not count, as they are not learned.

    Args:
        records: the MindRecord files.
        rows: int64[N], the images that are trained on.
        threshold: as for `repeat_factors`.
    """
    found = open_mindrecord(records, rows.tolist(), ("annotation",)).create_dict_iterator(
        num_epochs=1, output_numpy=True
    )
    of_images = [labels[~is_crowd] for _, labels, is_crowd in (unpack_annotation(row["annotation"]) for row in found)]
    image_index = np.repeat(np.arange(len(rows)), [len(labels) for labels in of_images])
    labels = np.concatenate(of_images).astype(np.int64)
    of_class = repeat_factors(image_index, labels, len(rows), threshold)
    repeats = image_repeats(image_index, labels, len(rows), of_class)
    rare = [index for index in np.argsort(-of_class, kind="stable").tolist() if of_class[index] > 1]
    if not rare:
        logger.info("repeat_threshold %g: no class is in a smaller share of the images, so none is repeated", threshold)
        return repeats
    logger.info(
        "repeat_threshold %g: an epoch has %s instead of %d; classes that come more often: %s",
        threshold,
        counted(int(np.ceil(repeats.sum())), "image"),
        len(rows),
        first_of([f"{records.class_names[index]} x {of_class[index]:.2f}" for index in rare], MAX_NAMED),
    )
    return repeats

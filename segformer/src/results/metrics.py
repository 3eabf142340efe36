"""The confusion matrix of a segmentation, filled image by image, and what is read from it."""

import numpy as np


class ConfusionMatrix:
    """Counts pixels by true and predicted class; its size does not grow with the number of images.

    Args:
        num_classes: C, number of classes.
        ignore_label: label of pixels that do not count, not below `num_classes`.

    Attributes:
        counts: int64[C, C], pixels of true class (row) that were predicted as a class (column).
    """

    def __init__(self, num_classes: int, ignore_label: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.counts = np.zeros((num_classes, num_classes), np.int64)

    def add(self, prediction: np.ndarray, label: np.ndarray) -> None:
        """Counts the pixels of an image.

        Args:
            prediction: uint8[H, W], class of each pixel.
            label: uint8[H, W], true class of each pixel, or `ignore_label`.

        Raises:
            ValueError: the shapes differ, or there is a value that is neither a class nor, in `label`, to be ignored.
        """
        if prediction.shape != label.shape:
            raise ValueError(f"prediction of shape {prediction.shape} and label of shape {label.shape}: make them same")
        if prediction.size and prediction.max() >= self.num_classes:
            raise ValueError(f"predicted class {prediction.max()}, wanted 0 to {self.num_classes - 1}")
        # One bin for each pair of byte values, so that nothing is filtered beforehand and strange labels are seen.
        pairs = label.astype(np.uint16) << 8 | prediction
        counts = np.bincount(pairs.reshape(-1), minlength=1 << 16).reshape(256, 256)[:, : self.num_classes]
        self._refuse_strange_labels(counts.sum(axis=1))
        self.counts += counts[: self.num_classes]

    def _refuse_strange_labels(self, pixels_of_label: np.ndarray) -> None:
        strange = np.flatnonzero(pixels_of_label[self.num_classes :]) + self.num_classes
        strange = strange[strange != self.ignore_label]
        if strange.size:
            raise ValueError(
                f"label {strange[0]}, wanted 0 to {self.num_classes - 1} or {self.ignore_label} for pixels to ignore"
            )

    def iou(self) -> np.ndarray:
        """Returns intersection over union, float64[C]; nan for a class neither labelled nor predicted anywhere.

        A class that is predicted but nowhere labelled has 0. Both are as in Cityscapes' own scripts.
        """
        right = np.diag(self.counts)
        return _ratio(right, self.counts.sum(axis=0) + self.counts.sum(axis=1) - right)

    def class_accuracy(self) -> np.ndarray:
        """Returns the share of each class's pixels that was found, float64[C]; nan for a class nowhere labelled."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    def mean_iou(self) -> float:
        """Returns the mean IoU over the classes that are not absent; nan where all of them are."""
        return _mean_of_present(self.iou())

    def mean_accuracy(self) -> float:
        """Returns the mean of `class_accuracy` over the labelled classes; nan where there are none."""
        return _mean_of_present(self.class_accuracy())

    def pixel_accuracy(self) -> float:
        """Returns the share of all labelled pixels that was predicted right; nan where there are none."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    def is_unlabelled(self) -> np.ndarray:
        """Returns bool[C]: no pixel is labelled as the class."""
        return self.counts.sum(axis=1) == 0

    def is_absent(self) -> np.ndarray:
        """Returns bool[C]: the class is neither labelled nor predicted anywhere."""
        return self.counts.sum(axis=0) + self.counts.sum(axis=1) == 0


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divides, with nan (and no warning) for 0 / 0."""
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan)


def _mean_of_present(values: np.ndarray) -> float:
    is_present = ~np.isnan(values)
    return float(values[is_present].mean()) if is_present.any() else float("nan")

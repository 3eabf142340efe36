"""From which score a detection is shown: one score for all classes, or each class's own."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MinScore:
    """The lowest scores that are shown.

    Attributes:
        overall: for all classes, where they have none of their own.
        by_class: of each class index; empty where `overall` is for all.
    """

    overall: float
    by_class: tuple[float, ...] = ()

    def of(self, labels: np.ndarray) -> np.ndarray:
        """Returns float64[N], the lowest score that is shown of each of int[N] class indices."""
        labels = np.asarray(labels, np.int64).reshape(-1)
        if not self.by_class:
            return np.full(len(labels), self.overall)
        return np.array(self.by_class, np.float64)[labels]

    def __str__(self) -> str:
        """The scores, for a sentence: "0.31", or "0.2 to 0.63"."""
        least, most = (pick(self.by_class or (self.overall,)) for pick in (min, max))
        return f"{least:.3g}" if least == most else f"{least:.3g} to {most:.3g}"

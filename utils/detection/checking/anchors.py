"""Boxes, as the network is shown them, against its anchors: which no anchor fits, and what would fit them better."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.checking.findings import NOTE, WARNING, Findings
from utils.detection.anchors import cell_anchors, level_sizes
from utils.detection.data.record_types import DetectionDataset
from utils.words import counted, share

Size = tuple[int, int]  # (height, width) in pixels
Resize = Callable[[Size, Size], Size]  # (height, width) that a picture of a size has within an input of a size

MANY, SOME = 0.05, 0.01  # shares of the boxes: from the first on a warning, from the second on a note
FACTORS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 4 / 3, 3 / 2, 2, 3)  # on the anchors' sizes, that are tried
ENLARGED = (1.5, 2.0)  # factors on the sides of the input that are tried
NEARLY_BEST = 1.25  # times the boxes that the best leave is as good, where it changes less
WORTHWHILE = 2 / 3  # of the boxes that fit no anchor: what leaves more is no advice
BOXES_AT_ONCE = 100_000


@dataclass(frozen=True)
class AnchorSettings:
    """The anchors of a network, and what its training does with boxes that fit none.

    Attributes:
        strides: of the levels in pixels.
        scales: sizes of the anchors of a level in its strides.
        ratios: height over width.
        wanted_iou: a box whose best IoU is below it fits no anchor.
        otherwise: what becomes of such a box in training.
        key: that the scales follow from.
        value: of this key, a number or several.
    """

    strides: Sequence[int]
    scales: Sequence[float]
    ratios: Sequence[float]
    wanted_iou: float
    otherwise: str
    key: str
    value: float | tuple[float, ...]

    def scaled(self, factor: float) -> "AnchorSettings":
        """Returns anchors whose sizes are `factor` times these; numbers of the key have two digits."""
        value = self.value if isinstance(self.value, tuple) else (self.value,)
        rounded = tuple(float(f"{each * factor:.2g}") for each in value)
        scales = tuple(scale * rounded[0] / value[0] for scale in self.scales)
        return replace(self, scales=scales, value=rounded if isinstance(self.value, tuple) else rounded[0])


@dataclass(frozen=True)
class NetworkInput:
    """What the network is shown.

    Attributes:
        size: height and width of the input.
        multiple: both are multiples of it.
        keys: that choose them, one for both or one for each.
        resize: what is done to the size of pictures.
        keep_ratio: whether pictures keep their ratio of sides.
    """

    size: Size
    multiple: int
    keys: tuple[str, ...]
    resize: Resize
    keep_ratio: bool = True

    def flags(self, size: Size) -> str:
        """Returns the arguments that choose a (height, width)."""
        return " ".join(f"--{key}={_listed(value)}" for key, value in self.values(size).items())

    def values(self, size: Size) -> dict[str, object]:
        """Returns the values of the keys for a (height, width)."""
        return {self.keys[0]: list(size)} if len(self.keys) == 1 else dict(zip(self.keys, size, strict=True))

    def times(self, factor: float) -> Size:
        """Returns the input with sides near `factor` times these."""
        height, width = (max(1, round(side * factor / self.multiple)) * self.multiple for side in self.size)
        return height, width


def shown_boxes(dataset: DetectionDataset, resize: Resize, size: Size) -> np.ndarray:
    """Returns the boxes that training learns from, crowds apart, in pixels of the input.

    Args:
        dataset: the split.
        resize: what is done to the size of pictures.
        size: (height, width) of the input.

    Returns:
        float64[N, 4], xyxy.
    """
    records = [each for each in dataset.records if len(each.boxes)]
    factors: dict[Size, tuple[float, float]] = {}
    for each in records:
        own = (each.height, each.width)
        if own not in factors:
            height, width = resize(own, size)
            factors[own] = (width / own[1], height / own[0])
    counts = [len(each.boxes) for each in records]
    across = np.repeat(np.array([factors[each.height, each.width] for each in records]).reshape(-1, 2), counts, axis=0)
    boxes = np.concatenate([np.zeros((0, 4)), *(each.boxes for each in records)])
    is_crowd = np.concatenate([np.zeros(0, bool), *(each.is_crowd for each in records)])
    return (boxes * np.tile(across, 2))[~is_crowd]


def best_ious(boxes: np.ndarray, size: Size, anchors: AnchorSettings) -> np.ndarray:
    """Returns float64[N], the highest IoU of each box with any anchor of an input.

    All anchors of one shape have the same area, so the one that shares most with a box is best: that whose centre is
    nearest to the box's, on each axis by itself.

    Args:
        boxes: float64[N, 4], xyxy, pixels of the input.
        size: (height, width) of the input.
        anchors: of the network.
    """
    parts = [boxes[start : start + BOXES_AT_ONCE] for start in range(0, len(boxes), BOXES_AT_ONCE)]
    return np.concatenate([np.zeros(0), *(_best_ious(part, size, anchors) for part in parts)])


def _best_ious(boxes: np.ndarray, size: Size, anchors: AnchorSettings) -> np.ndarray:
    best = np.zeros(len(boxes))
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides.prod(axis=1)
    for stride, (rows, columns) in zip(anchors.strides, level_sizes(*size, anchors.strides), strict=True):
        nearest = np.round((boxes[:, :2] + boxes[:, 2:]) / 2 / stride)
        centres = np.clip(nearest, 0, (columns - 1, rows - 1)) * stride  # [N, 2]
        shapes = cell_anchors(stride, anchors.scales, anchors.ratios).astype(np.float64)  # [K, 4] around 0
        starts = np.maximum(boxes[:, None, :2], centres[:, None] + shapes[:, :2])  # [N, K, 2]
        ends = np.minimum(boxes[:, None, 2:], centres[:, None] + shapes[:, 2:])
        shared = np.maximum(ends - starts, 0).prod(axis=-1)
        own = (shapes[:, 2:] - shapes[:, :2]).prod(axis=-1)
        best = np.maximum(best, (shared / (areas[:, None] + own - shared)).max(axis=1))
    return best


def add_anchor_faults(
    found: Findings, split: str, dataset: DetectionDataset, inputs: NetworkInput, anchors: AnchorSettings
) -> dict[str, object]:
    """Adds that boxes fit no anchor, or are finer than the network's finest level, and what fits them better.

    Returns:
        Suggested values of keys.
    """
    boxes = shown_boxes(dataset, inputs.resize, inputs.size)
    if not len(boxes):
        return {}
    sides = boxes[:, 2:] - boxes[:, :2]
    shown = f"{inputs.size[0]} x {inputs.size[1]}"
    is_alone = best_ious(boxes, inputs.size, anchors) < anchors.wanted_iou
    suggestions: dict[str, object] = {}
    if is_alone.mean() >= SOME:
        smallest = min(anchors.strides) * min(anchors.scales)
        is_small = np.sqrt(sides[is_alone].prod(axis=1)) < smallest
        better = _better_anchors(boxes, inputs.size, anchors, float(is_alone.mean()))
        if better is not None and is_alone.mean() >= MANY:
            suggestions[anchors.key] = list(better.value) if isinstance(better.value, tuple) else better.value
        found.add(
            WARNING if is_alone.mean() >= MANY else NOTE,
            "boxes-without-anchor",
            split,
            int(is_alone.sum()),
            f"[box fits|boxes fit] no anchor at {shown} (height x width): [its|their] best IoU is below "
            f"{anchors.wanted_iou:g} ({share(is_alone.sum(), len(boxes))} of {counted(len(boxes), 'box')}; "
            f"{share(is_small.sum(), len(is_small))} of these are smaller than the smallest anchor, {smallest:g} "
            "pixels)",
            "; ".join([*_advice(dataset, inputs, anchors, better, float(is_alone.mean())), anchors.otherwise]),
        )
    finest = min(anchors.strides)
    is_fine = sides.min(axis=1) < finest
    if is_fine.mean() >= MANY:
        found.add(
            WARNING,
            "boxes-below-stride",
            split,
            int(is_fine.sum()),
            f"[box has|boxes have] a side below {finest} pixels at {shown}, which is the finest stride of the network "
            f"({share(is_fine.sum(), len(boxes))} of {counted(len(boxes), 'box')})",
            "show the pictures larger, or cut them into parts: such objects are hardly ever found",
        )
    return suggestions


def _better_anchors(boxes: np.ndarray, size: Size, anchors: AnchorSettings, alone: float) -> AnchorSettings | None:
    """Returns anchors that leave hardly more boxes than the best of `FACTORS`, and are nearest to the present ones.

    None where even the best are hardly better than these.
    """
    tried = [(abs(np.log(factor)), anchors.scaled(factor)) for factor in FACTORS]
    left = [float((best_ious(boxes, size, each) < anchors.wanted_iou).mean()) for _, each in tried]
    enough = max(NEARLY_BEST * min(left), min(left) + SOME)
    enough = min(enough, WORTHWHILE * alone)
    fitting = [each for each, still in zip(tried, left, strict=True) if still <= enough]
    return min(fitting, key=lambda each: each[0])[1] if fitting else None


def _advice(
    dataset: DetectionDataset,
    inputs: NetworkInput,
    anchors: AnchorSettings,
    better: AnchorSettings | None,
    alone: float,
) -> Iterator[str]:
    if better is not None:
        left = _left(dataset, inputs, better, inputs.size)
        yield f"--{better.key}={_listed(better.value)} leaves {share(left, 1)} without one"
    for factor in ENLARGED:
        size = inputs.times(factor)
        left = _left(dataset, inputs, anchors, size)
        if size != inputs.size and left <= WORTHWHILE * alone:
            work = size[0] * size[1] / (inputs.size[0] * inputs.size[1])
            yield f"{inputs.flags(size)} leaves {share(left, 1)}, with {work:.2g} times the work"
            return


def _left(dataset: DetectionDataset, inputs: NetworkInput, anchors: AnchorSettings, size: Size) -> float:
    boxes = shown_boxes(dataset, inputs.resize, size)
    return float((best_ious(boxes, size, anchors) < anchors.wanted_iou).mean())


def _listed(value: object) -> str:
    return f"[{','.join(f'{each:g}' for each in value)}]" if isinstance(value, list | tuple) else f"{value:g}"

"""Which size of input shows the pictures of a data set as large as the configured one does, with less padding."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from utils.canvas import rounded_up
from utils.checking.findings import NOTE, Findings
from utils.image_files import evenly_spread
from utils.words import share

Size = tuple[int, int]  # (height, width) in pixels
# Scales of pictures, float64[N, 2] as (height, width), in inputs, float64[M, 2]: float64[M, N].
Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]

LOOKED_AT = 500  # pictures, evenly spread: the answer is a multiple of 32 or more anyway
AS_LARGE = 0.98  # of the mean scale: a smaller loss is not seen
SHRUNK, ENLARGED = 0.5, 1.5  # mean scales of the pictures beyond which it is said
WORTHWHILE = 0.9  # of the pixels of the configured input: a smaller gain is not worth another number


def fit_inside(sizes: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Returns the scales at which pictures just fit into inputs as they lie; see `Fit`."""
    return (inputs[:, None, :] / sizes).min(axis=-1)


def fit_turned(sizes: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Returns the same where an upright picture gets the input upright."""
    return fit_inside(np.sort(sizes, axis=-1), np.sort(inputs, axis=-1))


def leaner_input(sizes: Sequence[Size], configured: Size, multiple: int, fit: Fit) -> Size | None:
    """Returns the smallest input on which the pictures are shown as large as on the configured one.

    Args:
        sizes: (height, width) of the pictures.
        configured: height and width of the input.
        multiple: both sides of an input are multiples of it.
        fit: scales of pictures in inputs.

    Returns:
        None where none has a tenth fewer pixels.
    """
    if not sizes:
        return None
    counts = Counter(evenly_spread(sizes, LOOKED_AT))
    distinct, weights = np.array(list(counts), np.float64), np.array(list(counts.values()), np.float64)
    steps = np.arange(1, max(configured) // multiple + 1) * float(multiple)
    inputs = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    inputs = inputs[inputs.prod(axis=1) <= WORTHWHILE * configured[0] * configured[1]]
    wanted = AS_LARGE * np.average(fit(distinct, np.array([configured], np.float64))[0], weights=weights)
    inputs = inputs[np.average(fit(distinct, inputs), weights=weights, axis=1) >= wanted] if len(inputs) else inputs
    if not len(inputs):
        return None
    best = inputs[inputs.prod(axis=1).argmin()]
    return int(best[0]), int(best[1])


def add_scale(
    found: Findings, split: str, sizes: Sequence[Size], configured: Size, multiple: int, key: str, fit: Fit
) -> None:
    """Adds that pictures are shown much smaller or larger than they are; arguments as `add_padding`.

    Neither is a fault: small things are seen better in large pictures, which take more work.
    """
    scale = float(fit(np.array(evenly_spread(sizes, LOOKED_AT), np.float64), np.array([configured], np.float64)).mean())
    shown = f"the input of {configured[0]} x {configured[1]} (height x width)"
    found.add(
        NOTE,
        "pictures-shrunk",
        split,
        len(sizes) if scale < SHRUNK else 0,
        f"[picture is|pictures are] shrunk to {scale:.2f} of [its|their] size on average to fit {shown}",
        f"details thinner than {1 / scale:.0f} pixels vanish: a larger input ({key}) shows them, with more work for "
        "each step",
    )
    native = rounded_up(Counter(sizes).most_common(1)[0][0], multiple)
    found.add(
        NOTE,
        "pictures-enlarged",
        split,
        len(sizes) if scale > ENLARGED else 0,
        f"[picture is|pictures are] enlarged {scale:.2f} times on average to fit {shown}",
        f"{native[0]} x {native[1]} ({key}) shows most of them unchanged, with "
        f"{share(native[0] * native[1], configured[0] * configured[1])} of the pixels to compute; enlarged, small "
        "objects are easier to find",
    )


def add_padding(
    found: Findings, split: str, sizes: Sequence[Size], configured: Size, leaner: Size | None, key: str, fit: Fit
) -> None:
    """Adds that much of the configured input is padding.

    Args:
        found: takes the finding.
        split: name of the split.
        sizes: (height, width) of its pictures.
        configured: height and width of the input.
        leaner: of one that shows them as large; None where there is none.
        key: that chooses the input, or keys.
        fit: scales of pictures in inputs.
    """
    if leaner is None:
        return
    looked_at = np.array(evenly_spread(sizes, LOOKED_AT), np.float64)
    scales = fit(looked_at, np.array([configured], np.float64))[0]
    filled = float((looked_at.prod(axis=1) * scales**2).mean() / (configured[0] * configured[1]))
    saved = 1 - leaner[0] * leaner[1] / (configured[0] * configured[1])
    found.add(
        NOTE,
        "input-padded",
        split,
        len(sizes),
        f"[picture fills|pictures fill] {share(filled, 1)} of the input of {configured[0]} x {configured[1]} (height "
        "x width) on average; the rest is padding",
        f"{leaner[0]} x {leaner[1]} ({key}) shows [it|them] as large with {share(saved, 1)} fewer pixels to compute",
    )

"""Heads: face, hair, caps and helmets. Metres from the middle of the head, which looks forward in the side view."""

from collections.abc import Callable

from utils.sample_data.clothes import Clothes
from utils.sample_data.parts import BLACK, Part, box, ellipse, flat, moved, smooth, tone

LONG_HAIR = ((-0.13, 0.08), (0.1, 0.1), (0.12, -0.24), (-0.15, -0.26))
SIDE_HAIR = ((-0.13, -0.07), (-0.14, 0.1), (-0.02, 0.17), (0.12, 0.12), (0.1, 0.055), (-0.02, 0.05), (-0.06, -0.06))
FRONT_HAIR = (
    (-0.125, -0.02), (-0.13, 0.11), (0.0, 0.18), (0.13, 0.11), (0.125, -0.02), (0.09, 0.07), (0.0, 0.09), (-0.09, 0.07),
)  # fmt: skip
CAP = ((-0.14, 0.04), (-0.12, 0.17), (0.08, 0.18), (0.13, 0.05))
VISOR = (50, 60, 72)


def head(centre: tuple[float, float], clothes: Clothes, facing: str) -> list[Part]:
    """A head on a neck.

    Args:
        centre: where, (forward, up) in metres.
        clothes: colours, hairdo and hat.
        facing: "side", "front" or "back".

    Returns:
        Its parts.
    """
    parts = []
    if clothes.hairdo == "long":
        parts += moved([flat(smooth(LONG_HAIR, 2), tone(clothes.hair, 0.85))], forward=-0.05 * (facing == "side"))
    parts.append(flat(box(-0.05, -0.2, 0.05, -0.05), tone(clothes.skin, 0.82)))
    parts.append(flat(ellipse(0, 0, 0.115, 0.14), clothes.hair if facing == "back" else clothes.skin))
    parts += {"side": _profile, "front": _face, "back": lambda _: []}[facing](clothes)
    tops: dict[str, Callable] = {"helmet": _helmet, "cap": _cap}
    parts += tops.get(clothes.hairdo, _hair)(clothes, facing)
    return moved(parts, forward=centre[0], up=centre[1])


def _profile(clothes: Clothes) -> list[Part]:
    """Nose, eye, mouth and ear from the side."""
    return [
        flat(ellipse(0.112, -0.015, 0.026, 0.024, 8), clothes.skin),
        flat(ellipse(0.065, 0.02, 0.013, 0.018, 8), BLACK, solid=False),
        flat(box(0.05, -0.075, 0.1, -0.06), tone(clothes.skin, 0.6), solid=False),
        flat(ellipse(-0.03, -0.01, 0.022, 0.034, 10), tone(clothes.skin, 0.82), solid=False),
    ]


def _face(clothes: Clothes) -> list[Part]:
    """Eyes, mouth and nose from the front."""
    parts = [flat(ellipse(x, 0.015, 0.014, 0.018, 8), BLACK, solid=False) for x in (-0.045, 0.045)]
    parts.append(flat(box(-0.035, -0.08, 0.035, -0.062), (150, 70, 66), solid=False))
    return [*parts, flat(ellipse(0, -0.03, 0.014, 0.022, 8), tone(clothes.skin, 0.85), solid=False)]


def _hair(clothes: Clothes, facing: str) -> list[Part]:
    return [flat(smooth(SIDE_HAIR if facing == "side" else FRONT_HAIR, 2), clothes.hair)]


def _cap(clothes: Clothes, facing: str) -> list[Part]:
    """A cap with its peak over the face, and the hair under it."""
    parts = [*_hair(clothes, facing), flat(smooth(CAP, 2), clothes.hat)]
    if facing != "back":
        peak = box(0.06, 0.045, 0.24, 0.075) if facing == "side" else box(-0.12, 0.045, 0.12, 0.075)
        parts.append(flat(peak, tone(clothes.hat, 0.7)))
    return parts


def _helmet(clothes: Clothes, facing: str) -> list[Part]:
    """A helmet, with glasses except from behind."""
    opening = ellipse(0.01 * (facing == "side"), -0.035, 0.1, 0.09)
    parts = [
        flat(ellipse(-0.01, 0.05, 0.145, 0.13, 16), clothes.hat),
        flat(box(-0.1, 0.09, 0.08, 0.115), tone(clothes.hat, 0.6), solid=False),
        flat(opening, clothes.hair if facing == "back" else clothes.skin, solid=False),
    ]
    if facing != "back":
        parts.append(flat(box(-0.02 if facing == "side" else -0.1, -0.03, 0.1, 0.02), VISOR, solid=False))
    return parts

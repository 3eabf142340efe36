"""What people wear, as colours and cuts."""

from dataclasses import dataclass

import numpy as np

from utils.sample_data.parts import Colour, pick

SKINS: tuple[Colour, ...] = ((244, 208, 178), (228, 184, 146), (200, 148, 108), (156, 104, 70), (104, 68, 46))
HAIRS: tuple[Colour, ...] = ((40, 30, 26), (84, 54, 34), (150, 104, 56), (206, 168, 96), (168, 168, 168), (120, 46, 26))
TOPS: tuple[Colour, ...] = (
    (204, 46, 50),
    (40, 96, 176),
    (240, 196, 56),
    (58, 140, 92),
    (238, 238, 232),
    (120, 70, 150),
    (230, 124, 44),
    (70, 76, 86),
    (98, 180, 200),
    (216, 110, 150),
    (148, 34, 60),
)
LEGS: tuple[Colour, ...] = ((42, 58, 96), (52, 54, 60), (98, 88, 74), (36, 38, 44), (150, 134, 104), (76, 98, 130))


@dataclass(frozen=True)
class Clothes:
    """Colours and cut of one person."""

    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    cut: str  # "trousers", "shorts", "dress" or "coat"
    hairdo: str  # "short", "long", "cap" or "helmet"
    bag: str  # "none", "backpack" or "handbag"
    hat: Colour


def draw_clothes(rng: np.random.Generator, cold: bool) -> Clothes:
    """Draws clothes; nobody wears shorts or a dress when it is cold."""
    cut = str(
        rng.choice(
            ("trousers", "shorts", "dress", "coat"), p=(0.45, 0.0, 0.05, 0.5) if cold else (0.5, 0.2, 0.18, 0.12)
        )
    )
    return Clothes(
        pick(rng, SKINS),
        pick(rng, HAIRS),
        pick(rng, TOPS),
        pick(rng, LEGS),
        pick(rng, ((30, 30, 34), (236, 236, 236), (110, 66, 40), (196, 60, 60))),
        cut,
        str(rng.choice(("short", "long", "cap"), p=(0.5, 0.32, 0.18))),
        str(rng.choice(("none", "backpack", "handbag"), p=(0.5, 0.27, 0.23))),
        pick(rng, TOPS),
    )

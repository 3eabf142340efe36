"""Time of day and weather of a scene, and what they do to colours."""

from dataclasses import dataclass

import numpy as np

from utils.sample_data.drawing.parts import Colour
from utils.sample_data.files import town


@dataclass(frozen=True)
class Light:
    """What the sky does.

    Args:
        time: "day", "overcast", "dusk" or "night".
        weather: "dry", "rain", "fog" or "snow".
        ambient: factor on each of RGB.
        sun: float[3], unit vector towards the sun in world axes.
        sun_strength: share of directed light, 0 for none; also how dark cast shadows are.
        sky_top: colour overhead.
        sky_low: colour at the horizon; haze has it too.
        cloud: colour of clouds.
        cloud_cover: 0 to 1.
        haze_distance: metres at which 63 % of an object's colour is haze.
    """

    time: str
    weather: str
    ambient: np.ndarray
    sun: np.ndarray
    sun_strength: float
    sky_top: Colour
    sky_low: Colour
    cloud: Colour
    cloud_cover: float
    haze_distance: float

    @property
    def lamps_on(self) -> bool:
        """Whether windows, head lamps and street lamps are lit."""
        return self.time in ("dusk", "night")

    def hazed(self, colours: np.ndarray, distance: np.ndarray | float) -> np.ndarray:
        """Mixes colours float[..., 3] with the haze of `distance` metres (broadcast against float[..., 1])."""
        return colours + (np.array(self.sky_low) - colours) * self.haze_share(distance)

    def haze_share(self, distance: np.ndarray | float) -> np.ndarray:
        """Share of haze, 0 to 1, in what is seen over distances in metres."""
        return 1.0 - np.exp(-((np.asarray(distance) / self.haze_distance) ** 1.4))

    def facing(self, normals: np.ndarray) -> np.ndarray:
        """Brightness factor float[N] of surfaces with unit world normals float[N, 3]."""
        sunlit = np.clip(normals @ self.sun, 0.0, None)
        return 0.86 + 0.10 * normals[:, 1] - 0.16 * self.sun_strength + 0.36 * self.sun_strength * sunlit


def _drawn(rng: np.random.Generator, options: dict[str, dict]) -> str:
    return list(options)[int(rng.choice(len(options), p=[option["chance"] for option in options.values()]))]


def draw_light(rng: np.random.Generator) -> Light:
    """Draws the time of day and the weather; rain, fog and snow come with a covered sky."""
    time, weather = _drawn(rng, town("times")), _drawn(rng, town("weathers"))
    if weather != "dry" and time == "day":
        time = "overcast"
    sky, air = town("times")[time], town("weathers")[weather]
    top, low = tuple(sky["sky_top"]), tuple(sky["sky_low"])
    if weather == "fog":
        top, low = low, tuple(0.5 * channel + 0.5 * np.mean(low) for channel in low)
    sun = np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.9), rng.uniform(0.55, 0.95), rng.uniform(-0.75, 0.15)])
    warmth = 1.0 + rng.normal(0.0, 0.02, 3) + rng.normal(0.0, 0.03)
    return Light(
        time,
        weather,
        ambient=np.array(sky["ambient"]) * warmth,
        sun=sun / np.linalg.norm(sun),
        sun_strength=sky["sun"] * air["sun"],
        sky_top=top,
        sky_low=low,
        cloud=tuple(sky["cloud"]),
        cloud_cover=max(sky["cover"], air["cover"]),
        haze_distance=min(sky["haze"] * air["haze"], air["farthest"]),
    )

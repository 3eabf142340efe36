"""Time of day and weather of a scene, and what they do to colours."""

from dataclasses import dataclass

import numpy as np

from utils.sample_data.parts import Colour


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


# (chance, ambient, sun strength, sky top, sky low, cloud, cloud cover, haze distance)
TIMES = {
    "day": (0.50, (1.04, 1.03, 1.0), 1.0, (72, 134, 205), (190, 218, 238), (250, 250, 250), 0.35, 260.0),
    "overcast": (0.20, (0.88, 0.90, 0.94), 0.15, (150, 162, 176), (208, 213, 217), (186, 192, 199), 0.85, 180.0),
    "dusk": (0.18, (0.88, 0.73, 0.70), 0.6, (74, 84, 138), (250, 186, 128), (236, 140, 118), 0.45, 200.0),
    "night": (0.12, (0.40, 0.44, 0.60), 0.0, (14, 20, 44), (58, 68, 104), (44, 52, 82), 0.4, 230.0),
}
WEATHERS = {"dry": 0.70, "rain": 0.12, "fog": 0.08, "snow": 0.10}


def draw_light(rng: np.random.Generator) -> Light:
    """Draws the time of day and the weather; rain, fog and snow come with a covered sky."""
    time = str(rng.choice(list(TIMES), p=[row[0] for row in TIMES.values()]))
    weather = str(rng.choice(list(WEATHERS), p=list(WEATHERS.values())))
    if weather != "dry" and time == "day":
        time = "overcast"
    _, ambient, strength, top, low, cloud, cover, haze = TIMES[time]
    if weather != "dry":
        strength, cover = strength * 0.3, 0.9
    haze = {"dry": haze, "rain": haze * 0.6, "fog": 34.0, "snow": haze * 0.5}[weather]
    if weather == "fog":
        top, low = low, tuple(0.5 * channel + 0.5 * np.mean(low) for channel in low)
    sun = np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.9), rng.uniform(0.55, 0.95), rng.uniform(-0.75, 0.15)])
    warmth = 1.0 + rng.normal(0.0, 0.02, 3) + rng.normal(0.0, 0.03)
    return Light(
        time, weather, np.array(ambient) * warmth, sun / np.linalg.norm(sun), strength, top, low, cloud, cover, haze
    )

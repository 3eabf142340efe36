"""The camera of a toy scene: world metres to picture pixels.

World axes: x to the right, y up from the ground, z away from the camera. Pictures: x to the right, y down; pixel i
covers [i, i + 1).
"""

from dataclasses import dataclass

import numpy as np

NEAR = 0.8  # metres; nothing nearer is drawn


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera at x = z = 0.

    Args:
        height: picture rows.
        width: picture columns.
        focal: pixels per metre at a distance of one metre.
        horizon: row of the horizon, in pixels.
        eye: height of the lens above the ground, in metres.
        yaw: turn to the right around the vertical axis, in radians.
    """

    height: int
    width: int
    focal: float
    horizon: float
    eye: float
    yaw: float = 0.0

    @property
    def position(self) -> np.ndarray:
        """float64[3], the lens in world metres."""
        return np.array([0.0, self.eye, 0.0])

    def view(self, points: np.ndarray) -> np.ndarray:
        """World metres float[..., 3] in camera axes: same origin and up axis, z along the line of sight."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return points @ np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Returns float[..., 2], (x, y) pixels of world points float[..., 3]; those behind NEAR are pushed to it."""
        seen = self.view(points)
        scale = self.focal / np.maximum(seen[..., 2:], NEAR)
        return seen[..., :2] * scale * [1.0, -1.0] + np.concatenate(
            [np.full_like(scale, self.width / 2), self.horizon + self.eye * scale], axis=-1
        )

    def distance(self, x: float, z: float) -> float:
        """Distance of a ground point along the line of sight, in metres."""
        return float(x * np.sin(self.yaw) + z * np.cos(self.yaw))

    def clip(self, polygon: np.ndarray) -> np.ndarray:
        """Cuts off what of float[N, 3] world metres is nearer than NEAR or far left or right (Sutherland-Hodgman).

        Returns:
            float[M, 3], world metres; M is 0 when nothing is left.
        """
        slope = 2.0 * self.width / self.focal
        for plane in ((0.0, 1.0, -NEAR), (1.0, slope, 0.0), (-1.0, slope, 0.0)):
            seen = self.view(polygon)
            inside = seen[:, 0] * plane[0] + seen[:, 2] * plane[1] + plane[2]
            kept = []
            for index in range(len(polygon)):
                here, there = inside[index - 1], inside[index]
                if here * there < 0:
                    kept.append(polygon[index - 1] + (polygon[index] - polygon[index - 1]) * here / (here - there))
                if there >= 0:
                    kept.append(polygon[index])
            polygon = np.array(kept).reshape(-1, 3)
        return polygon

"""Zernike moments, a made-up feature family: what a minimal family needs and no more."""

from __future__ import annotations

from math import factorial

import numpy as np

from features import ImageDescriptor
from features.geometry import grid_cells

MOMENTS = [(n, m) for n in range(4) for m in range(n % 2, n + 1, 2)]


class Zernike(ImageDescriptor):
    """Magnitudes of Zernike moments of the image and of the cells of a grid."""

    title = "Zernike"
    references = {  # noqa: RUF012 - as a user would write it
        "teague1980": {
            "kind": "article", "authors": "Teague, M. R.",
            "title": "Image analysis via the general theory of moments", "year": 1980,
            "venue": "Journal of the Optical Society of America", "volume": "70",
            "pages": "920-930", "doi": "10.1364/JOSA.70.000920",
        }
    }  # fmt: skip

    def __init__(self, grid: int = 2) -> None:
        self.grid = grid

    def describe(self, image: np.ndarray) -> np.ndarray:
        parts = [image, *(image[cell] for cell in grid_cells(image.shape, self.grid))]
        return np.array([_magnitude(part, n, m) for part in parts for n, m in MOMENTS])

    def feature_names(self, height: int, width: int) -> list[str]:
        ends = ["", *(f"/cell{k:02d}" for k in range(self.grid**2))]
        return [f"zernike/n{n}m{m}{end}" for end in ends for n, m in MOMENTS]


def _magnitude(image: np.ndarray, n: int, m: int) -> float:
    y, x = (np.linspace(-1, 1, side) for side in image.shape)
    radius, angle = np.hypot(y[:, None], x), np.arctan2(y[:, None], x)
    radial = sum(
        (-1) ** k * factorial(n - k) * radius ** (n - 2 * k)
        / (factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k))
        for k in range((n - m) // 2 + 1)
    )  # fmt: skip
    inside = image * radial * np.exp(-1j * m * angle) * (radius <= 1)
    return float((n + 1) / np.pi * abs(inside.mean()))

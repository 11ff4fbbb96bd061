"""What is timed: each descriptor and the same outputs from scikit-image and mahotas."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from features.base import grid_cells
from features.glcm_kernels import ANGLES, PROPERTIES, texture_properties
from features.hog import Hog
from features.lbp import Lbp
from features.lbp_kernels import POINTS_PER_RADIUS

GreyImages = NDArray[np.uint8]

RADII, GRID = (1, 2, 3), 7
DISTANCES, LEVELS = (1, 2, 4), 32  # by four angles: 12 offsets
SIX = PROPERTIES[:-1]  # ours computes entropy as well, so the comparison favours the peer


def skimage_hog(
    image: GreyImages, orientations: int = 9, cell: int = 16, block: int = 2
) -> NDArray[np.float64]:
    """Return the columns of :class:`features.hog.Hog` for one image, by scikit-image."""
    from skimage.feature import hog

    return np.asarray(
        hog(
            image,
            orientations=orientations,
            pixels_per_cell=(cell, cell),
            cells_per_block=(block, block),
            block_norm="L2-Hys",
        )
    )


def skimage_lbp(
    image: GreyImages, radii: tuple[int, ...] = RADII, grid: int = GRID
) -> NDArray[np.float64]:
    """Return the columns of :class:`features.lbp.Lbp` for one image, by scikit-image."""
    from skimage.feature import local_binary_pattern

    parts = []
    for radius in radii:
        points = POINTS_PER_RADIUS * radius
        codes = local_binary_pattern(image, points, radius, method="uniform").astype(np.intp)
        for cell in grid_cells(codes.shape, grid):
            counts = np.bincount(codes[cell].ravel(), minlength=points + 2)
            parts.append(counts / counts.sum())
    return np.concatenate(parts)


def skimage_glcm(
    image: GreyImages,
    distances: tuple[int, ...] = DISTANCES,
    levels: int = LEVELS,
    properties: tuple[str, ...] = SIX,
) -> NDArray[np.float64]:
    """Return the whole-image :func:`features.glcm_kernels.texture_properties`, by scikit-image."""
    from skimage.feature import graycomatrix, graycoprops

    grey = (image.astype(np.uint16) * levels // 256).astype(np.uint8)
    matrices = graycomatrix(grey, distances, ANGLES, levels=levels, symmetric=True, normed=True)
    return np.stack([graycoprops(matrices, name) for name in properties])


def mahotas_lbp(image: GreyImages) -> NDArray[np.float64]:
    """Rotation-invariant codes over the whole image at the same radii; not the same codes."""
    from mahotas.features import lbp

    return np.concatenate([lbp(image, radius, POINTS_PER_RADIUS * radius) for radius in RADII])


def mahotas_haralick(image: GreyImages) -> NDArray[np.float64]:
    """13 Haralick features at the same 12 offsets."""
    from mahotas.features import haralick

    grey = (image.astype(np.uint16) * LEVELS // 256).astype(np.uint8)
    return np.stack([haralick(grey, distance=distance) for distance in DISTANCES])


class Case(NamedTuple):
    """One family: ``ours``, called with a batch, and ``peers``, called with each image."""

    name: str
    ours: Callable[[GreyImages], object]
    peers: dict[str, Callable[[GreyImages], object]]


def describe_glcm(images: GreyImages) -> None:
    """Whole-image texture properties of a batch."""
    for image in images:
        texture_properties(image, DISTANCES, LEVELS)


def cases() -> list[Case]:
    """One case a family; mahotas only where it is installed."""
    found = [
        Case("HOG", Hog().transform, {"scikit-image": skimage_hog}),
        Case("LBP", Lbp(radii=RADII, grid=GRID).transform, {"scikit-image": skimage_lbp}),
        Case("GLCM", describe_glcm, {"scikit-image": skimage_glcm}),
    ]
    if find_spec("mahotas"):
        found[1].peers["mahotas"] = mahotas_lbp
        found[2].peers["mahotas"] = mahotas_haralick
    return found


def jpeg_decoder(images: GreyImages) -> Callable[[], object]:
    """Return a decoder of the images' own JPEGs (quality 95) to grey."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    files = [cv2.imencode(".jpg", image, quality)[1] for image in images]
    return lambda: [cv2.imdecode(file, cv2.IMREAD_GRAYSCALE) for file in files]


def describe_all(images: GreyImages, n_jobs: int) -> None:
    """Describe a batch with ``n_jobs`` threads, as the three cases do together."""
    batches = np.array_split(images, max(n_jobs, len(images) // 32))
    Parallel(n_jobs=n_jobs, backend="threading")(
        delayed(case.ours)(batch) for batch in batches for case in cases()
    )

"""Features of the plain script: scikit-image, SciPy and timm used as in their documentation."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks.speed.library_features import skimage_glcm, skimage_hog, skimage_lbp
from features.geometry import grid_cells

GreyImages = NDArray[np.uint8]
Matrix = NDArray[np.float32]

GRID = 4
WAVELENGTHS, ORIENTATIONS = (4, 8, 16), 4
GLCM_DISTANCES, GLCM_CELL_DISTANCES = (1, 2, 4, 8), (1, 4)
PERCENTILES = (5, 25, 50, 75, 95)
BATCH = 32


def read(path: Path, size: int) -> GreyImages:
    """Read one image with Pillow, grey and resized.

    Parameters
    ----------
    path : Path
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (size, size), uint8
    """
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((size, size)))


def stretch(image: GreyImages) -> GreyImages:
    """Stretch the 1st to 99th percentile to the full range with scikit-image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8

    Returns
    -------
    ndarray of shape (H, W), uint8
    """
    from skimage.exposure import rescale_intensity

    low, high = np.percentile(image, (1, 99))
    if high <= low:
        return image
    return np.asarray(rescale_intensity(image, in_range=(low, high), out_range=np.uint8))


def glcm(image: GreyImages) -> NDArray[np.float64]:
    """Compute texture properties: mean and range over angles of the image, mean of each cell.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8

    Returns
    -------
    ndarray of shape (d,), float64
    """
    whole = skimage_glcm(image, GLCM_DISTANCES)
    whole = whole.reshape(-1, len(GLCM_DISTANCES), 4)
    cells = [
        skimage_glcm(image[cell], GLCM_CELL_DISTANCES).mean(axis=-1).ravel()
        for cell in grid_cells(image.shape, GRID)
    ]
    return np.concatenate([whole.mean(axis=-1).ravel(), np.ptp(whole, axis=-1).ravel(), *cells])


@lru_cache(maxsize=1)
def gabor_bank() -> list[NDArray[np.complex128]]:
    """Return Gabor kernels of one octave bandwidth from scikit-image.

    Returns
    -------
    list of ndarray of complex128
    """
    from skimage.filters import gabor_kernel

    return [
        gabor_kernel(1 / wavelength, theta=np.pi * k / ORIENTATIONS)
        for wavelength in WAVELENGTHS
        for k in range(ORIENTATIONS)
    ]


def gabor(image: GreyImages) -> NDArray[np.float64]:
    """Compute mean and deviation of each response's magnitude, and its mean in each cell.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8

    Returns
    -------
    ndarray of shape (d,), float64
    """
    from scipy.signal import fftconvolve

    grey = image / 255.0
    parts = []
    for kernel in gabor_bank():
        magnitude = np.abs(fftconvolve(grey, kernel, mode="same"))
        cells = [magnitude[cell].mean() for cell in grid_cells(image.shape, GRID)]
        parts.append([magnitude.mean(), magnitude.std(), *cells])
    return np.concatenate(parts)


def statistics(grey: GreyImages) -> list[float]:
    """Compute moments, percentiles and entropy of grey values.

    Parameters
    ----------
    grey : ndarray of shape (H, W), uint8

    Returns
    -------
    list of float
        Skewness and kurtosis are 0 for constant values.
    """
    from scipy.stats import kurtosis, skew
    from skimage.measure import shannon_entropy

    values = grey.ravel().astype(np.float64)
    shape = [skew(values), kurtosis(values)] if np.ptp(values) > 0 else [0.0, 0.0]
    return [values.mean(), values.std(), *shape, *np.percentile(values, PERCENTILES),
            shannon_entropy(grey)]  # fmt: skip


def intensity(image: GreyImages) -> NDArray[np.float64]:
    """Compute the grey-level statistics of the image and of each cell.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8

    Returns
    -------
    ndarray of shape (d,), float64
    """
    cells = [statistics(image[cell]) for cell in grid_cells(image.shape, GRID)]
    return np.concatenate([statistics(image), *cells])


FAMILIES: dict[str, Callable[[GreyImages], NDArray[np.float64]]] = {
    "hog": skimage_hog,
    "lbp": skimage_lbp,
    "glcm": glcm,
    "gabor": gabor,
    "intensity": intensity,
}


def describe(family: str, images: GreyImages) -> Matrix:
    """Compute one family for all images in a joblib loop over all cores.

    Parameters
    ----------
    family : str
        Key of ``FAMILIES``.
    images : ndarray of shape (n, H, W), uint8

    Returns
    -------
    ndarray of shape (n, d), float32
    """
    rows = Parallel(n_jobs=-1)(delayed(FAMILIES[family])(image) for image in images)
    return np.asarray(rows, dtype=np.float32)


def embed(images: GreyImages, backbone: str, weights: Path | None, pretrained: bool) -> Matrix:
    """Compute pooled features of a timm network in eager float32, in batches of 32.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
    backbone : str
    weights : Path or None
        A ``.safetensors`` file; None: downloaded by timm, if ``pretrained``.
    pretrained : bool
        Whether to use ImageNet weights instead of random ones.

    Returns
    -------
    ndarray of shape (n, d), float32
    """
    import timm
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model(
            backbone, pretrained=pretrained and weights is None, num_classes=0
        )
    if pretrained and weights is not None:
        from safetensors.torch import load_file

        network.load_state_dict(load_file(weights), strict=False)
    network.eval()
    expected = timm.data.resolve_model_data_config(network)
    mean, std = (torch.tensor(expected[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    rows = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            grey = torch.from_numpy(images[start : start + BATCH].copy()).float() / 255
            rows.append(network((grey.unsqueeze(1).expand(-1, 3, -1, -1) - mean) / std).numpy())
    return np.concatenate(rows).astype(np.float32)

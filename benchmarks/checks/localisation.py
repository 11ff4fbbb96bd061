"""How well a map of importance finds a region that is known: three measures of one image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Map = NDArray[np.float64]
Mask = NDArray[np.bool_]
NEARLY = 1e-9  # of a map's largest absolute value: what differs by less is equal


def pointing(importance: Map, mask: Mask) -> float:
    """Pointing game: whether the map's largest value lies inside the mask.

    Parameters
    ----------
    importance : ndarray of shape (H, W), float64
    mask : ndarray of shape (H, W), bool

    Returns
    -------
    float in [0, 1]
        Of the pixels that share the largest value (those of a whole region do), the share inside
        the mask; for a map of one value the mask's share of the image.

    References
    ----------
    Zhang J, Bargal SA, Lin Z, Brandt J, Shen X, Sclaroff S. Top-down neural attention by
    excitation backprop. Int J Comput Vis 2018;126:1084-1102. doi:10.1007/s11263-017-1059-x

    Examples
    --------
    >>> mask = np.array([[True, False, False]])
    >>> pointing(np.array([[2.0, 2.0, 1.0]]), mask), pointing(np.array([[0.0, 2.0, 1.0]]), mask)
    (0.5, 0.0)
    """
    return float(mask[importance >= importance.max() - _grain(importance)].mean())


def share_inside(importance: Map, mask: Mask) -> float:
    """Share of the positive importance that lies inside the mask.

    Parameters
    ----------
    importance : ndarray of shape (H, W), float64
    mask : ndarray of shape (H, W), bool

    Returns
    -------
    float in [0, 1]
        Where nothing is positive, as for an even map: the mask's share of the image.

    Examples
    --------
    >>> mask = np.array([[True, False, False]])
    >>> share_inside(np.array([[3.0, 1.0, -7.0]]), mask)
    0.75
    """
    positive = np.clip(importance, 0, None)
    total = positive.sum()
    return float(positive[mask].sum() / total if total > 0 else mask.mean())


def pixel_auc(importance: Map, mask: Mask) -> float:
    """Area under the ROC curve of the map's pixels against the mask.

    Parameters
    ----------
    importance : ndarray of shape (H, W), float64
    mask : ndarray of shape (H, W), bool

    Returns
    -------
    float in [0, 1]
        Probability that a pixel inside is worth more than one outside; ties count half.

    Raises
    ------
    ValueError
        If the mask is empty or the whole image.

    Examples
    --------
    >>> mask = np.array([[True, False, False, False]])
    >>> pixel_auc(np.array([[2.0, 1.0, 2.0, 3.0]]), mask)
    0.5
    """
    inside = int(mask.sum())
    outside = mask.size - inside
    if inside == 0 or outside == 0:
        raise ValueError(
            f"Got a mask of {inside} of {mask.size} pixels, but expected pixels inside and outside."
        )
    ranks = rankdata(_rounded(importance).ravel())
    return float((ranks[mask.ravel()].sum() - inside * (inside + 1) / 2) / (inside * outside))


MEASURES: dict[str, Callable[[Map, Mask], float]] = {
    "pointing": pointing, "share": share_inside, "auc": pixel_auc,
}  # fmt: skip


def centre_prior(shape: tuple[int, int], width: float = 0.25) -> Map:
    """Map that knows nothing of an image but that lesions are seldom at its edges: a Gaussian.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    width : float
        Standard deviation as a fraction of each side.

    Returns
    -------
    ndarray of shape (height, width), float64
        Its sum is 1.
    """
    down, across = (
        np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * width**2)) for side in shape
    )
    prior = np.outer(down, across)
    return prior / prior.sum()


def _grain(importance: Map) -> float:
    return NEARLY * float(np.abs(importance).max())


def _rounded(importance: Map) -> Map:
    """Make values equal that differ by rounding alone, as sums of the same regions may."""
    grain = _grain(importance)
    return np.rint(importance / grain) if grain > 0 else importance

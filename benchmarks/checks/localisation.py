"""Three measures of how well a map of importance localises a known region of one image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Map = NDArray[np.float64]
Mask = NDArray[np.bool_]
NEARLY = 1e-9  # relative to the largest absolute value: smaller differences are ties


def pointing(importance: Map, mask: Mask) -> float:
    """Compute the pointing game: whether the largest value of the map lies inside the mask.

    Parameters
    ----------
    importance : ndarray of shape (H, W), float64
    mask : ndarray of shape (H, W), bool

    Returns
    -------
    float in [0, 1]
        Fraction of the pixels with the largest value that lie inside the mask, since all pixels of
        a region have the same value. For a constant map, the fraction of the image in the mask.

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


def fraction_inside(importance: Map, mask: Mask) -> float:
    """Compute the fraction of the positive importance inside the mask.

    Parameters
    ----------
    importance : ndarray of shape (H, W), float64
    mask : ndarray of shape (H, W), bool

    Returns
    -------
    float in [0, 1]
        If no value is positive, the fraction of the image in the mask.

    Examples
    --------
    >>> mask = np.array([[True, False, False]])
    >>> fraction_inside(np.array([[3.0, 1.0, -7.0]]), mask)
    0.75
    """
    positive = np.clip(importance, 0, None)
    total = positive.sum()
    return float(positive[mask].sum() / total if total > 0 else mask.mean())


def pixel_auc(importance: Map, mask: Mask) -> float:
    """Compute the area under the ROC curve of the pixels of the map against the mask.

    Parameters
    ----------
    importance : ndarray of shape (H, W), float64
    mask : ndarray of shape (H, W), bool

    Returns
    -------
    float in [0, 1]
        Probability that a pixel inside has a larger value than one outside; ties count half.

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
    "pointing": pointing, "share": fraction_inside, "auc": pixel_auc,
}  # fmt: skip


def centre_prior(shape: tuple[int, int], width: float = 0.25) -> Map:
    """Compute a Gaussian map, the prior that lesions are rarely at the edges of an image.

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
    """Round values, so that sums of the same regions in another order are equal."""
    grain = _grain(importance)
    return np.rint(importance / grain) if grain > 0 else importance

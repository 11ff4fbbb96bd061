"""How far a picture is from typical training images, and its nearest polarity and turn.

Pictures are compared as small thumbnails with stretched contrast. The model of typical images is
robust: a tenth of the training images may be inverted, turned or no radiographs at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.reading.preprocess import GreyImages, resize

SIDE = 16  # pixels of a thumbnail
COMPONENTS, IMAGES_A_COMPONENT = 20, 5  # principal components: at most 20, one for five images
FEWEST, MOST = 40, 2000  # training images
NEARER = 1.1  # a picture is inverted or turned if it is that much nearer to typical images then
FAR, SPREADS = 1.5, 3.5  # unlike: 1.5 medians of a distance, and 3.5 robust SDs of its logarithm
_FOR_FEW = 10  # with n images 1 + 10 / n times as many SDs
INVERTED = -0.1  # centre less border of the median image, in its range of grey: inverted below this
_REFITS, _FOLDS = 3, 5
_LOW, _HIGH = 2, 98  # percentiles
_MIDDLE, _COLUMN, _FRAME = slice(4, 12), slice(7, 9), 1  # rows, columns and width in pixels
_KEYS = ("centre", "axes", "middle", "spread", "scale", "residual", "cuts", "polarity")

Thumbnails = NDArray[np.float32]


class Nearest(NamedTuple):
    """Of each picture: its distance to typical images, and the version of it that is nearest.

    Attributes
    ----------
    distance : ndarray of shape (n,), float64
        As it is; the median of training images is about 1. Left and right are not told apart.
    inverted : ndarray of shape (n,), bool
        Whether the picture is nearer when inverted.
    turns : ndarray of shape (n,), int
        Quarter turns to the left after which it is nearest; 0 to 3.
    unlike : ndarray of shape (n,), bool
        Whether it is far from typical images in each version, or nearest when both inverted and
        turned: then it is probably neither.
    """

    distance: NDArray[np.float64]
    inverted: NDArray[np.bool_]
    turns: NDArray[np.intp]
    unlike: NDArray[np.bool_]

    @property
    def listed(self) -> NDArray[np.bool_]:
        """Whether a picture is inverted, turned or unlike."""
        return self.inverted | (self.turns > 0) | self.unlike


def thumbnails(images: GreyImages) -> Thumbnails:
    """Shrink images and stretch their contrast to 0…1.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8

    Returns
    -------
    ndarray of shape (n, 16, 16), float32
        The 2nd percentile of each is 0 and the 98th is 1; a constant image becomes 0.

    Examples
    --------
    >>> image = np.arange(32, dtype=np.uint8)[None, None].repeat(32, axis=1)
    >>> thumbnails(image)[0, 0, [0, 8, 15]].astype(float).round(2).tolist()
    [0.0, 0.53, 1.0]
    """
    small = np.empty((len(images), SIDE, SIDE), np.float32)
    for image, out in zip(images, small, strict=True):
        out[:] = resize(image, SIDE)
    low, high = np.percentile(small, [_LOW, _HIGH], axis=(1, 2))[..., None, None]
    stretched = (small - low) / np.maximum(high - low, 1)
    return np.asarray(np.clip(stretched, 0, 1), np.float32)


def centre_less_border(small: Thumbnails) -> NDArray[np.float64]:
    """Compare the middle of a frontal chest, spine and heart, with the border, mostly air.

    Parameters
    ----------
    small : ndarray of shape (n, 16, 16), float32
        From :func:`thumbnails`.

    Returns
    -------
    ndarray of shape (n,), float64
        Mean of the central column less the mean of the border, each in the range of the picture:
        positive where bone is white, negative where it is black.
    """
    border = np.ones((SIDE, SIDE), bool)
    border[_FRAME:-_FRAME, _FRAME:-_FRAME] = False
    middle = small[:, _MIDDLE, _COLUMN].mean(axis=(1, 2), dtype=np.float64)
    return np.asarray(middle - small[:, border].mean(axis=1, dtype=np.float64))


@dataclass(frozen=True)
class TypicalImages:
    """A robust model of thumbnails: principal components, and distances within and from them.

    Attributes
    ----------
    centre : ndarray of shape (256,)
    axes : ndarray of shape (k, 256)
        Principal components.
    middle, spread : ndarray of shape (k,)
        Median and scaled median absolute deviation of the training images along each.
    scale, residual : float
        Median distance of training images within the components, and from them.
    cuts : ndarray of shape (2,)
        Distances within the components and from them, in units of ``scale`` and ``residual``; a
        picture beyond one of these is unlike the training images.
    polarity : float
        Median of :func:`centre_less_border` of the training images.

    Notes
    -----
    The components are those of deviations from the median image scaled to length 1 [1]_, so that no
    image weighs more than another. As in ROBPCA [2]_, there are two distances: within the
    components, each in units of its spread, and from the components. Versions of a picture are
    compared by the root mean square of both, each divided by its median. Images that are inverted,
    turned or unlike are left out and the model is fitted again, up to three times. The cuts, of
    images that a model was not fitted on, are 3.5 robust standard deviations above their median,
    somewhat more with few images.

    References
    ----------
    .. [1] Locantore N, et al. Robust principal component analysis for functional data. Test
       1999;8:1-73. doi:10.1007/BF02595862
    .. [2] Hubert M, Rousseeuw PJ, Vanden Branden K. ROBPCA: a new approach to robust principal
       component analysis. Technometrics 2005;47:64-79. doi:10.1198/004017004000000563
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    middle: NDArray[np.float64]
    spread: NDArray[np.float64]
    scale: float
    residual: float
    cuts: NDArray[np.float64]
    polarity: float

    @classmethod
    def fit(cls, small: Thumbnails) -> TypicalImages:
        """Fit the model on thumbnails of training images.

        Parameters
        ----------
        small : ndarray of shape (n, 16, 16), float32
            At least 40; of more than 2,000, so many are drawn with a fixed seed.

        Returns
        -------
        TypicalImages
        """
        if len(small) < FEWEST:
            raise ValueError(f"got {len(small)} images, but expected at least {FEWEST}")
        if len(small) > MOST:
            small = small[np.random.default_rng(0).permutation(len(small))[:MOST]]
        kept = np.ones(len(small), bool)
        for _ in range(_REFITS):
            model = cls._fit(small[kept])
            model = replace(model, cuts=cls._find_cuts(small[kept]))
            listed = model.nearest(small).listed
            if listed.mean() >= 0.5 or (kept == ~listed).all():
                break
            kept = ~listed
        return model

    @classmethod
    def _find_cuts(cls, small: Thumbnails) -> NDArray[np.float64]:
        """Find the cuts in the distances of images that a model was not fitted on."""
        fold = np.random.default_rng(0).permutation(len(small)) % _FOLDS
        held_out = (cls._fit(small[fold != k])._parts(small[fold == k]) for k in range(_FOLDS))
        logs = np.log(np.maximum(np.concatenate(list(held_out), axis=1), 1e-6))
        middle = np.median(logs, axis=1, keepdims=True)
        spread = 1.4826 * np.median(np.abs(logs - middle), axis=1)
        more = 1 + _FOR_FEW / len(small)
        return np.asarray(np.exp(middle[:, 0] + np.maximum(np.log(FAR), SPREADS * more * spread)))

    @classmethod
    def _fit(cls, small: Thumbnails) -> TypicalImages:
        flat = small.reshape(len(small), -1).astype(np.float64)
        centre = np.median(flat, axis=0)
        away = flat - centre
        length = np.linalg.norm(away, axis=1, keepdims=True)
        unit = away / np.maximum(length, 1e-9)
        # Eigenvectors of a small square matrix: faster than a decomposition of all images.
        _, vectors = np.linalg.eigh(unit.T @ unit)
        k = min(COMPONENTS, len(small) // IMAGES_A_COMPONENT)
        axes = vectors[:, ::-1][:, :k].T
        along = away @ axes.T
        middle = np.median(along, axis=0)
        spread = np.maximum(1.4826 * np.median(np.abs(along - middle), axis=0), 1e-6)
        whole = cls(centre, axes, middle, spread, 1.0, 1.0, np.full(2, np.inf), 0.0)
        scale, residual = np.maximum(np.median(whole._parts(small), axis=1), 1e-6).tolist()
        polarity = float(np.median(centre_less_border(small)))
        return replace(whole, scale=scale, residual=residual, polarity=polarity)

    def _parts(self, small: Thumbnails) -> NDArray[np.float64]:
        """Distances within the components and from them, (2, n), each in units of its median."""
        away = small.reshape(len(small), -1) - self.centre
        along = away @ self.axes.T
        within = np.sqrt((((along - self.middle) / self.spread) ** 2).mean(axis=1))
        beside = np.sqrt(np.maximum((away**2).sum(axis=1) - (along**2).sum(axis=1), 0))
        return np.stack([within / self.scale, beside / self.residual])

    def _distances(self, small: Thumbnails) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Distance of each picture or its mirror image, the smaller; and whether it is far."""
        each = np.stack([self._parts(view) for view in (small, small[:, :, ::-1])])
        distance = np.sqrt((each**2).mean(axis=1))
        far = np.asarray((each > self.cuts[:, None]).any(axis=1))
        rows = np.arange(len(small))
        first = distance.argmin(axis=0)
        return distance[first, rows], far[first, rows]

    def nearest(self, small: Thumbnails) -> Nearest:
        """Find the polarity and the turn in which each picture is nearest to typical images.

        Parameters
        ----------
        small : ndarray of shape (n, 16, 16), float32

        Returns
        -------
        Nearest
            Another version than the picture itself only if it is 10 % nearer.
        """
        versions = [(inverted, turns) for inverted in (False, True) for turns in range(4)]
        each, far = map(np.stack, zip(*(
            self._distances(np.rot90(1 - small if inverted else small, turns, axes=(1, 2)))
            for inverted, turns in versions
        ), strict=True))  # fmt: skip
        own, first = each[0], each.argmin(axis=0)
        rows = np.arange(len(small))
        inverted, turns = (np.array(part)[first] for part in zip(*versions, strict=True))
        nearer = own > NEARER * each[first, rows]
        clear = nearer & ~far[first, rows] & ~(inverted & (turns > 0))
        unlike = ~clear & (nearer | far[0])
        return Nearest(own, clear & inverted, np.where(clear, turns, 0), unlike)

    @property
    def mostly_inverted(self) -> bool:
        """Whether the training images themselves look inverted, by their border."""
        return self.polarity < INVERTED

    def reversed_polarity(self, nearest: Nearest) -> NDArray[np.bool_]:
        """Find pictures in which bone is black.

        Parameters
        ----------
        nearest : Nearest
            From :meth:`nearest`.

        Returns
        -------
        ndarray of shape (n,), bool
            Those with another polarity than the training images, or, if the training images look
            inverted, those with the same. Pictures unlike the training images have no known
            polarity.
        """
        if self.mostly_inverted:
            return ~nearest.inverted & ~nearest.unlike
        return nearest.inverted

    def corrected(self, images: GreyImages) -> GreyImages:
        """Invert the images of reversed polarity.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
            What happens to an image does not depend on the others.
        """
        flip = self.reversed_polarity(self.nearest(thumbnails(images)))
        return np.where(flip[:, None, None], 255 - images, images)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as arrays.

        Returns
        -------
        dict of ndarray
        """
        return {key: np.asarray(getattr(self, key)) for key in _KEYS}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> TypicalImages:
        """Make a fitted model.

        Parameters
        ----------
        state : dict of ndarray
            From :meth:`state`.

        Returns
        -------
        TypicalImages

        Raises
        ------
        ValueError
            If the arrays are not those of a model.
        """
        k = len(np.atleast_1d(state.get("spread", ())))
        own = {"centre": (SIDE**2,), "axes": (k, SIDE**2), "middle": (k,), "spread": (k,)}
        shapes = dict.fromkeys(_KEYS, ()) | own | {"cuts": (2,)}
        if {key: np.shape(value) for key, value in state.items()} != shapes:
            raise ValueError("other arrays than those of a model of typical images")
        arrays = {key: np.asarray(value, np.float64) for key, value in state.items()}
        if not all(np.isfinite(value).all() for value in arrays.values()):
            raise ValueError("numbers that are not finite")
        return cls(**{k: v if v.ndim else float(v) for k, v in arrays.items()})  # type: ignore[arg-type]

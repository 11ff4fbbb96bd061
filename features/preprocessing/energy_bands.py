"""Energy bands: each scale of detail gets the strength that it has in the training images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from features.preprocessing.step import GreyImages, PreprocessingStep

SIGMAS = (1 / 224, 2 / 224, 4 / 224, 8 / 224, 16 / 224)  # of the side
LARGEST = 3.0  # factor, up or down
Floats = NDArray[np.float32]


class EnergyBands(PreprocessingStep):
    """Bands of detail scaled to their mean strength in the training images.

    Attributes
    ----------
    energies_ : ndarray of shape (5,)
        Mean standard deviation of each band in the training images, from fine to coarse.

    Notes
    -----
    Bands are differences of Gaussians of the whole image. The paper repeats this within the lungs,
    which needs a segmentation.

    References
    ----------
    Philipsen RHHM, Maduskar P, Hogeweg L, Melendez J, Sánchez CI, van Ginneken B. Localized
    energy-based normalization of medical images: application to chest radiography. IEEE Trans Med
    Imaging 2015;34:1965-1975. doi:10.1109/TMI.2015.2418031
    """

    description = (
        "decomposed into five bands of detail, each scaled to its mean strength in the training "
        "images ({philipsen2015}; over the whole image)"
    )
    references: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "philipsen2015": {
            "kind": "article",
            "authors": "Philipsen, R. H. H. M. and Maduskar, P. and Hogeweg, L. and Melendez, J. "
            "and Sánchez, C. I. and van Ginneken, B.",
            "title": "Localized energy-based normalization of medical images: application to "
            "chest radiography",
            "year": 2015, "venue": "IEEE Transactions on Medical Imaging", "volume": "34",
            "pages": "1965-1975", "doi": "10.1109/TMI.2015.2418031", "what": "Energy bands",
        },
    }  # fmt: skip

    def fit(self, images: GreyImages) -> Self:
        """Learn the mean strength of each band.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        EnergyBands
            Itself.
        """
        self.energies_ = np.mean(
            [[float(band.std()) for band in _bands(image)[0]] for image in images], axis=0
        )
        return self

    def transform(self, images: GreyImages) -> GreyImages:
        """Scale the bands of images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
            No band is scaled by more than 3 or less than a third.
        """
        made = np.empty_like(images)
        for image, out in zip(images, made, strict=True):
            bands, rest = _bands(image)
            for band, energy in zip(bands, self.energies_, strict=True):
                factor = energy / max(float(band.std()), 1e-6)
                rest = rest + band * np.float32(np.clip(factor, 1 / LARGEST, LARGEST))
            out[:] = np.clip(rest, 0, 255).round()
        return made

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the strengths.

        Returns
        -------
        dict of ndarray
        """
        return {"energies": self.energies_}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """Make a fitted step.

        Parameters
        ----------
        state : dict of ndarray

        Returns
        -------
        EnergyBands

        Raises
        ------
        ValueError
            If the strengths are not five finite numbers of at least 0. The finest band of a small
            image is 0.
        """
        step = cls()
        step.energies_ = np.asarray(state["energies"], dtype=np.float64)
        usable = np.isfinite(step.energies_) & (step.energies_ >= 0)
        if step.energies_.shape != (len(SIGMAS),) or not usable.all():
            raise ValueError(
                f"got energies {state['energies'].tolist()}, but expected five finite numbers of "
                "at least 0"
            )
        return step


def _bands(image: GreyImages) -> tuple[list[Floats], Floats]:
    """Split an image into bands, from fine to coarse, and what is left."""
    side = min(image.shape)
    rest, bands = image.astype(np.float32), []
    for sigma in SIGMAS:
        smooth = np.asarray(cv2.GaussianBlur(rest, (0, 0), sigma * side), dtype=np.float32)
        bands.append(rest - smooth)
        rest = smooth
    return bands, rest

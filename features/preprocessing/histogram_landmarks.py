"""Histogram landmarks: grey values mapped to the percentiles of the training images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from features.preprocessing.step import GreyImages, PreprocessingStep
from features.reading.preprocess import grey_percentiles

PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)


class HistogramLandmarks(PreprocessingStep):
    """Grey values mapped so that eleven percentiles agree with those of the training images.

    Attributes
    ----------
    landmarks_ : ndarray of shape (11,)
        Mean grey value of the training images at each percentile.

    References
    ----------
    Nyúl LG, Udupa JK, Zhang X. New variants of a method of MRI scale standardization. IEEE Trans
    Med Imaging 2000;19:143-150. doi:10.1109/42.836373
    """

    description = (
        "mapped piecewise linearly so that eleven percentiles of the grey values agree with the "
        "mean of the training images ({nyul2000})"
    )
    references: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "nyul2000": {
            "kind": "article", "authors": "Nyúl, L. G. and Udupa, J. K. and Zhang, X.",
            "title": "New variants of a method of MRI scale standardization", "year": 2000,
            "venue": "IEEE Transactions on Medical Imaging", "volume": "19", "pages": "143-150",
            "doi": "10.1109/42.836373", "what": "Histogram landmarks",
        },
    }  # fmt: skip

    def fit(self, images: GreyImages) -> Self:
        """Learn the mean percentiles.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        HistogramLandmarks
            Itself.
        """
        self.landmarks_ = np.mean([grey_percentiles(one, *PERCENTILES) for one in images], axis=0)
        return self

    def transform(self, images: GreyImages) -> GreyImages:
        """Map the grey values of images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
            Grey values beyond the first and last percentile become those of the percentile.
        """
        made = np.empty_like(images)
        for image, out in zip(images, made, strict=True):
            own = np.array(grey_percentiles(image, *PERCENTILES))
            distinct = np.concatenate([[True], np.diff(own) > 0])
            table = np.interp(np.arange(256), own[distinct], self.landmarks_[distinct])
            out[:] = cv2.LUT(image, table.round().astype(np.uint8))
        return made

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the landmarks.

        Returns
        -------
        dict of ndarray
        """
        return {"landmarks": self.landmarks_}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """Make a fitted step.

        Parameters
        ----------
        state : dict of ndarray

        Returns
        -------
        HistogramLandmarks

        Raises
        ------
        ValueError
            If the landmarks are not eleven increasing grey values.
        """
        step = cls()
        step.landmarks_ = np.asarray(state["landmarks"], dtype=np.float64)
        inside = (
            step.landmarks_.shape == (len(PERCENTILES),)
            and (np.diff([0.0, *step.landmarks_, 255.0]) >= 0).all()
        )
        if not inside:
            raise ValueError(
                f"got landmarks {state['landmarks'].tolist()}, but expected eleven grey values in "
                "ascending order"
            )
        return step

"""Central crop, enlarged to the size of the image."""

from __future__ import annotations

import cv2
import numpy as np

from features.preprocessing.step import GreyImages, PreprocessingStep

FRACTION = 0.85  # of each side


class CentreCrop(PreprocessingStep):
    """Central 85 % of each side, enlarged to the size of the image."""

    description = "cropped to the central 85 % of each side and enlarged again"

    def transform(self, images: GreyImages) -> GreyImages:
        """Crop and enlarge images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
        """
        height, width = images.shape[1:]
        top, left = (round(side * (1 - FRACTION) / 2) for side in (height, width))
        made = np.empty_like(images)
        for image, out in zip(images, made, strict=True):
            inside = image[top : height - top, left : width - left]
            out[:] = cv2.resize(inside, (width, height), interpolation=cv2.INTER_CUBIC)
        return made

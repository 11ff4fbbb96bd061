"""Suppression of burned-in letters and marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from features.preprocessing.step import GreyImages, PreprocessingStep

BRIGHT = 245  # of 255
LARGEST, SMALLEST = 0.01, 0.0002  # of the image's area
STEP = 70  # grey values between the mark and its surroundings
RING = 0.015  # of the side


class LetterSuppression(PreprocessingStep):
    """Small bright marks with sharp edges, such as letters, replaced by their surroundings.

    Notes
    -----
    A mark is a connected region of grey values of at least 245, of 0.02 to 1 % of the image's area,
    at least 70 brighter than the ring around it. Bone and medical devices that look like that are
    replaced, too.
    """

    description = "cleared of small bright marks such as letters, by inpainting ({telea2004})"
    references: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "telea2004": {
            "kind": "article", "authors": "Telea, A.",
            "title": "An image inpainting technique based on the fast marching method",
            "year": 2004, "venue": "Journal of Graphics Tools", "volume": "9", "pages": "23-34",
            "doi": "10.1080/10867651.2004.10487596", "what": "Inpainting",
        },
    }  # fmt: skip

    def transform(self, images: GreyImages) -> GreyImages:
        """Replace marks.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
            An image without marks is returned as it is.
        """
        made = images.copy()
        for image, out in zip(images, made, strict=True):
            marks = find_marks(image)
            if marks.any():
                out[:] = cv2.inpaint(image, marks.astype(np.uint8), 3, cv2.INPAINT_TELEA)
        return made


def find_marks(image: GreyImages) -> NDArray[np.bool_]:
    """Find the pixels of small bright marks.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8

    Returns
    -------
    ndarray of shape (H, W), bool
        With a margin of 1 % of the side around each mark.
    """
    side = max(1, round(RING * min(image.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * side + 1, 2 * side + 1))
    bright = (image >= BRIGHT).astype(np.uint8)
    count, label, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA] / image.size
    found = np.zeros(image.shape, dtype=np.uint8)
    for k in range(1, count):
        if not SMALLEST <= area[k] <= LARGEST:
            continue
        x, y, width, height = (int(value) for value in stats[k, :4])
        window = np.s_[max(0, y - 2 * side) : y + height + 2 * side,
                       max(0, x - 2 * side) : x + width + 2 * side]  # fmt: skip
        own = (label[window] == k).astype(np.uint8)
        grown = cv2.dilate(own, disc)
        ring = (cv2.dilate(grown, disc) > 0) & (grown == 0)
        if ring.any() and image[window][own > 0].mean() - image[window][ring].mean() >= STEP:
            found[window] |= grown
    return found > 0

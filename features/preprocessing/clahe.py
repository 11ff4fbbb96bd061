"""Contrast-limited adaptive histogram equalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import cv2
import numpy as np

from features.preprocessing.step import GreyImages, PreprocessingStep

CLIP_LIMIT, TILES = 2.0, 8


class Clahe(PreprocessingStep):
    """Contrast-limited adaptive histogram equalisation: 8 × 8 tiles, clip limit 2.

    Notes
    -----
    It also raises noise and removes differences in density between parts of the chest. On chest
    radiographs it lowered the accuracy of networks (doi:10.1186/s41747-023-00386-1).
    """

    description = (
        "equalised by contrast-limited adaptive histogram equalisation (CLAHE, {zuiderveld1994}; "
        "8 × 8 tiles, clip limit 2)"
    )
    references: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "zuiderveld1994": {
            "kind": "incollection", "authors": "Zuiderveld, K.",
            "title": "Contrast limited adaptive histogram equalization", "year": 1994,
            "venue": "Graphics Gems IV", "pages": "474-485", "publisher": "Academic Press",
            "doi": "10.1016/B978-0-12-336156-1.50061-6", "what": "CLAHE",
        },
    }  # fmt: skip

    def transform(self, images: GreyImages) -> GreyImages:
        """Equalise images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
        """
        equaliser = cv2.createCLAHE(clipLimit=CLIP_LIMIT, tileGridSize=(TILES, TILES))
        made = [np.asarray(equaliser.apply(image), dtype=np.uint8) for image in images]
        return np.stack(made) if made else images.copy()

"""What a preprocessing step must offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

GreyImages = NDArray[np.uint8]


class PreprocessingStep:
    """Grey images to grey images of the same size; learns from training images without labels.

    A subclass declares ``description`` and ``references``, learns in :meth:`fit`, and returns
    what it has learnt as arrays, so that a saved run can prepare new images.

    Attributes
    ----------
    description : str
        What happens to an image, as in "Images were …"; a key of ``references`` in braces is
        replaced by its citation.
    references : dict of dict
        Works by key, as in :class:`models.declaration.Declaration`.
    """

    description = ""
    references: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def fit(self, images: GreyImages) -> Self:
        """Learn from training images.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        PreprocessingStep
            Itself.
        """
        return self

    def transform(self, images: GreyImages) -> GreyImages:
        """Change images; the result of an image does not depend on the others.

        Parameters
        ----------
        images : ndarray of shape (n, H, W), uint8

        Returns
        -------
        ndarray of shape (n, H, W), uint8
        """
        raise NotImplementedError

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what was learnt, as arrays without objects.

        Returns
        -------
        dict of ndarray
        """
        return {}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        """Make a fitted step.

        Parameters
        ----------
        state : dict of ndarray
            From :meth:`state`.

        Returns
        -------
        PreprocessingStep

        Raises
        ------
        ValueError
            If the arrays are not those of this step.
        """
        if state:
            raise ValueError(f"unknown arrays {', '.join(sorted(state))}")
        return cls()

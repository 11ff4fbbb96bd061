"""The explanation of one image: cells, maps and neighbours."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.explain.training_images import Neighbours
from benchmarks.importance.importance_map import Map, outside_chest
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair
from benchmarks.saved.fitted_cells import FittedCell
from features import FEATURES


@dataclass
class Explained:
    """Explanation of the score of one cell.

    Attributes
    ----------
    cell : FittedCell
    score : float
        Probability of the positive class.
    decisions : DataFrame
        One row per operating point: point, threshold, decision, distance (score minus threshold),
        between (fraction of the validation images whose score lies between the two).
    top : DataFrame
        Single features (SHAP) or regions (replacement): name, words, value, deviation (of the image
        from the mean training image, in standard deviations; NaN for a region). Largest first.
    families : dict of float
        Contribution of each family.
    method, space : str
        ``shap`` or ``exchange``, and the unit of its values; empty for the CNN.
    output, expected : float
        Output for the image, and mean output for the background, in that unit.
    maps : dict of ndarray of shape (size, size)
        By family or method; positive values are evidence for the positive class.
    notes : dict of str
        Reason why a method is missing, by method.
    """

    cell: FittedCell
    score: float
    decisions: pd.DataFrame
    top: pd.DataFrame = field(default_factory=pd.DataFrame)
    families: dict[str, float] = field(default_factory=dict)
    method: str = ""
    space: str = ""
    output: float = float("nan")
    expected: float = float("nan")
    maps: dict[str, Map] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def decision(self) -> str:
        """Predicted class at the threshold for a recall of 0.95."""
        return str(self.decisions["decision"].iloc[-1])

    @property
    def decided_positive(self) -> bool:
        """Whether that is the positive class."""
        return bool(self.decisions["distance"].iloc[-1] >= 0)

    def outside(self, values: Map) -> float:
        """Compute the fraction of the evidence for the decision that lies outside the chest.

        Parameters
        ----------
        values : ndarray of shape (size, size)
            A map of this cell.

        Returns
        -------
        float
            NaN if the map has no evidence for the decision.
        """
        return outside_chest(values if self.decided_positive else -values)[0]


@dataclass
class Explanation:
    """Everything that the page of one image shows.

    Attributes
    ----------
    run : Results
    name, sha256 : str
        Name and hash of the file.
    image : ndarray of shape (size, size), uint8
        Prepared, as all models receive it.
    known : Series or None
        Row of the manifest, if the run contains the image.
    cells : list of Explained
    neighbours : dict of Neighbours
        By feature set.
    given : dict of ndarray of shape (1, d)
        Row of the image in tables, by family.
    without_data : str
        Reason why there are no neighbours; empty if there are.
    patch, stride : int
        Size and step of the occlusion square, in pixels.
    """

    run: Results
    name: str
    sha256: str
    image: NDArray[np.uint8]
    known: pd.Series | None
    patch: int
    stride: int
    cells: list[Explained] = field(default_factory=list)
    neighbours: dict[str, Neighbours] = field(default_factory=dict)
    given: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    without_data: str = ""

    @property
    def classes(self) -> tuple[str, str]:
        """Names of the negative and of the positive class."""
        return class_pair(self.run)


def family_order(maps: Collection[str]) -> list[str]:
    """Sort maps in the order of the page: families, occlusion, Grad-CAM.

    Parameters
    ----------
    maps : collection of str

    Returns
    -------
    list of str
    """
    last = ("occlusion", "grad_cam")
    order = [*FEATURES, *(name for name in maps if name not in (*FEATURES, *last)), *last]
    return sorted(maps, key=order.index)

"""What is known of one explained image: its cells, their maps, its neighbours."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.datasets.dataset import CLASSES
from benchmarks.explain.training_images import Neighbours
from benchmarks.importance.importance_map import Map, outside_chest
from benchmarks.io.results import Results
from benchmarks.saved.fitted_run import FittedCell
from features import FEATURES


@dataclass
class Explained:
    """One cell's explanation of one image.

    Attributes
    ----------
    cell : FittedCell
    score : float
        Probability of pneumonia.
    decisions : DataFrame
        A row an operating point: point, threshold, decision, distance (score less threshold),
        between (share of the validation images whose score lies between the two).
    top : DataFrame
        Single features (SHAP) or regions (exchange): name, words, value, deviation (of the image
        from the mean training image, in standard deviations; NaN of a region); largest first.
    families : dict of float
        What each family adds.
    method, space : str
        ``shap`` or ``exchange``, and the unit of its values; empty for the CNN.
    output, expected : float
        Of the image, and the mean of those it is compared with, in that unit.
    maps : dict of ndarray of shape (size, size)
        By name; positive speaks for pneumonia.
    notes : dict of str
        By method: why there is none, or what to know.
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
        """Class that it calls at the threshold chosen for a recall of 0.95."""
        return str(self.decisions["decision"].iloc[-1])

    def outside(self, values: Map) -> float:
        """Share of what speaks for this decision that a map has outside the chest; NaN of none."""
        return outside_chest(values if self.decision == CLASSES[1] else -values)[0]


@dataclass
class Explanation:
    """All that the page tells of one image.

    Attributes
    ----------
    run : Results
    name, sha256 : str
        Of the file.
    image : ndarray of shape (size, size), uint8
        Prepared, as every model sees it.
    known : Series or None
        The image's row of the run's manifest, if it is one of the run's.
    cells : list of Explained
    neighbours : dict of Neighbours
        By feature set.
    without_data : str
        Why there are no neighbours; empty if there are.
    patch, stride : int
        Of the occlusion, pixels.
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
    without_data: str = ""


def family_order(maps: Collection[str]) -> list[str]:
    """Names of maps in the order of a page: families, occlusion, Grad-CAM."""
    order = [*FEATURES, "occlusion", "grad_cam"]
    return sorted(maps, key=order.index)

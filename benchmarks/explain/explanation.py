"""What is known of one explained image: its cells, their maps, its neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.explain.contributions import Explained
from benchmarks.explain.data import Neighbours
from benchmarks.io.results import Results


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

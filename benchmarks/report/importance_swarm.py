"""Beeswarm: SHAP of every explained image, of the columns that matter most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.io.results import Results
from benchmarks.report.base import Figure
from benchmarks.report.lookup_cells import is_synthetic
from benchmarks.report.plots import BLUE, VERMILION, draw, frame, name_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

BINS = 60  # along the axis; points in one bin stand beside each other
HALF = 0.4  # of a row's height, at most


def swarm_figure(results: Results, swarm: pd.DataFrame) -> Figure:
    """One row a column, one point an image: how far it moves the score, and its value.

    Parameters
    ----------
    results : Results
    swarm : DataFrame
        Rows of ``importance_swarm`` of one cell.
    """
    names = list(dict.fromkeys(swarm["feature"]))
    edges = np.linspace(swarm["shap"].min(), swarm["shap"].max(), BINS + 1)
    cell = str(swarm["cell"].iloc[0])

    def paint(figure: MplFigure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("value", [BLUE, "#d9d9d9", VERMILION])
        axes = figure.subplots()
        axes.axvline(0, color="#8a929b", linewidth=0.8)
        for k, name in enumerate(names):
            own = swarm[swarm["feature"] == name]
            offset = spread(own["shap"].to_numpy(dtype=float), edges)
            points = axes.scatter(
                own["shap"], k + offset, c=own["percentile"], cmap=colours, vmin=0, vmax=1, s=5,
                linewidths=0,
            )  # fmt: skip
        bar = figure.colorbar(points, ax=axes, ticks=[0, 1], fraction=0.03, pad=0.02)
        bar.ax.set_yticklabels(["low", "high"])
        bar.set_label("value of the column")
        frame(axes, x="SHAP: towards normal (left), towards pneumonia (right)", grid="x")
        name_rows([axes], names, ())

    alt = f"SHAP of each explained image for {len(names)} columns of {cell}, first {names[0]}."
    return Figure(
        name="importance-swarm",
        caption=f"The columns of largest mean |SHAP| in {cell}: each point is a test image, its "
        "colour the column's value among the images.",
        alt=alt,
        svg=draw("importance-swarm", (8.2, 0.9 + 0.3 * len(names)), paint, alt,
                 is_synthetic(results)),
    )  # fmt: skip


def spread(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets that put points of one bin beside each other, the fullest bin at full height.

    Examples
    --------
    >>> spread(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.0, 0.5, 1.0])).tolist()
    [0.0, 0.4, -0.4, 0.0]
    """
    place = np.searchsorted(edges[1:-1], values)
    order = pd.Series(place).groupby(place).cumcount().to_numpy()
    side = np.where(order % 2 == 1, 1, -1) * ((order + 1) // 2)
    return np.asarray(HALF * side / max(1, int(np.abs(side).max())), dtype=float) + 0.0

"""Figures of feature importance: groups, maps, agreement of methods, beeswarm of SHAP values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.importance.importance_map import Map
from benchmarks.io.formatting import number
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, is_synthetic
from benchmarks.report.blocks import Figure
from benchmarks.report.importance_data import (
    METHOD_WORDS,
    METHODS,
    cells_with,
    described,
    lines,
    mean_radiograph,
    region_map,
)
from benchmarks.report.plots import BLUE, VERMILION, draw, frame, name_rows, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

from typing import TYPE_CHECKING

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

MOST_BARS = 16
_COLOURS = {"permutation": BLUE, "shap": VERMILION}
# Metrics of the mean over the images of each class: this version's, and that of earlier ones.
_CLASS_MEANS = (("mean_negative", "mean_normal"), ("mean_positive", "mean_pneumonia"))


def groups_figure(results: Results, table: pd.DataFrame, cells: Mapping[str, str]) -> Figure:
    """Draw the importance of parts of families of one feature set by each method.

    Parameters
    ----------
    results : Results
    table : DataFrame
        Finished rows of ``importance``.
    cells : dict of str
        Cell by method; all of one feature set.

    Returns
    -------
    Figure
    """
    parts = {
        method: lines(table, cell, method, "subfamily").nlargest(MOST_BARS, "value")
        for method, cell in cells.items()
    }

    def _paint(figure: MplFigure) -> None:
        for axes, (method, rows) in zip(
            panels(figure, len(parts), len(parts)), parts.items(), strict=True
        ):
            for k, row in enumerate(rows.to_dict("records")):
                axes.plot([row["lo"], row["hi"]], [k, k], color=_COLOURS[method], linewidth=1.2)
                axes.plot([row["value"]], [k], "o", color=_COLOURS[method])
            axes.axvline(0, color="#8a929b", linewidth=0.8)
            frame(axes, cells[method], x=METHOD_WORDS[method], grid="x")
            axes.locator_params(axis="x", nbins=4)
            name_rows([axes], rows["group"].tolist(), ())

    tops = "; ".join(
        f"{METHODS[method]} of {cells[method]}: {', '.join(rows['group'].head(3))}"
        for method, rows in parts.items()
    )
    height = 0.9 + 0.23 * max(len(rows) for rows in parts.values())
    alt = f"Parts of families with the largest estimates of importance. {tops}."
    return Figure(
        name="importance-parts",
        caption="Parts of feature families (such as directions of HOG or radii of LBP) with the "
        "largest estimates of importance. Lines: 95 % intervals over patients, for permutation "
        "also over permutations; where one reaches 0, no importance is shown.",
        alt=alt,
        svg=draw("importance-parts", (9.2, height), _paint, alt, is_synthetic(results)),
    )


def maps_figure(results: Results, table: pd.DataFrame) -> Figure | None:
    """Draw maps of importance over the mean radiograph, one per feature set and method.

    Parameters
    ----------
    results : Results
    table : DataFrame
        Finished rows of ``importance``.

    Returns
    -------
    Figure or None
        None where no feature set has regions.
    """
    shown = {method: cells_with(table, method, "region") for method in ("permutation", "shap")}
    shown = {method: cells for method, cells in shown.items() if cells}
    if not shown:
        return None
    columns = max(len(cells) for cells in shown.values())
    mean = mean_radiograph(results, *class_pair(results))

    def _paint(figure: MplFigure) -> None:
        places = figure.subplots(len(shown), columns, squeeze=False)
        for line, (method, cells) in zip(places, shown.items(), strict=True):
            for axes in line[len(cells) :]:
                axes.set_visible(False)
            for axes, cell in zip(line, cells.values(), strict=False):
                rows = lines(table, cell, method, "region")
                _overlay(axes, mean, region_map(results, rows), described(results), signed=False)
                features, model, _ = cell.split("/")
                axes.set_title(f"{features}\n{model}, {METHODS[method]}")

    names = ", ".join(next(iter(shown.values())))
    alt = f"Maps of importance over the mean radiograph for {names}; fractions are in the text."
    return Figure(
        name="importance-maps",
        caption="Maps of importance: the importance of each region's columns, spread over the "
        "region and summed over families, on the mean of the two classes' mean training images. "
        "Orange: large. Each map has its own scale. A map shows what a method uses, not where "
        "disease is.",
        alt=alt,
        svg=draw("importance-maps", (1.75 * columns + 0.2, 2.25 * len(shown)), _paint, alt,
                 is_synthetic(results)),
    )  # fmt: skip


def classes_figure(
    results: Results, table: pd.DataFrame, cell: str, families: Sequence[str]
) -> Figure | None:
    """Draw the mean SHAP values of each family's regions for each class.

    Parameters
    ----------
    results : Results
    table : DataFrame
        Finished rows of ``importance``.
    cell : str
    families : sequence of str

    Returns
    -------
    Figure or None
        None where the cell has no SHAP values of regions.
    """
    names = class_pair(results)
    by_class = {
        name: _class_means(table, cell, metrics)
        for name, metrics in zip(names, _CLASS_MEANS, strict=True)
    }
    if any(rows.empty for rows in by_class.values()):
        return None
    maps = {
        (name, family): region_map(results, rows, [family])
        for name, rows in by_class.items()
        for family in families
    }
    top = max(float(np.abs(one).max()) for one in maps.values()) or 1.0

    def _paint(figure: MplFigure) -> None:
        places = figure.subplots(2, len(families), squeeze=False)
        for line, name in zip(places, by_class, strict=True):
            mean = mean_radiograph(results, name)
            for axes, family in zip(line, families, strict=True):
                _overlay(axes, mean, maps[name, family], described(results), signed=True, top=top)
                axes.set_title(f"{family}, {name}")

    alt = (
        f"SHAP of {cell} by region and class over the class's mean radiograph, for "
        f"{', '.join(families)}."
    )
    return Figure(
        name="importance-classes",
        caption=f"SHAP values of regions in {cell}: mean over the {names[0]} (top) and the "
        f"{names[1]} (bottom) test images, on the mean training image of the class. Orange: "
        f"towards {names[1]}, blue: towards {names[0]}; all maps have the same scale.",
        alt=alt,
        svg=draw("importance-classes", (1.75 * len(families) + 0.2, 4.3), _paint, alt,
                 is_synthetic(results)),
    )  # fmt: skip


def _class_means(table: pd.DataFrame, cell: str, metrics: tuple[str, ...]) -> pd.DataFrame:
    """Mean SHAP values of regions over the images of a class, by the first metric that is there."""
    found = [lines(table, cell, "shap", "region", metric) for metric in metrics]
    return next((rows for rows in found if len(rows)), found[0])


def agreement_figure(results: Results, agreed: pd.DataFrame) -> Figure:
    """Draw Kendall's tau between each pair of methods of a cell, by parts of families and regions.

    Parameters
    ----------
    results : Results
    agreed : DataFrame
        From :func:`benchmarks.importance.agreement.agreement`.

    Returns
    -------
    Figure
    """
    rows = agreed.sort_values(["cell", "level"], kind="stable").reset_index(drop=True)
    labels = [
        f"{row['cell']}: {METHODS[row['method_a']]} – {METHODS[row['method_b']]}"
        for row in rows.to_dict("records")
    ]
    names = list(dict.fromkeys(labels))
    marks = {"subfamily": ("o", BLUE), "region": ("D", VERMILION)}

    def _paint(figure: MplFigure) -> None:
        axes = figure.subplots()
        axes.axvline(0, color="#8a929b", linewidth=0.8)
        for label, row in zip(labels, rows.to_dict("records"), strict=True):
            mark, colour = marks[row["level"]]
            axes.plot([row["tau"]], [names.index(label)], mark, color=colour)
        frame(axes, x="Kendall's tau (1: same order, 0: unrelated)", grid="x")
        name_rows([axes], names, ())
        from matplotlib.lines import Line2D

        keys = [Line2D([], [], color=c, marker=m, linestyle="none") for m, c in marks.values()]
        figure.legend(keys, ["parts of families", "regions"],
                      loc="outside lower center", ncols=2)  # fmt: skip

    middle = rows.groupby("level")["tau"].median()
    alt = "Rank agreement between methods; median tau " + ", ".join(
        f"{level} {number(float(value), 2)}" for level, value in middle.items()
    )
    return Figure(
        name="importance-agreement",
        caption="Rank agreement between two methods on the same groups of the same cell.",
        alt=alt,
        svg=draw("importance-agreement", (7.6, 1.3 + 0.22 * len(names)), _paint, alt,
                 is_synthetic(results)),
    )  # fmt: skip


def _overlay(
    axes: Axes, mean: Map | None, shown: Map, crop: float, signed: bool, top: float | None = None
) -> None:
    """Draw a map over a radiograph; zero is transparent, and negative values only show if signed.

    ``shown`` covers the central ``crop`` of the radiograph; ``top`` is the value of the full
    colour, the map's largest if left out.
    """
    from matplotlib.colors import to_rgb

    axes.set_axis_off()
    if mean is not None:
        options: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255, "extent": (0, 1, 1, 0)}
        axes.imshow(mean, **options)
    strength = np.abs(shown) if signed else np.clip(shown, 0, None)
    full = top or float(strength.max()) or 1.0
    colour = np.where(shown[..., None] >= 0, to_rgb(VERMILION), to_rgb(BLUE))
    alpha = 0.8 * np.clip(strength / full, 0, 1)
    low, high = (1 - crop) / 2, (1 + crop) / 2
    axes.imshow(np.dstack([colour, alpha]), extent=(low, high, high, low))
    axes.set_xlim(0, 1)
    axes.set_ylim(1, 0)


BINS = 60  # along the axis; the points of a bin are drawn beside each other
HALF = 0.4  # largest offset, as a fraction of the distance between rows


def swarm_figure(results: Results, swarm: pd.DataFrame) -> Figure:
    """Draw a beeswarm of SHAP values: one row per column, one point per explained image.

    Parameters
    ----------
    results : Results
    swarm : DataFrame
        Rows of ``importance_swarm`` of one cell.

    Returns
    -------
    Figure
    """
    names = list(dict.fromkeys(swarm["feature"]))
    edges = np.linspace(swarm["shap"].min(), swarm["shap"].max(), BINS + 1)
    cell, (negative, positive) = str(swarm["cell"].iloc[0]), class_pair(results)

    def _paint(figure: MplFigure) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("value", [BLUE, "#d9d9d9", VERMILION])
        axes = figure.subplots()
        axes.axvline(0, color="#8a929b", linewidth=0.8)
        for k, name in enumerate(names):
            own = swarm[swarm["feature"] == name]
            offset = _spread(own["shap"].to_numpy(dtype=float), edges)
            points = axes.scatter(
                own["shap"], k + offset, c=own["percentile"], cmap=colours, vmin=0, vmax=1, s=5,
                linewidths=0,
            )  # fmt: skip
        bar = figure.colorbar(points, ax=axes, ticks=[0, 1], fraction=0.03, pad=0.02)
        bar.ax.set_yticklabels(["low", "high"])
        bar.set_label("feature value")
        frame(axes, x=f"SHAP: towards {negative} (left), towards {positive} (right)", grid="x")
        name_rows([axes], names, ())

    alt = (
        f"SHAP values of each explained image for {len(names)} columns of {cell}, first {names[0]}."
    )
    return Figure(
        name="importance-swarm",
        caption=f"Columns with the largest mean |SHAP| in {cell}. Each point is a test image; its "
        "colour is the percentile of the column's value.",
        alt=alt,
        svg=draw("importance-swarm", (8.2, 0.9 + 0.3 * len(names)), _paint, alt,
                 is_synthetic(results)),
    )  # fmt: skip


def _spread(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offset points so that those of a bin lie beside each other; the fullest bin has full height.

    Examples
    --------
    >>> _spread(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0.0, 0.5, 1.0])).tolist()
    [0.0, 0.4, -0.4, 0.0]
    """
    place = np.searchsorted(edges[1:-1], values)
    order = pd.Series(place).groupby(place).cumcount().to_numpy()
    side = np.where(order % 2 == 1, 1, -1) * ((order + 1) // 2)
    return np.asarray(HALF * side / max(1, int(np.abs(side).max())), dtype=float) + 0.0

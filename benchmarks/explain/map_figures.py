"""Figures of signed maps over a radiograph, for the page and as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.extraction.given_features import family_class
from benchmarks.importance.importance_map import Map
from benchmarks.io.escaping import printable
from benchmarks.report.plots import (
    NEGATIVE_COLOUR,
    POSITIVE_COLOUR,
    SYNTHETIC,
    draw,
    draw_png,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COVER = 0.8  # opacity of the strongest value
COLUMNS = 4
NO_MAP = "no map"
LONGEST = 16  # characters of the name of a class below a map


def title_of(kind: str) -> str:
    """Name a map: what a family measures, or the method that made it.

    Parameters
    ----------
    kind : str
        Key of ``FEATURES``, ``occlusion`` or ``grad_cam``.

    Returns
    -------
    str

    Examples
    --------
    >>> title_of("hog"), title_of("grad_cam")
    ('HOG (edges)', 'Grad-CAM')
    """
    methods = {"occlusion": "Occlusion", "grad_cam": "Grad-CAM"}
    return methods[kind] if kind in methods else family_class(kind).label()


def unit_of(name: str, space: str) -> str:
    """Return the unit of a map.

    Parameters
    ----------
    name : str
        Family or method of the map.
    space : {"log-odds", "probability"}
        Unit of the output of the cell.

    Returns
    -------
    str

    Examples
    --------
    >>> unit_of("hog", "log-odds"), unit_of("occlusion", "")
    ('log-odds per 1 % of the image', 'drop of the score')
    """
    if name == "occlusion":
        return "drop of the score"
    space = "log-odds" if name == "grad_cam" else space
    return f"{space} per 1 % of the image"


def in_units(name: str, values: Map) -> Map:
    """Convert a map to its unit; see :func:`unit_of`.

    Parameters
    ----------
    name : str
        Family or method of the map.
    values : ndarray of shape (H, W)

    Returns
    -------
    ndarray of shape (H, W)
        Unchanged for occlusion; otherwise, values per 1 % of the image area.
    """
    return values if name == "occlusion" else values * values.size / 100


def limit_of(values: Map) -> float:
    """Return the largest absolute value of a map, which has full colour; 1 if all values are 0.

    Parameters
    ----------
    values : ndarray

    Returns
    -------
    float
    """
    return float(np.abs(values).max()) or 1.0


def overlay(image: NDArray[np.uint8], values: Map, limit: float) -> NDArray[np.float64]:
    """Blend a signed map with a grey image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    values : ndarray of shape (H, W)
    limit : float
        Absolute value with full colour.

    Returns
    -------
    ndarray of shape (H, W, 3), float64 in [0, 1]
        Vermilion for positive values, blue for negative; the grey image where values are 0.

    Examples
    --------
    >>> overlay(np.array([[255, 0]], np.uint8), np.array([[0.0, 2.0]]), 2.0)[0].round(2).tolist()
    [[1.0, 1.0, 1.0], [0.67, 0.29, 0.0]]
    """
    from matplotlib.colors import to_rgb

    share = np.clip(values / limit, -1, 1)[..., None]
    pole = np.where(share > 0, to_rgb(POSITIVE_COLOUR), to_rgb(NEGATIVE_COLOUR))
    opacity = COVER * np.abs(share)
    return np.asarray((1 - opacity) * (image[..., None] / 255) + opacity * pole)


def maps_figure(
    name: str,
    image: NDArray[np.uint8],
    maps: Mapping[str, Map],
    space: str,
    classes: tuple[str, str],
    alt: str,
    synthetic: bool,
) -> str:
    """Draw the image and the maps of one cell side by side.

    Parameters
    ----------
    name : str
        Name of the figure.
    image : ndarray of shape (H, W), uint8
    maps : dict of ndarray of shape (H, W)
        By family or method.
    space : str
        See :func:`unit_of`.
    classes : (str, str)
        Names of the negative and of the positive class.
    alt : str
        Alternative text.
    synthetic : bool
        Whether to mark the figure as synthetic data.

    Returns
    -------
    str
        SVG.
    """
    columns = COLUMNS + 1 if len(maps) == COLUMNS else COLUMNS
    rows = -(-(len(maps) + 1) // columns)

    def _draw(figure: Figure) -> None:
        places = panels(figure, len(maps) + 1, columns)
        _show(places[0], image[..., None].repeat(3, axis=2) / 255, "The image")
        _scale(figure, places[0], 1, [_brief(classes[0]), "", _brief(classes[1])], "evidence for")
        for place, (kind, values) in zip(places[1:], maps.items(), strict=True):
            _paint_map(figure, place, image, kind, values, space)

    return draw(name, (9.2, 11.6 * rows / columns), _draw, alt, synthetic)


def overview_figure(
    image: NDArray[np.uint8],
    cells: Sequence[tuple[str, Mapping[str, Map | None]]],
    alt: str,
    synthetic: bool,
) -> str:
    """Draw the maps of all cells, with one column per cell and one row per method.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    cells : sequence of (str, dict)
        Title, and maps by method, of each cell; None if there is no map.
    alt : str
        Alternative text.
    synthetic : bool
        Whether to mark the figure as synthetic data.

    Returns
    -------
    str
        SVG.
    """
    every = list(dict.fromkeys(kind for _, maps in cells for kind in maps))
    kinds = [kind for kind in every if any(maps[kind] is not None for _, maps in cells)]

    def _draw(figure: Figure) -> None:
        grid = figure.subplots(len(kinds), len(cells), squeeze=False)
        for column, (title, maps) in enumerate(cells):
            for row, kind in enumerate(kinds):
                place, values = grid[row, column], maps[kind]
                if values is None:
                    place.text(0.5, 0.5, NO_MAP, ha="center", va="center", color="#777777")
                    place.set(xticks=[], yticks=[], aspect=1)
                    place.spines[:].set_visible(False)
                else:
                    _show(place, overlay(image, values, limit_of(values)), "")
                if row == 0:
                    lines = "\n".join(map(printable, title.split("\n")))
                    place.set_title(lines, fontsize=7.5, loc="center")
                if column == 0:
                    place.set_ylabel(kind)

    width = max(4.6, min(9.2, 1.8 * len(cells) + 0.4))
    height = len(kinds) * (width / len(cells)) + 0.5
    return draw("overview", (width, height), _draw, alt, synthetic)


def map_png(
    image: NDArray[np.uint8], kind: str, values: Map, space: str, title: str, synthetic: bool
) -> bytes:
    """Draw one map with its scale.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    kind : str
        Family or method of the map.
    values : ndarray of shape (H, W)
    space : str
        See :func:`unit_of`.
    title : str
    synthetic : bool
        Whether to mark the figure as synthetic data.

    Returns
    -------
    bytes
        PNG.
    """

    def _draw(figure: Figure) -> None:
        marked = f"{SYNTHETIC}\n{printable(title)}" if synthetic else printable(title)
        figure.suptitle(marked, fontsize=8.5)
        _paint_map(figure, figure.subplots(), image, kind, values, space)

    return draw_png((3.6, 4.6), _draw)


def _paint_map(
    figure: Figure, place: Axes, image: NDArray[np.uint8], kind: str, values: Map, space: str
) -> None:
    """Draw one map with its scale below it."""
    shown = in_units(kind, values)
    limit = limit_of(shown)
    _show(place, overlay(image, shown, limit), title_of(kind))
    _scale(figure, place, limit, [_tick(-limit), "0", _tick(limit)], unit_of(kind, space))


def _scale(figure: Figure, place: Axes, limit: float, ticks: list[str], label: str) -> None:
    """Draw a colour bar, with the colours as they look over mid grey, below a map."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    colours = LinearSegmentedColormap.from_list("", [NEGATIVE_COLOUR, "#b8b8b8", POSITIVE_COLOUR])
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), colours), ax=place, orientation="horizontal",
        ticks=[-limit, 0, limit], fraction=0.05, pad=0.03,
    )  # fmt: skip
    bar.ax.set_xticklabels(ticks)
    bar.set_label(label.replace(" per 1 %", "\nper 1 %"), fontsize=8)


def _brief(name: str) -> str:
    """Shorten the name of a class to fit below one half of a map."""
    return printable(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")


def _tick(value: float) -> str:
    return f"{value:.2g}".replace("-", "−")


def _show(place: Axes, colours: NDArray[np.float64], title: str) -> None:
    place.imshow(np.clip(colours, 0, 1), interpolation="none")
    place.set(xticks=[], yticks=[])
    if title:
        place.set_title(title)

"""Matplotlib figures as deterministic SVG, in colours safe for print and colour blindness."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from xml.sax.saxutils import quoteattr

from benchmarks.io.escaping import printable
from benchmarks.statistics.method_rows import Row, kinds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette without its yellow, which is hard to see on paper.
BLACK, BLUE, VERMILION, GREEN = "#000000", "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY, GREY = "#CC79A7", "#E69F00", "#56B4E9", "#777777"
INK, RULE = "#1d232a", "#d5d9de"
NEGATIVE_COLOUR, POSITIVE_COLOUR = BLUE, VERMILION
SYNTHETIC = "SYNTHETIC DATA (phantoms)"

Dash = Literal["-"] | tuple[int, tuple[float, ...]]


@dataclass(frozen=True)
class Look:
    """Colour, dash pattern and marker of a method; all three differ between methods."""

    colour: str
    dash: Dash
    marker: str


_LOOKS = (
    Look(BLUE, "-", "o"),
    Look(VERMILION, (0, (6, 1.6)), "s"),
    Look(GREEN, (0, (4, 1.4, 1, 1.4)), "^"),
    Look(PURPLE, (0, (2.2, 1.2)), "D"),
    Look(ORANGE, (0, (8, 1.4, 2, 1.4)), "v"),
    Look(SKY, (0, (5, 1.2, 1, 1.2, 1, 1.2)), "P"),
    Look(GREY, (0, (1, 1)), "X"),
    Look("#7A4B2A", (0, (10, 2)), "<"),
    Look("#332288", (0, (1, 2.2)), ">"),
)
CNN_LOOK = Look(BLACK, (0, (3, 1, 1, 1, 1, 1)), "*")

_STYLE: Any = {
    "svg.fonttype": "path", "svg.hashsalt": "report", "font.family": ["DejaVu Sans"],
    "font.size": 9, "axes.titlesize": 9.5, "axes.labelsize": 9, "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "axes.edgecolor": "#8a929b",
    "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.grid": False,
    "grid.color": "#e6e9ec", "grid.linewidth": 0.7, "lines.linewidth": 1.6, "lines.markersize": 5,
    "legend.frameon": False, "figure.facecolor": "white", "axes.axisbelow": True,
    "axes.unicode_minus": True, "text.parse_math": False, "figure.dpi": 72, "savefig.dpi": 144,
}  # fmt: skip


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Assign a look to each name by its position, so that all figures of a report agree.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    dict of Look

    Examples
    --------
    >>> looks(["hog", "lbp"])["lbp"].marker
    's'
    """
    return {name: _LOOKS[k % len(_LOOKS)] for k, name in enumerate(names)}


def method_looks(table: Sequence[Row]) -> dict[str, Look]:
    """Assign a look to each method by its feature set or external model; the CNN has its own.

    Parameters
    ----------
    table : sequence of Row
        All rows of the comparison, so that every figure uses the same looks.

    Returns
    -------
    dict of Look
        By the label of the row.
    """
    look = looks(kinds(table))
    return {row.label: CNN_LOOK if row.is_cnn else look[row.kind] for row in table}


def draw(
    name: str,
    size: tuple[float, float],
    paint: Callable[[Figure], None],
    alt: str,
    synthetic: bool,
) -> str:
    """Draw a figure and return it as an SVG element; the same figure gives the same bytes.

    Parameters
    ----------
    name : str
        Prefix of every id in the SVG, so that a page can hold several.
    size : (float, float)
        Width and height in inches.
    paint : callable
        Draws on the figure that it is given.
    alt : str
        Alternative text for readers who can't see the figure.
    synthetic : bool
        Whether to write SYNTHETIC DATA into the figure.

    Returns
    -------
    str
        ``<svg ...>...</svg>`` with text as paths, so that no font is needed.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    height = size[1] + (0.3 if synthetic else 0)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(size[0], height), layout=ConstrainedLayoutEngine(w_pad=0.07))
        if synthetic:
            figure.suptitle(SYNTHETIC, x=0.995, ha="right", color="#a3123a", weight="bold",
                            fontsize=10)  # fmt: skip
            alt = f"{SYNTHETIC}: {alt}"
        paint(figure)
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    return _embeddable(buffer.getvalue(), name, alt, size[0])


def draw_png(size: tuple[float, float], paint: Callable[[Figure], None]) -> bytes:
    """Draw a figure and return it as a PNG, in the style of :func:`draw`.

    Parameters
    ----------
    size : (float, float)
        Width and height in inches.
    paint : callable
        Draws on the figure that it is given.

    Returns
    -------
    bytes
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def frame(
    axes: Axes,
    title: str = "",
    x: str = "",
    y: str = "",
    grid: str = "both",
) -> None:
    """Set title, axis labels and grid of a panel.

    Parameters
    ----------
    axes : Axes
    title, x, y : str
        Title and labels of the axes.
    grid : {"both", "x", "y", ""}
        Direction of the grid lines.
    """
    axes.set_title("\n".join(printable(line) for line in title.split("\n")))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if grid == "both":
        axes.grid(visible=True)
    elif grid in {"x", "y"}:
        axes.grid(visible=True, axis="x" if grid == "x" else "y")


def legend(figure: Figure, keys: dict[str, Look], marks: bool = False) -> None:
    """Put one legend for all panels below them.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    keys : dict of Look
        By name.
    marks : bool
        Whether to show markers instead of dash patterns.
    """
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=look.colour, linestyle="none" if marks else look.dash,
               marker=look.marker if marks else None)
        for look in keys.values()
    ]  # fmt: skip
    figure.legend(lines, [printable(name) for name in keys], loc="outside lower center",
                  ncols=min(6, len(lines)), handlelength=1.5 if marks else 4)  # fmt: skip


def panels(figure: Figure, count: int, columns: int, **options: Any) -> list[Axes]:
    """Lay panels out on a grid.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    count : int
        Number of panels.
    columns : int
        Panels per row; unused places of the last row stay empty.
    **options
        Passed on to ``figure.subplots``.

    Returns
    -------
    list of Axes
    """
    rows = -(-count // columns)
    grid = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for axes in grid[count:]:
        axes.set_visible(False)
    for axes in grid[max(0, count - columns) : count]:
        axes.tick_params(labelbottom=True)
    return list(grid[:count])


def mark_estimate(
    axes: Axes, estimate: tuple[float, float, float], y: float, look: Look, **options: Any
) -> None:
    """Draw a value and its interval on one row of a panel.

    Parameters
    ----------
    axes : Axes
    estimate : (float, float, float)
        The value and the bounds of its interval.
    y : float
    look : Look
    **options
        For the marker, as :meth:`matplotlib.axes.Axes.plot` takes them.
    """
    value, low, high = estimate
    axes.plot([low, high], [y, y], color=look.colour)
    axes.plot([value], [y], look.marker, color=look.colour, **options)


def name_rows(places: Sequence[Axes], labels: Sequence[str], cuts: Sequence[int]) -> None:
    """Label the rows of panels that share their vertical axis; the first row is on top.

    Parameters
    ----------
    places : sequence of Axes
        Panels, left to right.
    labels : sequence of str
        One per row.
    cuts : sequence of int
        Rows above which a rule is drawn.
    """
    places[0].set_yticks(range(len(labels)), [printable(name) for name in labels])
    places[0].set_ylim(len(labels) - 0.4, -0.6)
    for place in places:
        for k in cuts:
            place.axhline(k - 0.5, color="#c3c9d0", linewidth=0.7)


def _embeddable(svg: str, name: str, alt: str, inches: float) -> str:
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r'(\sid=")', rf"\g<1>{name}-", svg)
    svg = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\g<1>{name}-", svg)
    # The widest figures, 9.2 inches, fill the column of 60 rem: text has one size in all figures.
    width = f"--width: {60 * inches / 9.2:.1f}rem"
    label = f'<svg role="img" style="{width}" aria-label={quoteattr(printable(alt))} '
    return label + svg[len("<svg ") :]

"""Regions of an image and directions on it: in pixels, and in words."""

from __future__ import annotations

from typing import NamedTuple

DOWN, ACROSS = ("upper", "middle", "lower"), ("left", "centre", "right")


class Region(NamedTuple):
    """One rectangle of the grid that a feature family lays over the image.

    Attributes
    ----------
    name : str
        As in the names of its columns, for instance ``cell06`` or ``row03/col07``.
    row, column : int
        Place in the grid, counted from 0.
    rows, columns : int
        Size of the grid.
    top, bottom, left, right : int
        Edges in pixels; ``bottom`` and ``right`` are exclusive.

    Examples
    --------
    >>> region = Region.of_cell("cell06", 6, grid=7, shape=(224, 224))
    >>> region[5:], region.in_words()
    ((0, 32, 192, 224), 'in the region at row 1, column 7 (upper right)')
    """

    name: str
    row: int
    column: int
    rows: int
    columns: int
    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of_cell(cls, name: str, cell: int, grid: int, shape: tuple[int, ...]) -> Region:
        """Give the region of one cell of a square grid.

        Parameters
        ----------
        name : str
        cell : int
            In [0, grid²), counted row by row.
        grid : int
            Cells down and across.
        shape : (int, int)
            Height and width of the image in pixels.

        Returns
        -------
        Region
            With the edges of :func:`grid_cells`.
        """
        row, column = divmod(cell, grid)
        edges = (*_edges(shape[0], row, grid), *_edges(shape[1], column, grid))
        return cls(name, row, column, grid, grid, *edges)

    def in_words(self) -> str:
        """Say where the region lies; left and right are those of the image.

        Returns
        -------
        str
        """
        vertical = DOWN[int(3 * (self.row + 0.5) / self.rows)]
        horizontal = ACROSS[int(3 * (self.column + 0.5) / self.columns)]
        return (
            f"in the region at row {self.row + 1}, column {self.column + 1} "
            f"({vertical} {horizontal})"
        )


def grid_cells(shape: tuple[int, ...], grid: int) -> list[tuple[slice, slice]]:
    """Divide an image into ``grid`` × ``grid`` cells that cover it, row by row.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    grid : int
        Cells down and across.

    Returns
    -------
    list of (slice, slice)
        Cell ``k`` is row ``k // grid``, column ``k % grid``.

    Examples
    --------
    >>> grid_cells((4, 6), 2)[1]
    (slice(0, 2, None), slice(3, 6, None))
    """
    rows, columns = ([slice(*_edges(side, k, grid)) for k in range(grid)] for side in shape)
    return [(row, column) for row in rows for column in columns]


def _edges(side: int, k: int, grid: int) -> tuple[int, int]:
    return side * k // grid, side * (k + 1) // grid


def direction_in_words(low: float, high: float) -> str:
    """Name the direction of lines between two angles.

    Parameters
    ----------
    low, high : float
        Degrees, anticlockwise from the horizontal.

    Returns
    -------
    str

    Examples
    --------
    >>> direction_in_words(30, 50)
    '30–50° (rising to the right)'
    >>> direction_in_words(170, 190)
    '170–190° (near horizontal)'
    """
    middle = (low + high) / 2 % 180
    if abs(middle - 90) < 22.5:
        words = "near vertical"
    elif min(middle, 180 - middle) < 22.5:
        words = "near horizontal"
    else:
        words = "rising to the right" if middle < 90 else "falling to the right"
    angles = f"{low:.3g}°" if low == high else f"{low:.3g}–{high:.3g}°"
    return f"{angles} ({words})"

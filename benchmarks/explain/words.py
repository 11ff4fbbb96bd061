"""Names of feature columns in words that a reader of radiographs understands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from features import FEATURES, ImageDescriptor
from features.lbp_kernels import POINTS_PER_RADIUS

_CELL = re.compile(r"cell(\d+)")
DOWN, ACROSS = ("upper", "middle", "lower"), ("left", "centre", "right")
PROPERTIES = {
    "contrast": "contrast", "dissimilarity": "dissimilarity", "homogeneity": "likeness",
    "ASM": "regularity (angular second moment)", "energy": "regularity (energy)",
    "correlation": "correlation", "entropy": "disorder (entropy)",
}  # fmt: skip
STATISTICS = {
    "mean": "mean grey value", "std": "spread of grey values", "entropy": "entropy of grey values",
    "skewness": "skewness of grey values", "kurtosis": "kurtosis of grey values",
}  # fmt: skip
TOGETHER = {
    "hog": "edges", "lbp": "local binary patterns", "glcm": "co-occurrence texture",
    "gabor": "Gabor texture", "intensity": "grey values",
}  # fmt: skip


def in_words(feature_name: str, descriptor: ImageDescriptor | None = None) -> str:
    """Say what a column measures, and where on the picture.

    Parameters
    ----------
    feature_name : str
        As :meth:`get_feature_names_out` gives it.
    descriptor : ImageDescriptor, optional
        The family's, fitted; by default one with its default parameters. Where a HOG cell lies on
        the picture is told only with a fitted one, which knows the image's size.

    Returns
    -------
    str
        Left and right are those of the picture. Directions are counted from the horizontal,
        anticlockwise, along the edge or stripe: across the gradient that HOG counts.

    Raises
    ------
    ValueError
        If no family has such a name.

    Examples
    --------
    >>> in_words("lbp/r1/cell06/code09")
    'rough texture (LBP, radius 1) in the field at row 1, column 7 (upper right)'
    >>> in_words("glcm/d4/contrast/range")
    'how far the contrast of pixels 4 apart (GLCM) differs between directions, whole picture'
    """
    family, *parts = feature_name.split("/")
    if family not in FEATURES or not parts:
        raise ValueError(
            f"Got the feature {feature_name!r}, but expected a name that begins with one of "
            f"{', '.join(f'{name}/' for name in FEATURES)}."
        )
    if family in ("embedding", "embedding_random"):
        source = " with random weights" if family == "embedding_random" else ""
        return f"output {int(parts[1])} of the network {parts[0]}{source}"
    return _WORDS[family](parts, FEATURES[family]() if descriptor is None else descriptor)


def region_in_words(region: str, descriptor: ImageDescriptor | None = None) -> str:
    """Say what all columns of a region measure together, and where on the picture.

    Parameters
    ----------
    region : str
        As :func:`benchmarks.importance.groups.columns_of` names it.
    descriptor : ImageDescriptor, optional
        See :func:`in_words`.

    Examples
    --------
    >>> region_in_words("lbp/cell06")
    'local binary patterns in the field at row 1, column 7 (upper right)'
    """
    family, *parts = region.split("/")
    known = FEATURES[family]() if descriptor is None else descriptor
    place = _cell(parts, known) if family == "hog" else _field(parts, known)
    return TOGETHER[family] + place


def place_in_words(row: int, column: int, down: int, across: int) -> str:
    """Which ninth of the picture a cell of a grid lies in.

    Examples
    --------
    >>> place_in_words(3, 7, 14, 14), place_in_words(1, 1, 4, 4), place_in_words(6, 3, 7, 7)
    ('upper centre', 'middle centre', 'lower centre')
    """
    ninth = (DOWN[int(3 * (row + 0.5) / down)], ACROSS[int(3 * (column + 0.5) / across)])
    return " ".join(ninth)


def direction_in_words(low: float, high: float) -> str:
    """Directions of lines between two angles, in degrees anticlockwise from the horizontal.

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


def _hog(parts: list[str], descriptor: Any) -> str:
    k = int(parts[2].removeprefix("bin"))
    width = 180 / descriptor.orientations
    # Bins hold the gradient's direction, with rows counted downwards; the edge is across it.
    low = (90 - (k + 1) * width) % 180
    return f"edges at {direction_in_words(low, low + width)}{_cell(parts, descriptor)}"


def _cell(parts: list[str], descriptor: Any) -> str:
    """Where a cell of HOG's lies."""
    row, column = (int(re.sub(r"\D", "", part)) for part in parts[:2])
    place = ""
    if hasattr(descriptor, "image_shape_"):
        down, across = (side // descriptor.cell for side in descriptor.image_shape_)
        place = f" ({place_in_words(row, column, down, across)})"
    return f" in the cell at row {row + 1}, column {column + 1}{place}"


def _lbp(parts: list[str], descriptor: Any) -> str:
    radius, code = (int(re.sub(r"\D", "", parts[k])) for k in (0, 2))
    points = POINTS_PER_RADIUS * radius
    what, detail = _pattern(code, points), f"LBP, radius {radius}"
    if 0 < code < points:
        detail = f"{code} of {points} neighbours as bright or brighter; {detail}"
    return f"{what} ({detail}){_field(parts, descriptor)}"


def _pattern(code: int, points: int) -> str:
    if code > points:
        return "rough texture"
    if code in (0, points):
        return "dark spots and even areas" if code else "bright spots"
    if points / 4 < code < 3 * points / 4:
        return "edges"
    return f"{'bright' if code < points / 2 else 'dark'} tips and corners"


def _glcm(parts: list[str], descriptor: Any) -> str:
    distance = int(parts[0].removeprefix("d"))
    apart = "of neighbouring pixels" if distance == 1 else f"of pixels {distance} apart"
    what = f"{PROPERTIES[parts[1]]} {apart} (GLCM)"
    if parts[-1] == "range":
        return f"how far the {what} differs between directions, whole picture"
    return what + _field(parts, descriptor)


def _gabor(parts: list[str], descriptor: Any) -> str:
    wavelength, wave = float(parts[0].removeprefix("w")), float(parts[1].removeprefix("a"))
    # The wave's direction, with rows counted downwards; its stripes run across it.
    along = (90 - wave) % 180
    direction = direction_in_words(along, along).removesuffix(")")
    what = f"stripes {wavelength:g} pixels apart at {direction}; Gabor)"
    if parts[-1] == "std":
        return f"unevenness of {what}, whole picture"
    return what + _field(parts, descriptor)


def _intensity(parts: list[str], descriptor: Any) -> str:
    name = parts[0]
    percentile = f"{int(name[1:])}th percentile of grey values" if name[1:].isdigit() else ""
    return (percentile or STATISTICS[name]) + _field(parts, descriptor)


def _field(parts: list[str], descriptor: Any) -> str:
    """Where a field of the family's grid lies; fields are counted row by row."""
    for part in parts:
        if match := _CELL.fullmatch(part):
            row, column = divmod(int(match[1]), descriptor.grid)
            place = place_in_words(row, column, descriptor.grid, descriptor.grid)
            return f" in the field at row {row + 1}, column {column + 1} ({place})"
    return ", whole picture"


_WORDS: dict[str, Callable[[list[str], Any], str]] = {
    "hog": _hog, "lbp": _lbp, "glcm": _glcm, "gabor": _gabor, "intensity": _intensity,
}  # fmt: skip

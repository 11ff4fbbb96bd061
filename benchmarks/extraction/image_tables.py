"""Tables from elsewhere with one row per image: their header, and which row is which image."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.config import ConfigError

IMAGE = "image"
NAMED = 3  # images that a message names
_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_FOLDERS = r".*[\\/]"


def header(file: Path) -> list[str]:
    """Return the names in the first line of a CSV file; pandas would rename repeated ones.

    Parameters
    ----------
    file : Path
        In UTF-8, with or without a byte order mark.

    Returns
    -------
    list of str
        One empty name for an empty file.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return next((line for line in csv.reader(lines) if line), [""])


def check_columns(start: str, columns: Sequence[str], needed: Sequence[str]) -> None:
    """Check that the needed columns are there once, in a file separated by commas.

    Parameters
    ----------
    start : str
        Beginning of a message: the option with its file.
    columns : sequence of str
        From :func:`header`.
    needed : sequence of str

    Raises
    ------
    ConfigError
        If a column is missing or there twice, or the separator is another.
    """
    other = next((name for mark, name in _SEPARATORS.items() if mark in columns[0]), "")
    if len(columns) == 1 and other:
        raise ConfigError(
            f"{start}: got a file whose columns are separated by {other}, expected commas. Save it "
            "with commas as separators and points as decimal marks."
        )
    if twice := [column for column in needed if list(columns).count(column) > 1]:
        raise ConfigError(
            f"{start}: got {list(columns).count(twice[0])} columns named {twice[0]}, expected one. "
            "Keep the one that is meant."
        )
    if list(columns) != [""] and (missing := [one for one in needed if one not in columns]):
        raise ConfigError(
            f"{start}: got the columns {', '.join(columns[:20])}, expected {' and '.join(needed)}, "
            f"separated by commas. Name the column {missing[0]} in the first line."
        )


def matched(start: str, given: pd.Series, images: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Bring the image names of a table and of the data into a form in which they can be compared.

    Parameters
    ----------
    start : str
        Beginning of a message: the option with its file.
    given : Series of str
        Names in the table.
    images : Series of str
        Names in the data, as in ``manifest.csv``.

    Returns
    -------
    given : Series of str
        Unchanged if any name is in both; otherwise without folders.
    images : Series of str
        Likewise.

    Raises
    ------
    ConfigError
        If names without folders are needed, but several images share one.
    """
    if given.isin(images).any():
        return given, images
    short = given.str.replace(_FOLDERS, "", regex=True)
    names = images.str.replace(_FOLDERS, "", regex=True)
    unclear = images[names.duplicated(keep=False) & names.isin(short)]
    if len(unclear):
        raise ConfigError(
            f"{start}: got images named without the folders of manifest.csv, but several images "
            f"have one file name ({some(unclear)}). Name them as in manifest.csv of a run."
        )
    return short, names


def some(names: pd.Series | Sequence[str]) -> str:
    """List the first names.

    Parameters
    ----------
    names : Series or sequence of str

    Returns
    -------
    str
        Three at most.

    Examples
    --------
    >>> some(["a.png", "b.png", "c.png", "d.png"])
    'a.png, b.png, c.png, …'
    """
    more = ", …" if len(names) > NAMED else ""
    return ", ".join(list(names)[:NAMED]) + more

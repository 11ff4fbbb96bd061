"""Parts of a published layout: the folder that holds certain files, and columns of its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.datasets.tables.table_file import read_table_file
from benchmarks.errors import DataError

NONE_STATED = "no finding stated"  # as a label: neither a finding nor their absence
_COMPRESSED = ("", ".gz")


def folder_with(root: Path, names: Sequence[str]) -> Path:
    """Find the folder that holds files or folders of certain names: the root, or one below it.

    Parameters
    ----------
    root : Path
    names : sequence of str
        Each must be there; tables also compressed (``.gz``).

    Returns
    -------
    Path
        At most two folders below the root; the one that is nearest to it.

    Raises
    ------
    DataError
        If there is no such folder, or several at the same depth.
    """
    level = [root] if root.is_dir() else []
    for _ in range(3):
        found = [folder for folder in level if all(is_there(folder / name) for name in names)]
        if len(found) == 1:
            return found[0]
        if found:
            raise DataError(
                f"{root}: found {' and '.join(sorted(names))} in {len(found)} folders, but "
                f"expected one. Give one of them: {', '.join(map(str, found[:3]))}."
            )
        level = sorted(child for folder in level for child in folder.iterdir() if child.is_dir())
    missing = [name for name in names if not is_there(root / name)]
    raise DataError(
        f"{root}: found {'no ' + ', no '.join(missing) if root.is_dir() else 'no folder'}, but "
        f"expected {', '.join(names)} in it, as the data set is published. Complete the folder."
    )


def is_there(path: Path) -> bool:
    """Whether a file or folder exists, perhaps compressed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return any(Path(f"{path}{suffix}").exists() for suffix in _COMPRESSED)


def read_columns(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read columns of a published CSV file as text.

    Parameters
    ----------
    path : Path
        May also exist with ``.gz``.
    columns : sequence of str, optional
        Default: all.

    Returns
    -------
    DataFrame
        Missing values are empty strings.

    Raises
    ------
    DataError
        If the file can't be read or a column is missing.
    """
    file = next((p for s in _COMPRESSED if (p := Path(f"{path}{s}")).exists()), path)
    table, _ = read_table_file(file)
    wanted = list(table.columns if columns is None else columns)
    if missing := [name for name in wanted if name not in table.columns]:
        raise DataError(
            f"{file}: expected the columns {', '.join(wanted)} of the published table, but "
            f"{', '.join(missing)} is missing. Download the file again."
        )
    return table[wanted]


def joined(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Join the names of columns that hold 1 as ``A|B``.

    Parameters
    ----------
    table : DataFrame of str
    columns : sequence of str
        Names of findings: 1 (stated), 0 (denied), −1 (uncertain) or blank (not mentioned).

    Returns
    -------
    Series of str
        ``NONE_STATED`` where no column holds 1.
    """
    text = np.full(len(table), "", dtype=object)
    for column in columns:
        stated = (pd.to_numeric(table[column], errors="coerce") == 1).to_numpy()
        text[stated] += f"|{column}"
    found = pd.Series(text, index=table.index, dtype=str).str.removeprefix("|")
    return found.mask(found == "", NONE_STATED)


def inside(root: Path, folder: Path, names: pd.Series | str) -> pd.Series | str:
    """Put the path from the root to a folder before names.

    Parameters
    ----------
    root, folder : Path
        The folder is the root or below it.
    names : Series of str, or str
        Relative to ``folder``.

    Returns
    -------
    Series of str, or str
        Relative to ``root``.
    """
    path = folder.relative_to(root).as_posix()
    return names if path == "." else f"{path}/" + names

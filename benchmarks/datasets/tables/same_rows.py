"""Rows of a table that stand for the same thing: used once if they agree, refused if not."""

from __future__ import annotations

import pandas as pd

from benchmarks.errors import DataError


def one_row_each(rows: pd.DataFrame, key: str, source: str) -> tuple[pd.DataFrame, int]:
    """Keep one row per value of a column.

    Parameters
    ----------
    rows : DataFrame
    key : str
        The column.
    source : str
        For error messages.

    Returns
    -------
    rows : DataFrame
        The first of each.
    repeated : int
        Number of rows that were dropped, all equal to one that was kept.

    Raises
    ------
    DataError
        If two rows have the same key and differ in another column.

    Examples
    --------
    >>> table = pd.DataFrame({"image": ["a", "b", "a"], "label": ["1", "0", "1"]})
    >>> one_row_each(table, "image", "the example")[1]
    1
    """
    twice = rows[rows.duplicated(key, keep=False)]
    if twice.empty:
        return rows, 0
    different = twice.drop_duplicates()
    conflicts = different[different.duplicated(key, keep=False)]
    if len(conflicts):
        name = conflicts[key].iloc[0]
        both = conflicts[conflicts[key] == name]
        said = [
            f"{column} {' and '.join(map(repr, both[column].unique()))}"
            for column in rows.columns if both[column].nunique() > 1
        ]  # fmt: skip
        raise DataError(
            f"{source}: found rows for {conflicts[key].nunique():,} {key}s that disagree, such as "
            f"{name} with {', '.join(said)}, but expected one row per {key}. Correct the table, or "
            "choose among the rows with --where."
        )
    return rows.drop_duplicates(key, ignore_index=True), len(rows) - rows[key].nunique()

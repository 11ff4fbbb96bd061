"""The one writer and the one reader of CSV tables.

A field that contains a comma, a quote, a line feed or a carriage return is quoted, so that every
string is read back as it was written; pandas alone leaves a carriage return unquoted.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from benchmarks.io.run_files import write_text

_LINE_END = re.compile(r'("(?:[^"]|"")*")|\r\n')

# As without pyarrow, whose strings can't hold file names that are not UTF-8.
pd.set_option("mode.string_storage", "python")


def to_csv(table: pd.DataFrame, header: bool = True) -> str:
    r"""Format a table as CSV, without its index; floats keep all digits.

    Parameters
    ----------
    table : DataFrame
    header : bool
        Whether the first line names the columns.

    Returns
    -------
    str
        Lines end in a line feed; missing values are blank.

    Examples
    --------
    >>> to_csv(pd.DataFrame({"image": ["a\rb.png", "c,d.png"], "label": [0, 1]}))
    'image,label\n"a\rb.png",0\n"c,d.png",1\n'
    """
    text = str(table.to_csv(index=False, header=header, lineterminator="\n"))
    if "\r" not in text:
        return text
    # Fields are quoted if they contain a character of the line terminator.
    text = table.to_csv(index=False, header=header, lineterminator="\r\n")
    return _LINE_END.sub(lambda match: match[1] or "\n", text)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table atomically, as :func:`to_csv` formats it.

    Parameters
    ----------
    path : Path
    table : DataFrame
    """
    write_text(path, to_csv(table))


def read_csv(source: Path | BinaryIO, text: Collection[str] | None = None) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    source : Path or binary file
        CSV in UTF-8, with or without a byte order mark.
    text : collection of str, optional
        Columns of text, in which a blank field is an empty string. In other columns it is NaN, and
        pandas infers the type. None: all columns are text.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If the file is no CSV in UTF-8, or a line has more fields than the first.
    OSError
        If it can't be read.
    """
    kinds = str if text is None else dict.fromkeys(text, str)
    table = pd.read_csv(
        source, dtype=kinds, na_values=[""], keep_default_na=False, encoding="utf-8-sig",
        low_memory=False,
    )  # fmt: skip
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first fields for an index
        raise ValueError("lines with more fields than the first line has names")
    columns = [name for name in table.columns if text is None or name in text]
    table[columns] = table[columns].fillna("")
    return table

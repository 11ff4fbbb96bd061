"""A table as a program wrote it: CSV or TSV of any encoding, separator and quotes, or Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pandas as pd

from benchmarks.errors import DataError

PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
SUFFIXES = (*TEXT, *PARQUET)
MAX_BYTES = 2**30  # of a table, decompressed
SEPARATORS = (",", ";", "\t", "|")
_NO_SEPARATOR = "\x1f"  # a character that text does not contain
_SAMPLE = 200  # rows that decide on the separator
_SINGLE_QUOTED = re.compile(r"'[^'\n]*'[,;\t|]")
_BYTE_ORDER = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def is_table(path: Path) -> bool:
    """Whether a file is named as a table.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_table(Path("labels.csv.gz")), is_table(Path("labels.xlsx"))
    (True, False)
    """
    return path.name.lower().endswith(SUFFIXES)


def table_stem(path: Path) -> str:
    """Return the name of a table without its suffix.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Examples
    --------
    >>> table_stem(Path("a/labels.csv.gz"))
    'labels'
    """
    suffix = next((s for s in sorted(SUFFIXES, key=len)[::-1] if path.name.lower().endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]


def read_table_file(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a table; its first row names the columns.

    Parameters
    ----------
    path : Path
        CSV or TSV, also compressed with gzip, or Parquet.

    Returns
    -------
    table : DataFrame
        All values are text without spaces around it; missing values are empty strings.
    notes : list of str
        What was assumed.

    Raises
    ------
    DataError
        If the file can't be read, is no table, or a row has another number of fields than the
        first; the message names the line.
    """
    if path.name.lower().endswith(PARQUET):
        return _read_parquet(path), []
    rows, notes = read_rows(path)
    if len(rows) < 2:
        raise DataError(
            f"{path}: found {len(rows)} rows, but expected a row that names the columns and one "
            "per image. Give another table."
        )
    header, body = rows[0], rows[1:]
    return pd.DataFrame(body, columns=[name.strip() for name in header], dtype=str), notes


def read_rows(path: Path) -> tuple[list[list[str]], list[str]]:
    """Read the rows of a text table, with the one that names the columns.

    Parameters
    ----------
    path : Path

    Returns
    -------
    rows : list of list of str
        All of the same length, without spaces around the fields and without blank rows.
    notes : list of str

    Raises
    ------
    DataError
        As :func:`read_table_file`.
    """
    text, encoding = _decoded(path, _bytes(path))
    if first := re.match(r"sep=(.)\r?\n", text):  # as Excel writes and understands it
        separator, quote, text = first[1], '"', text[first.end() :]
    else:
        separator, quote = _dialect(text)
    rows = _parsed(path, text, separator, quote)
    width = len(rows[0][1]) if rows else 0
    for _, row in rows:
        if len(row) != width:
            del row[width:]  # blank, or _parsed would have refused it
    notes = [f"{path.name} is not in UTF-8; it was read as {encoding}."] * (encoding != "UTF-8")
    return [row for _, row in rows], notes


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(data)) as source:
                data = source.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected a readable table, got: {error}") from error
    if len(data) > MAX_BYTES:
        raise DataError(
            f"{path}: found more than {MAX_BYTES:,} bytes, but expected a smaller table. Remove "
            "columns or rows that are not needed."
        )
    return data


def _decoded(path: Path, data: bytes) -> tuple[str, str]:
    """Decode text: by its byte order mark, as UTF-8, or as Windows-1252 (Latin-1)."""
    for mark, encoding in _BYTE_ORDER:
        if data.startswith(mark):
            return _text(path, data, (encoding,)), "UTF-8"
    if b"\0" in data[:4096] or data.startswith(b"PK"):
        kind = "an Excel file or archive" if data.startswith(b"PK") else "binary data"
        raise DataError(f"{path}: found {kind}, but expected a text table. Save it as CSV.")
    try:
        return data.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        return _text(path, data, ("cp1252", "latin-1")), "Latin-1 (Windows-1252)"


def _text(path: Path, data: bytes, encodings: Iterable[str]) -> str:
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            problem = error
    raise DataError(f"{path}: expected text, got: {problem}. Save the table as CSV in UTF-8.")


def _dialect(text: str) -> tuple[str, str]:
    """Find the separator with which most rows have as many fields as the first, and the quote."""
    quote = "'" if _SINGLE_QUOTED.match(text) else '"'
    best = (0.0, 0, _NO_SEPARATOR)
    for separator in SEPARATORS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quotechar=quote)
        try:
            widths = [len(row) for row in islice(reader, _SAMPLE) if row]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            share = sum(width == widths[0] for width in widths) / len(widths)
            best = max(best, (share, widths[0], separator), key=lambda one: one[:2])
    return best[2], quote


def _parsed(path: Path, text: str, separator: str, quote: str) -> list[tuple[int, list[str]]]:
    """Split text into rows of fields; refuse rows whose number of fields is not the first's."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, quotechar=quote,
        skipinitialspace=separator != "\t", strict=True,
    )  # fmt: skip
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            fields = [field.strip() for field in row]
            if not any(fields):
                continue
            width = len(rows[0][1]) if rows else len(fields)
            if len(fields) < width or any(fields[width:]):
                raise DataError(
                    f"{path}: line {reader.line_num}: found {len(fields)} fields, but expected "
                    f"{width} as in the first row. Put fields that contain a separator in quotes."
                )
            rows.append((reader.line_num, fields))
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num}: expected fields with matching quotes, got: {error}. "
            "Correct the line."
        ) from error
    return rows


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except ImportError as error:
        raise DataError(
            f"{path}: reading Parquet needs the package pyarrow, which is not installed. Install "
            "it (pip install pyarrow), or save the table as CSV."
        ) from error
    except Exception as error:  # a damaged file raises whatever its decoder does
        raise DataError(f"{path}: expected a readable Parquet file, got: {error}") from error
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    columns = {str(name): _as_text(table[name]) for name in table.columns}
    return pd.DataFrame(columns, dtype=str)


def _as_text(column: pd.Series) -> pd.Series:
    text = column.astype(object).where(column.notna(), "").astype(str)
    return text.str.strip().reset_index(drop=True)

"""Read the feature tables of ``--features-from``, and the rows of some images in them."""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig
from benchmarks.extraction.image_tables import IMAGE, check_columns, header, matched, some
from benchmarks.io.tables import read_csv

# Columns that describe images rather than their pixels: the label itself, or a trace of it.
REFUSED = frozenset({
    "label", "labels", "class", "classes", "target", "targets", "y", "subtype", "diagnosis",
    "finding", "findings", "split", "fold", "patient", "patient_id", "group", "index", "id",
})  # fmt: skip
_SHORT = 16  # digits of a hash in text
_ROW = "Compute the features of these images again, or leave the images out of the data."


@dataclass(frozen=True, eq=False)
class GivenRows:
    """Rows of a feature table for the images of a data set, in their order.

    Attributes
    ----------
    matrix : ndarray of shape (n, d), float32
    columns : tuple of str
        Their names in the table.
    source : str
        Name and hash of the file.
    notes : tuple of str
        What was ignored, and which columns are constant.
    """

    matrix: NDArray[np.float32]
    columns: tuple[str, ...]
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """A feature table as it is in its file.

    Attributes
    ----------
    name : str
        Of the feature set.
    file : Path
    sha256 : str
    images : Series of str
    columns : tuple of str
        Names of the numbers.
    values : ndarray of shape (rows, d)
    exact : bool
        Whether images are found by their whole names only.
    """

    name: str
    file: Path
    sha256: str
    images: pd.Series
    columns: tuple[str, ...]
    values: NDArray[np.number]
    exact: bool = False

    @property
    def start(self) -> str:
        """Beginning of a message about the table."""
        return f"--features-from {self.name}={self.file}"

    @property
    def source(self) -> str:
        """Name and hash of the file in text."""
        return f"file {self.file.name} (sha256 {self.sha256[:_SHORT]})"

    def named_as(self, images: Sequence[str]) -> FeatureTable:
        """Name the rows as a data set does, so that parts of it can be looked up later.

        Parameters
        ----------
        images : sequence of str
            Of the whole data set. Names without folders must be unique among all of them.

        Returns
        -------
        FeatureTable
            Its :meth:`rows_of` finds images by these names only.

        Raises
        ------
        ConfigError
            If names without folders are needed, but several images share one.
        """
        wanted = pd.Series(list(images), dtype=object)
        given, known = matched(self.start, self.images, wanted)
        whole = dict(zip(known, wanted, strict=True))
        return replace(self, images=given.map(lambda name: whole.get(name, name)), exact=True)

    def rows_of(self, images: Sequence[str]) -> NDArray[np.float32]:
        """Return the rows of some images.

        Parameters
        ----------
        images : sequence of n str
            As in ``manifest.csv``; if none is named so in the table, names without folders are
            compared. Other rows of the table are ignored.

        Returns
        -------
        ndarray of shape (n, d), float32

        Raises
        ------
        ConfigError
            If an image has no row or several, or a number of a row is missing or not finite.
        """
        wanted = pd.Series(list(images), dtype=object)
        given, known = self.images, wanted
        if not self.exact:
            given, known = matched(self.start, given, known)
        twice = given[given.duplicated() & given.isin(known)]
        if len(twice):
            raise ConfigError(
                f"{self.start}: got {twice.iloc[0]} in more than one row (again in row "
                f"{twice.index[0] + 1}), expected one row per image. Keep one of them."
            )
        place = known.map(dict(zip(given, range(len(given)), strict=True)))
        absent = wanted[place.isna()]
        if len(absent):
            raise ConfigError(
                f"{self.start}: got no row for {len(absent):,} of the {len(wanted):,} images "
                f"({some(absent)}), expected one for each. Compute their features, too, and name "
                "images as in manifest.csv of a run, or by file names that occur once."
            )
        values = self.values[place.to_numpy(dtype=np.intp)]
        self._check_finite(wanted, values)
        with np.errstate(over="ignore"):
            rows = values.astype(np.float32)
        self._check_finite(wanted, rows, "a number that 32 bits hold (at most 3.4e38)")
        return rows

    def ordered(self, columns: Sequence[str]) -> FeatureTable:
        """Return the table with its columns in the order of a run's.

        Parameters
        ----------
        columns : sequence of str
            Columns of the run's table.

        Returns
        -------
        FeatureTable

        Raises
        ------
        ConfigError
            If the table has other columns.
        """
        lacking = [name for name in columns if name not in set(self.columns)]
        more = [name for name in self.columns if name not in set(columns)]
        if lacking or more:
            parts = [f"{len(lacking)} missing ({some(lacking)})"] * bool(lacking)
            parts += [f"{len(more)} unknown ({some(more)})"] * bool(more)
            raise ConfigError(
                f"{self.start}: got {len(self.columns):,} columns, {' and '.join(parts)}, expected "
                f"the {len(columns):,} of the run's table. Compute the same features in the same "
                "way, with the same names."
            )
        place = {name: column for column, name in enumerate(self.columns)}
        chosen = self.values[:, [place[name] for name in columns]]
        return replace(self, columns=tuple(columns), values=chosen)

    def _check_finite(
        self, images: pd.Series, values: NDArray[np.number], expected: str = "a finite number"
    ) -> None:
        bad = ~np.isfinite(values)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ConfigError(
                f"{self.start}: got {values[row, column]} for {images.iloc[row]} in the column "
                f"{self.columns[column]}, expected {expected} ({int(bad.any(axis=1).sum()):,} of "
                f"{len(values):,} images have such values). {_ROW}"
            )


def read_given(
    config: RunConfig, manifest: pd.DataFrame, *, if_there: bool = False
) -> dict[str, GivenRows]:
    """Read the rows of a run's images from every table of ``--features-from``.

    Parameters
    ----------
    config : RunConfig
    manifest : DataFrame
        ``image`` and ``label`` of all images.
    if_there : bool
        Whether tables that do not exist are left out, rather than refused.

    Returns
    -------
    dict of GivenRows
        By feature set.

    Raises
    ------
    ConfigError
        As :func:`read_table` and :meth:`FeatureTable.rows_of`; if all columns are constant, or a
        column is a copy of the labels.
    """
    found = {}
    for name, file in config.features_from:
        if if_there and not file.is_file():
            continue
        table = read_table(name, file)
        matrix = table.rows_of(manifest["image"].astype(str).tolist())
        _check_labels(table, matrix, manifest["label"].to_numpy())
        notes = (*_ignored(table, len(manifest)), *_constant(table, matrix))
        found[name] = GivenRows(matrix, table.columns, table.source, notes)
    return found


def record(
    config: RunConfig, given: Mapping[str, GivenRows], before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Record each table for ``run.json``.

    Parameters
    ----------
    config : RunConfig
    given : dict of GivenRows
    before : dict, optional
        The record of the run that is resumed; used for tables that no longer exist, and for those
        that have another name now but the same content.

    Returns
    -------
    dict of dict
        ``file``, ``sha256`` and ``columns`` (their names) by feature set.
    """
    before, found = before or {}, {}
    for name, file in config.features_from:
        old = before.get(name)
        if name not in given:
            found[name] = old
            continue
        sha256 = _sha256(file)
        now = {"file": file.name, "sha256": sha256, "columns": list(given[name].columns)}
        found[name] = old if old and old.get("sha256") == sha256 else now
    return {name: one for name, one in found.items() if one}


def read_table(name: str, file: Path) -> FeatureTable:
    """Read a feature table.

    Parameters
    ----------
    name : str
        Of the feature set.
    file : Path
        ``.csv`` or ``.parquet`` with the column ``image`` and columns of numbers; or ``.npz`` with
        the arrays ``image`` (n names), ``features`` (n × d) and, optionally, ``names`` (d names of
        columns). No pickled object is loaded.

    Returns
    -------
    FeatureTable

    Raises
    ------
    ConfigError
        If the file can't be read, a column is there twice, is no number or describes the image
        otherwise than by numbers computed from it, or there is no column.
    """
    start = f"--features-from {name}={file}"
    kinds: dict[str, Callable[[str, Path], tuple[Any, list[str], Any]]] = {
        ".npz": _read_npz, ".csv": _read_csv, ".parquet": _read_parquet
    }  # fmt: skip
    if file.suffix.lower() not in kinds:
        raise ConfigError(
            f"{start}: got a file that ends in {file.suffix or 'nothing'}, expected "
            f"{', '.join(kinds)}. Save the table in one of these formats."
        )
    try:
        sha256 = _sha256(file)
        images, columns, values = kinds[file.suffix.lower()](start, file)
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, EOFError, csv.Error, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{start}: expected a readable {file.suffix} file, got: {error}. Write it again."
        ) from error
    _check_names(start, columns)
    names = pd.Series(images, dtype=object).astype(str).reset_index(drop=True)
    return FeatureTable(name, file, sha256, names, tuple(columns), values)


def _read_npz(start: str, file: Path) -> tuple[Any, list[str], Any]:
    with file.open("rb") as opened:
        held = np.load(opened, allow_pickle=False)
        if not isinstance(held, np.lib.npyio.NpzFile):
            raise ValueError("a single array")
        if missing := [one for one in (IMAGE, "features") if one not in held.files]:
            raise ConfigError(
                f"{start}: got the arrays {', '.join(held.files) or 'none'}, expected image and "
                f"features. Write {missing[0]}, too: np.savez(FILE, image=names, features=matrix)."
            )
        images, values = _array(start, held, IMAGE), _array(start, held, "features")
        names = _array(start, held, "names") if "names" in held.files else None
    if values.ndim != 2 or images.shape != (len(values),):
        raise ConfigError(
            f"{start}: got image of shape {images.shape} and features of shape {values.shape}, "
            "expected (n,) and (n, d). Give one row of features per image."
        )
    if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        raise ConfigError(
            f"{start}: got features of the type {values.dtype}, expected real numbers. Convert "
            "them: features.astype(np.float32)."
        )
    columns = [f"{k:04d}" for k in range(values.shape[1])] if names is None else _texts(names)
    if len(columns) != values.shape[1]:
        raise ConfigError(
            f"{start}: got {len(columns)} names for {values.shape[1]} columns, expected one each. "
            "Leave names out to number the columns."
        )
    return _texts(images), columns, values


def _array(start: str, held: Any, key: str) -> NDArray[Any]:
    try:
        return np.asarray(held[key])
    except ValueError as error:
        raise ConfigError(
            f"{start}: got the array {key} of Python objects, which are never loaded "
            f"({error}). Convert it first: np.array({key}, dtype=str) for names, "
            "np.asarray(features, dtype=np.float32) for numbers."
        ) from error


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "S":
        return [bytes(one).decode("utf-8") for one in values.ravel()]
    return [str(one) for one in values.ravel()]


def _read_csv(start: str, file: Path) -> tuple[Any, list[str], Any]:
    columns = header(file)
    check_columns(start, columns, (IMAGE,))
    _check_names(start, [name for name in columns if name != IMAGE])
    return _from_frame(start, read_csv(file, (IMAGE,)))


def _read_parquet(start: str, file: Path) -> tuple[Any, list[str], Any]:
    try:
        table = pd.read_parquet(file)
    except ImportError as error:
        raise ConfigError(
            f"{start}: reading .parquet needs pyarrow, which can't be imported. Install it with: "
            "pip install pyarrow. Or save the table as .npz or .csv."
        ) from error
    except Exception as error:  # pyarrow raises its own
        raise ValueError(str(error)) from error
    table.columns = table.columns.map(str)
    check_columns(start, list(table.columns), (IMAGE,))
    return _from_frame(start, table)


def _from_frame(start: str, table: pd.DataFrame) -> tuple[Any, list[str], Any]:
    numbers = table.drop(columns=IMAGE)
    for name in numbers.columns:
        column = numbers[name]
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            wrong = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
            first = int(wrong.index[0] if len(wrong) else column.index[0])
            raise ConfigError(
                f"{start}: got {column.iloc[first]!r} for {table[IMAGE].iloc[first]} in the column "
                f"{name}, expected numbers only. Remove the column, or write it as numbers."
            )
    return table[IMAGE], list(map(str, numbers.columns)), numbers.to_numpy(dtype=np.float64)


def _check_names(start: str, columns: Sequence[str]) -> None:
    if not columns:
        raise ConfigError(f"{start}: got no column of numbers, expected at least one beside image.")
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise ConfigError(
            f"{start}: got {columns.count(twice[0])} columns named {twice[0]}, expected every name "
            "once. Rename them."
        )
    if "" in columns or any(name.startswith("Unnamed: ") for name in columns):
        raise ConfigError(
            f"{start}: got a column without a name, such as the row number that pandas writes, "
            "expected names. Write the table with to_csv(FILE, index=False)."
        )
    if refused := [name for name in columns if name.lower() in REFUSED]:
        raise ConfigError(
            f"{start}: got the column {refused[0]}, expected numbers computed from the image "
            "alone: a label, split, patient or row number would give the answer away. Remove the "
            "column, or rename it if it is a feature."
        )


def _check_labels(
    table: FeatureTable, matrix: NDArray[np.float32], label: NDArray[np.integer]
) -> None:
    """Refuse tables that say nothing, and columns that are the labels themselves."""
    if len(matrix) > 1 and (matrix == matrix[0]).all():
        raise ConfigError(
            f"{table.start}: got the same numbers for all {len(matrix):,} images, expected "
            "features that differ. Compute them again."
        )
    low, high = matrix.min(axis=0), matrix.max(axis=0)
    upper = matrix == high
    two = np.flatnonzero((upper | (matrix == low)).all(axis=0) & (low < high))
    if len(np.unique(label)) < 2:
        return
    for column in two:
        groups = pd.DataFrame({"upper": upper[:, column], "label": label})
        if groups.groupby("label")["upper"].nunique().max() == 1:
            raise ConfigError(
                f"{table.start}: got the column {table.columns[column]}, which has one value for "
                "each class and so is a copy of the labels, expected numbers computed from the "
                "image alone. Remove the column."
            )


def _ignored(table: FeatureTable, used: int) -> list[str]:
    unused = len(table.images) - used
    if not unused:
        return []
    return [
        f"Features of {table.name}: {unused:,} of {len(table.images):,} rows of {table.file.name} "
        "were ignored, since their images are not among those of the run."
    ]


def _constant(table: FeatureTable, matrix: NDArray[np.float32]) -> list[str]:
    flat = np.flatnonzero((matrix == matrix[:1]).all(axis=0))
    if len(matrix) < 2 or not len(flat):
        return []
    names = some([table.columns[column] for column in flat])
    return [
        f"Features of {table.name}: columns of {table.file.name} with one value for all images of "
        f"the run: {len(flat):,} of {len(table.columns):,} ({names})."
    ]


def _sha256(file: Path) -> str:
    with file.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()

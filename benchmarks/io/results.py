"""Read and write the files of a run folder."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.errors import UserError
from benchmarks.io.columns import MORE_TABLES, TABLES

IMAGES = "images"


class RunError(UserError, ValueError):
    """The folder is not a run folder, or is incomplete; the message says what is missing."""


@dataclass(frozen=True)
class Results:
    """Contents of a run folder.

    Attributes
    ----------
    folder : Path
        The run folder.
    run : dict
        ``run.json``: configuration, fingerprint, versions, machine, times, warnings.
    manifest, features, predictions, scores : DataFrame
        One row per image; per family; per image × cell; per cell × split × operating point.
    training : DataFrame
        One row per epoch of each CNN cell; empty if none ran.
    intensity : DataFrame
        Histogram of pixel values by split and class: split, class, value, fraction.
    tables : dict of DataFrame
        The tables of ``MORE_TABLES`` by name; empty where the run folder has no such file.
    """

    folder: Path
    run: dict[str, Any]
    manifest: pd.DataFrame
    features: pd.DataFrame
    predictions: pd.DataFrame
    scores: pd.DataFrame
    training: pd.DataFrame
    intensity: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        """Return one of the tables of ``MORE_TABLES``; empty where the run folder has no such file.

        Parameters
        ----------
        name : str
            Without the ending ``.csv``.

        Returns
        -------
        DataFrame
        """
        return self.tables.get(name, pd.DataFrame())


def class_names(manifest: pd.DataFrame) -> list[str]:
    """List the names of the classes in a manifest, ordered by label.

    Parameters
    ----------
    manifest : DataFrame
        With ``label`` and ``class``.

    Returns
    -------
    list of str
    """
    known = manifest[["label", "class"]].drop_duplicates().sort_values("label")
    return [str(name) for name in known["class"]]


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically: a reader sees the old file or the new one.

    Parameters
    ----------
    path : Path
    text : str
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(
            handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write ``<name>.csv`` atomically; floats keep all digits.

    Parameters
    ----------
    folder : Path
    name : str
        Without ``.csv``.
    table : DataFrame
    """
    write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def write_run(folder: Path, run: dict[str, Any]) -> None:
    """Write ``run.json`` atomically.

    Parameters
    ----------
    folder : Path
    run : dict
        Ready for JSON, without NaN.
    """
    text = json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "run.json", text + "\n")


def read_results(folder: Path) -> Results:
    """Read a run folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Results

    Raises
    ------
    RunError
        If the folder or one of its tables is missing or unreadable.
    """
    needed = read_tables(folder, tuple(TABLES))
    more = {
        name: _read_table(folder, name)
        if (folder / f"{name}.csv").exists()
        else pd.DataFrame(columns=columns)
        for name, columns in MORE_TABLES.items()
    }
    return Results(folder=folder, run=read_run(folder), tables=more, **needed)


def read_run(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict

    Raises
    ------
    RunError
        If the file is missing or unreadable.
    """
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: expected the record of a run, got {error}.") from error
    if not isinstance(run, dict):
        raise RunError(f"{path}: expected the record of a run, got {type(run).__name__}.")
    return run


def read_tables(folder: Path, names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Read some tables of a run folder.

    Parameters
    ----------
    folder : Path
    names : tuple of str
        Keys of ``TABLES`` or ``MORE_TABLES``.

    Returns
    -------
    dict of DataFrame
        By name; missing text is an empty string.

    Raises
    ------
    RunError
        If a table is missing, unreadable or lacks a column.
    """
    return {name: _read_table(folder, name) for name in names}


def _read_table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / f"{name}.csv"
    text = ["cell", "features", "model", "balance", "split", "operating_point", "image", "group",
            "subtype", "class", "sha256", "status", "reason", "family", "weights", "check",
            "severity", "detail", "cell_a", "cell_b", "metric", "test", "recalibration", "kind",
            "name", "control", "true", "predicted", "method", "level", "space",
            "region", "cluster", "names", "feature"]  # fmt: skip
    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(text, str),
            na_values=[""],
            keep_default_na=False,
        )
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: expected a table written by run_benchmark.py, got {error}. "
            "Give a run folder, the --out of a run."
        ) from error
    missing = [column for column in {**TABLES, **MORE_TABLES}[name] if column not in table.columns]
    if missing:
        raise RunError(
            f"{path}: got a table without the columns {', '.join(missing)}, but expected those of "
            "this version. Run the benchmark again."
        )
    present = [column for column in text if column in table.columns]
    table[present] = table[present].fillna("")
    return table

"""Read and write the files of a run folder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.io.columns import MORE_TABLES, TABLES
from benchmarks.io.run_files import IMAGES as IMAGES
from benchmarks.io.run_files import MAX_RECORD, read_file, write_text
from benchmarks.io.run_files import RunError as RunError
from benchmarks.io.tables import write_csv
from benchmarks.io.validation import check_record, check_together, read_table

LABELS = "labels.json"  # record of a run of several labels; each has a run folder below
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


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


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write ``<name>.csv`` atomically; floats keep all digits.

    Parameters
    ----------
    folder : Path
    name : str
        Without ``.csv``.
    table : DataFrame
    """
    write_csv(folder / f"{name}.csv", table)


def write_run(folder: Path, run: dict[str, Any], name: str = "run.json") -> None:
    """Write ``run.json`` atomically.

    Parameters
    ----------
    folder : Path
    run : dict
        Ready for JSON, without NaN.
    name : str
        Of the file.
    """
    text = json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / name, text + "\n")


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
        If the folder or one of its tables is missing, unreadable or damaged; the message names
        file, line and column.
    """
    refuse_several(folder)
    needed = read_tables(folder, tuple(TABLES))
    more = read_more_tables(folder, tuple(MORE_TABLES))
    check_together(folder, {**needed, **more})
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
    refuse_several(folder)
    return _read_record(folder, "run.json")


def read_labels(folder: Path) -> dict[str, Any]:
    """Read ``labels.json``, the record of a run of several labels.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        As ``run.json``, and under ``labels`` a list with ``label``, ``folder`` (name of its run
        folder), ``code`` (exit code; None before it ran) and ``reason`` (why it could not run).

    Raises
    ------
    RunError
        If the file is missing or unreadable.
    """
    record = _read_record(folder, LABELS)
    labels = record.get("labels")
    good = isinstance(labels, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("label"), str)
        and _FOLDER.fullmatch(str(one.get("folder", "")))
        and isinstance(one.get("code"), int | None)
        and isinstance(one.get("reason"), str)
        for one in labels
    )
    if not good:
        raise RunError(
            f"{folder / LABELS}: expected the labels of a run and their folders, found others. "
            "Run the benchmark again."
        )
    return record


def refuse_several(folder: Path) -> None:
    """Refuse the folder of a run of several labels where that of one is expected.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    RunError
        Naming the run folders of the labels.
    """
    if (folder / LABELS).exists() and not (folder / "run.json").exists():
        own = [str(folder / one["folder"]) for one in read_labels(folder)["labels"]]
        raise RunError(
            f"{folder}: found a run of several labels, but expected the run folder of one. Give "
            f"one of {', '.join(own)}."
        )


def common_data(split: Path | None) -> dict[str, Any]:
    """Read what a run of several labels recorded of the split that its labels share.

    Parameters
    ----------
    split : Path or None
        File of the split of one label.

    Returns
    -------
    dict
        ``notes`` and ``test_drawn``, as in ``run.json``; empty for any other file.
    """
    if split is None or not (split.parent / LABELS).exists():
        return {}
    return dict(read_labels(split.parent).get("data", {}))


def _read_record(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        text = read_file(folder, name, MAX_RECORD)
    except OSError as error:
        raise RunError(f"{path}: expected the record of a run, got {error}.") from error
    return check_record(path, text)


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
    return {name: read_table(folder, name) for name in names}


def read_more_tables(folder: Path, names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Read some tables that not every run has.

    Parameters
    ----------
    folder : Path
    names : tuple of str
        Keys of ``MORE_TABLES``.

    Returns
    -------
    dict of DataFrame
        By name; a table that the run lacks is empty.

    Raises
    ------
    RunError
        If a table is unreadable or lacks a column.
    """
    return {
        name: read_table(folder, name)
        if (folder / f"{name}.csv").exists()
        else pd.DataFrame(columns=MORE_TABLES[name])
        for name in names
    }

"""Checks of what is read from a run folder, so that other code can rely on its shape and types."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.io.columns import (
    CHOICES,
    COMPLETE,
    CROSSED,
    EXTERNAL,
    FILLED,
    FLAGS,
    KEYS,
    LIMITS,
    SCORED,
    TABLE_COLUMNS,
    TEXT,
    WHOLE,
    optional,
)
from benchmarks.io.run_files import MAX_TABLE, RunError, open_file
from benchmarks.io.tables import read_csv

MAX_NUMBER = 1e100  # larger numbers overflow in sums and figures
MAX_DEPTH = 20  # of lists and mappings in run.json
_SHOWN = 60  # characters of a wrong value
_REMEDY = "Undo the edit, copy the run folder again, or run the benchmark again."


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Read and check a table of a run folder.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str
        A key of ``TABLE_COLUMNS``.

    Returns
    -------
    DataFrame
        Blank text is an empty string.

    Raises
    ------
    RunError
        If the table is missing or unreadable, lacks a column, or has a value that it can't have;
        the message names file, line and column.
    """
    path = folder / f"{name}.csv"
    table = _read(folder, name, TEXT)
    missing = [column for column in TABLE_COLUMNS[name] if column not in table.columns]
    if missing:
        raise RunError(
            f"{path}: got a table without the columns {', '.join(missing)}, but expected those of "
            "this version. Run the benchmark again."
        )
    _check_columns(folder, name, table)
    whole = [one for one in table.columns if one in WHOLE and table[one].dtype == float]
    whole = [one for one in whole if table[one].notna().all() and len(table)]
    table[whole] = table[whole].astype("int64")
    if name == "manifest" and table.empty:
        raise RunError(f"{path}: got no rows, but expected one per image. {_REMEDY}")
    _check_complete(path, name, table)
    keys = KEYS.get(name)
    if keys and (twice := table.duplicated(keys).to_numpy()).any():
        expected = f"each {' and '.join(keys)} once"
        raise _wrong(folder, name, keys[-1], int(np.flatnonzero(twice)[0]), expected)
    return table.copy()  # one block per dtype instead of one per column: rows are selected faster


def check_together(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Check that the images and classes in all tables are those of the manifest.

    Parameters
    ----------
    folder : Path
        The run folder.
    tables : dict of DataFrame
        Its tables by name.

    Raises
    ------
    RunError
        If an image or class is not in the manifest, an image has another label there, or a finding
        is not in ``audit.csv``, or scores are missing; the message names file, line and column.
    """
    manifest, predictions = tables["manifest"], tables["predictions"]
    if tables["scores"].empty and len(predictions):
        raise RunError(
            f"{folder / 'scores.csv'}: got no rows, but expected those of the cells in "
            f"predictions.csv. {_REMEDY}"
        )
    label = predictions["image"].map(manifest.set_index("image")["label"])
    findings = pd.Series(range(len(tables["audit"])), dtype=object)
    checks = [
        ("predictions", "image", label.notna(), "an image of manifest.csv"),
        ("predictions", "label", label == predictions["label"], "the label in manifest.csv"),
        ("audit_images", "finding", tables["audit_images"]["finding"].isin(findings),
         "the number of a finding in audit.csv"),
    ]  # fmt: skip
    checks += _external_checks(tables)
    for column in ("true", "predicted"):
        known = tables["confusions"][column].isin(manifest["class"])
        checks.append(("confusions", column, known, "a class of manifest.csv"))
    for name, column, good, expected in checks:
        if not good.all():
            raise _wrong(folder, name, column, int(np.flatnonzero(~good)[0]), expected)


def _external_checks(tables: dict[str, pd.DataFrame]) -> list[tuple[str, str, pd.Series, str]]:
    """Check that external images have the labels of their own manifest."""
    manifest, scored = tables["external_manifest"], tables["external_predictions"]
    known = pd.Series(
        manifest["label"].to_numpy(dtype=object),
        EXTERNAL + manifest["data"] + "\n" + manifest["image"],
    )
    label = (scored["split"] + "\n" + scored["image"]).map(known)
    return [
        ("external_predictions", "image", label.notna(), "an image of external_manifest.csv"),
        ("external_predictions", "label", label == scored["label"],
         "the label in external_manifest.csv"),
    ]  # fmt: skip


def check_record(path: Path, text: bytes) -> dict[str, Any]:
    """Parse and check ``run.json``.

    Parameters
    ----------
    path : Path
        Named in messages.
    text : bytes
        Contents of the file.

    Returns
    -------
    dict
        Keys may be missing, but those that are there have the types of this version.

    Raises
    ------
    RunError
        If it is no JSON, or a value has another type; the message names file and key.
    """
    try:
        run = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: expected the record of a run, got {error}. {_REMEDY}") from error
    if not isinstance(run, dict):
        raise RunError(f"{path}: expected the record of a run, got {type(run).__name__}. {_REMEDY}")
    if _deeper_than(run, MAX_DEPTH):
        raise RunError(
            f"{path}: got values nested over {MAX_DEPTH} deep, but expected the record of a run. "
            f"{_REMEDY}"
        )
    try:
        _Record.model_validate(run)
    except ValidationError as errors:
        first = errors.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        rule = re.sub(r" or instance of \w+", "", first["msg"]).removeprefix("Input ")
        raise RunError(
            f"{path}: {key}: got {_short(first['input'])}, but expected another value: it {rule}. "
            f"{_REMEDY}"
        ) from errors
    return run


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


Number = int | float


class _Config(_Part):
    """Settings that reports use; the commands that compute more validate all as `RunConfig`."""

    task: Literal["binary", "pneumonia", "subtype"] = "binary"  # pneumonia: earlier versions
    image_size: int = Field(default=224, ge=1, le=2**16)
    crop: float | int = Field(default=1.0, gt=0, le=1)
    contrast: bool = True
    preprocess: list[str] = []
    augment: int = Field(default=0, ge=0, le=100)
    views: int = Field(default=1, ge=1, le=100)
    balance: str = ""
    combine: list[str] = []
    backbone: str = ""
    pooling: str = ""
    layers: list[int] | None = None
    seeds: list[int] = []
    limit: int | None = None
    folds: int | None = None
    epochs: int | None = None
    tune: bool = False
    save_models: bool = True
    cache: str | None = None
    weights: str | list[list[str]] | None = None


class _LeftOut(_Part):
    image: str = ""
    reason: str = ""


class _Data(_Part):
    name: str = ""
    classes: list[str] = []
    test_drawn: bool = False
    synthetic: bool = False
    licence: str = ""
    citation: str = ""
    notes: list[str] = []
    leakage: str = ""
    fingerprint: str = ""
    left_out: list[_LeftOut] = []
    ignored_files: int = Field(default=0, ge=0)
    groups_known: bool = True


class _TestData(_Part):
    data: str = ""
    name: str = ""
    synthetic: bool = False
    licence: str = ""
    citation: str = ""
    classes: list[str] = []
    notes: list[str] = []
    limitations: list[str] = []
    leakage: str = ""
    fingerprint: str = ""
    left_out: list[_LeftOut] = []
    groups_known: bool = True
    only_test: bool = False
    limit: int | None = None
    compared: bool = True


class _Times(_Part):
    started: str = ""
    finished: str = ""
    seconds: Number | None = None
    resumed: list[str] = []
    stages: dict[str, Number] = {}


class _CellDetails(_Part):
    warnings: list[str] = []
    initialised_from: str | None = None
    members: list[str] = []
    weights: list[Number] = []
    intercept: Number | None = None


class _GivenTable(_Part):
    file: str
    sha256: str
    columns: list[str]


class _Protocol(_Part):
    bootstrap_draws: Number = 0
    auc_interval: str = ""


class _Record(_Part):
    status: str = ""
    program: dict[str, str] = {}
    command: str = ""
    config: _Config = _Config()
    protocol: _Protocol = _Protocol()
    data: _Data = _Data()
    test_data: dict[str, _TestData] = {}
    versions: dict[str, str] = {}
    machine: dict[str, str | Number | None] = {}
    engines: dict[str, str] = {}
    models: dict[str, dict[str, Any]] = {}
    external: dict[str, dict[str, str]] = {}
    features_from: dict[str, _GivenTable] = {}
    features: dict[str, dict[str, Any]] = {}
    times: _Times = _Times()
    cells: dict[str, _CellDetails] = {}
    studies: dict[str, str] = {}
    warnings: list[str] = []


def _read(folder: Path, name: str, text: frozenset[str] | None) -> pd.DataFrame:
    try:
        with open_file(folder, f"{name}.csv", MAX_TABLE) as file:
            return read_csv(file, text)
    except RunError:
        raise
    except (OSError, ValueError, MemoryError) as error:
        raise RunError(
            f"{folder / name}.csv: expected a table written by run_benchmark.py, got {error}. "
            "Give a run folder, the --out of a run."
        ) from error


def _check_complete(path: Path, name: str, table: pd.DataFrame) -> None:
    """Check that no finished cell lacks a row."""
    done = table[table["status"] == "ok"] if "status" in table else table
    columns = CROSSED.get(name, [])
    for cell, own in done.groupby("cell", sort=False) if name in {*COMPLETE, *CROSSED} else ():
        if str(cell).startswith("external/"):
            continue  # it may have no scores of the validation set, and then no threshold
        for column, needed in COMPLETE.get(name, {}).items():
            absent = [value for value in needed if value not in set(own[column])]
            if absent and "argmax" not in set(own[column]):
                raise RunError(
                    f"{path}: got no row of {cell} with the {column} {absent[0]}, but expected "
                    f"{', '.join(needed)}. {_REMEDY}"
                )
        # Some cells have no scores of the cross-validation.
        values = [set((own if column == "split" else done)[column]) for column in columns]
        whole = math.prod(map(len, values)) if columns else 0
        if len(own) < whole:
            raise RunError(
                f"{path}: got {len(own)} rows of {cell}, but expected {whole}: one per "
                f"{' and '.join(columns)}. {_REMEDY}"
            )


def _check_columns(folder: Path, name: str, table: pd.DataFrame) -> None:
    classes = [one for one in table.columns if name == "predictions" and one.startswith(SCORED)]
    filled = {*FILLED.get(name, ()), *((classes or ["score"]) if name == "predictions" else ())}
    for column in table.columns if len(table) else ():
        if column not in TABLE_COLUMNS[name] and not optional(name, column):
            continue
        good, expected = _good(column, table[column])
        if column in filled:
            good = good & (table[column].notna() & (table[column] != "")).to_numpy()
        if not good.all():
            raise _wrong(folder, name, column, int(np.flatnonzero(~good)[0]), expected)


def _good(column: str, values: pd.Series) -> tuple[NDArray[np.bool_], str]:
    """Find the values that a column may have, and say what they are."""
    if column in CHOICES:
        among = values.isin(["", *CHOICES[column]])
        if column == "split":
            among |= values.astype(str).str.startswith(EXTERNAL)
        return among.to_numpy(), " or ".join(CHOICES[column])
    if column in TEXT:
        return np.ones(len(values), bool), "text, not a blank field"
    if column in FLAGS:
        flags = values.isna() | values.astype(str).isin(["True", "False"])
        return flags.to_numpy(), "True or False"
    known = "score" if column.startswith(SCORED) else column
    low, high = LIMITS.get(known, (-MAX_NUMBER, MAX_NUMBER))
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
    good = (numbers >= low) & (numbers <= high)
    if column in WHOLE:
        good &= numbers == np.floor(numbers)
    what = f"a {'whole number' if column in WHOLE else 'number'}"
    good |= values.isna().to_numpy()
    return good, what + (f" from {low} to {high}" if known in LIMITS else "")


def _wrong(folder: Path, name: str, column: str, row: int, expected: str) -> RunError:
    """Describe a wrong value, with its line in the file."""
    text = _read(folder, name, None)
    breaks = sum(value.count("\n") for value in text.iloc[:row].to_numpy(dtype=object).ravel())
    return RunError(
        f"{folder / name}.csv, line {row + 2 + breaks}, column {column}: got "
        f"{_short(text[column].iloc[row])}, but expected {expected}. {_REMEDY}"
    )


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]} …"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"the number {name}")


def _deeper_than(value: object, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner for one in level if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]  # fmt: skip
    return bool(level)

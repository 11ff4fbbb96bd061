"""Go on with a run: what it had finished is read back, and nothing else is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig, load_config
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io import results
from benchmarks.run.result_tables import SPLITS

# Where the same data or weights lie, and what changes no number, may be given anew.
FREE = ("data", "weights", "jobs", "quiet", "cache", "use_cache")
SAME = ("program", "versions", "protocol", "models", "external")


def stored_config(folder: Path, given: dict[str, Any]) -> RunConfig:
    """Read the settings of the run in ``folder``, with the free ones among those given.

    Parameters
    ----------
    folder : Path
        A run folder.
    given : dict
        Options of the command line; keys as the fields of ``RunConfig``.

    Raises
    ------
    ConfigError
        If an option would change a number.
    RunError
        If the folder holds no run.
    """
    fixed = sorted(set(given) - set(FREE))
    if fixed:
        raise ConfigError(
            f"Got --resume with {', '.join('--' + name.replace('_', '-') for name in fixed)}, but "
            f"a run goes on with its own settings. Besides --resume only "
            f"{', '.join('--' + name.replace('_', '-') for name in FREE[:-1])} and --no-cache may "
            "be given; for other settings start a new run."
        )
    stored = {key: value for key, value in read_record(folder)["config"].items()
              if value is not None}  # fmt: skip
    return load_config({**stored, **given, "out": folder})


def read_record(folder: Path) -> dict[str, Any]:
    """``run.json`` of a run that has read its data.

    Raises
    ------
    RunError
        If there is none.
    """
    record = results.read_run(folder)
    if not isinstance(record.get("config"), dict) or "fingerprint" not in record.get("data", {}):
        raise results.RunError(
            f"{folder / 'run.json'}: expected the settings and data of a run, found none. "
            "Start a new run."
        )
    return record


def check_same(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to mix numbers of different data, programs or libraries in one table.

    Parameters
    ----------
    folder : Path
    before, now : dict
        ``run.json`` as the run left it and as it would be written now.

    Raises
    ------
    ConfigError
        Naming the first thing that differs.
    """
    if before["data"]["fingerprint"] != now["data"]["fingerprint"]:
        raise ConfigError(
            f"--resume {folder}: the data are not those of the run (their fingerprint differs). "
            "Give the folder or file of the run as --data, or start a new run."
        )
    plain = json.loads(json.dumps(now))
    for group in SAME:
        for key, value in plain[group].items():
            was = before.get(group, {}).get(key, "nothing")
            if was != value:
                raise ConfigError(
                    f"--resume {folder}: the run was made with {key} {was}, but now it is {value}. "
                    "Start a new run, or go back to what it was made with."
                )


def finished(
    folder: Path, cells: list[Cell], rows: SplitIndices, fold: NDArray[np.integer] | None = None
) -> list[CellResult]:
    """Outcomes of the cells that are done, complete in every table, as they were.

    Parameters
    ----------
    folder : Path
        The run folder.
    cells : list of Cell
        All cells of the run.
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),), optional
        Fold of each training image, where there is a cross-validation.
    """
    if not (folder / "scores.csv").exists():
        return []
    tables = results.read_tables(folder, ("predictions", "scores", "training"))
    details = read_record(folder).get("cells", {})
    outcomes = []
    for cell in cells:
        parts = {name: table[table["cell"] == cell.name] for name, table in tables.items()}
        done = len(parts["scores"]) and (parts["scores"]["status"] == "ok").all()
        if done and cell.name in details:
            outcome = _outcome(cell, parts, details[cell.name])
            outcome.folds = _folds(parts["predictions"], fold)
            if all(len(outcome.scores[split]) == len(rows.parts[split]) for split in SPLITS):
                outcomes.append(outcome)
    return outcomes


def _folds(
    predictions: pd.DataFrame, fold: NDArray[np.integer] | None
) -> dict[int, NDArray[np.float64]]:
    """Read back the folds of a cross-validation that are complete."""
    crossed = predictions[predictions["split"] == CV]
    found = {int(str(k)): _given(part) for k, part in crossed.groupby("fold")}
    return {
        k: score
        for k, score in found.items()
        if fold is not None and len(score) == (fold == k).sum()
    }


def _given(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """Read what a model gave: of more than two classes a column each."""
    classes = [name for name in predictions.columns if name.startswith("score_")]
    return predictions[classes or "score"].to_numpy(dtype=float)


def _outcome(cell: Cell, parts: dict[str, pd.DataFrame], details: dict[str, Any]) -> CellResult:
    predictions, first = parts["predictions"], parts["scores"].iloc[0]
    training = parts["training"].drop(columns="cell")
    return CellResult(
        cell,
        scores={split: _given(predictions[predictions["split"] == split]) for split in SPLITS},
        fit_seconds=float(first["fit_seconds"]),
        predict_seconds=float(first["predict_seconds"]),
        details=details,
        training=[{str(k): v for k, v in row.items()} for row in training.to_dict("records")],
    )

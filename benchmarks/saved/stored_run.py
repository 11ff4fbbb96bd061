"""Settings and finished cells of a run, read back from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig, load_config
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV
from benchmarks.fitting.split_indices import SCORED_SPLITS, SplitIndices
from benchmarks.io import results

# Options that change no number, or say where the same data and weights are now.
FREE = ("data", "weights", "jobs", "quiet", "cache", "use_cache")


def stored_config(folder: Path, given: dict[str, Any]) -> RunConfig:
    """Read the settings of the run in a folder.

    Parameters
    ----------
    folder : Path
        A run folder.
    given : dict
        Options of the command line, with the names of the fields of ``RunConfig``. They replace
        the stored ones.

    Returns
    -------
    RunConfig
        With ``folder`` as ``out``.

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
            "a resumed run keeps its settings. Only "
            f"{', '.join('--' + name.replace('_', '-') for name in FREE[:-1])} and --no-cache may "
            "be given with --resume. For other settings start a new run."
        )
    stored = {key: value for key, value in read_record(folder)["config"].items()
              if value is not None}  # fmt: skip
    return load_config({**stored, **given, "out": folder})


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json`` of a run that has read its data.

    Parameters
    ----------
    folder : Path
        A run folder.

    Returns
    -------
    dict

    Raises
    ------
    RunError
        If the folder holds no such run.
    """
    record = results.read_run(folder)
    if not isinstance(record.get("config"), dict) or "fingerprint" not in record.get("data", {}):
        raise results.RunError(
            f"{folder / 'run.json'}: expected the settings and data of a run, found none. "
            "Start a new run."
        )
    return record


def finished_cells(
    folder: Path, cells: list[Cell], rows: SplitIndices, fold: NDArray[np.integer] | None = None
) -> list[CellResult]:
    """Read back the results of the cells that are complete in every table.

    Parameters
    ----------
    folder : Path
        The run folder.
    cells : list of Cell
        All cells of the run.
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),), optional
        Fold of each training image, if the run has a cross-validation.

    Returns
    -------
    list of CellResult
    """
    if not (folder / "scores.csv").exists():
        return []
    tables = results.read_tables(folder, ("predictions", "scores", "training"))
    details = read_record(folder).get("cells", {})
    finished = []
    for cell in cells:
        parts = {name: table[table["cell"] == cell.name] for name, table in tables.items()}
        done = len(parts["scores"]) and (parts["scores"]["status"] == "ok").all()
        if done and cell.name in details:
            result = _result(cell, parts, details[cell.name])
            result.folds = _folds(parts["predictions"], fold)
            if all(len(result.scores[name]) == len(rows.parts[name]) for name in SCORED_SPLITS):
                finished.append(result)
    return finished


def _folds(
    predictions: pd.DataFrame, fold: NDArray[np.integer] | None
) -> dict[int, NDArray[np.float64]]:
    """Scores of the complete folds of a cross-validation."""
    crossed = predictions[predictions["split"] == CV]
    found = {int(str(k)): _scores(part) for k, part in crossed.groupby("fold")}
    return {
        k: score
        for k, score in found.items()
        if fold is not None and len(score) == (fold == k).sum()
    }


def _scores(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """Scores as the model gave them: one column per class if there are more than two."""
    classes = [name for name in predictions.columns if name.startswith("score_")]
    return predictions[classes or "score"].to_numpy(dtype=float)


def _result(cell: Cell, parts: dict[str, pd.DataFrame], details: dict[str, Any]) -> CellResult:
    predictions, first = parts["predictions"], parts["scores"].iloc[0]
    training = parts["training"].drop(columns="cell")
    return CellResult(
        cell,
        scores={name: _scores(predictions[predictions["split"] == name]) for name in SCORED_SPLITS},
        fit_seconds=float(first["fit_seconds"]),
        predict_seconds=float(first["predict_seconds"]),
        details=details,
        training=[{str(k): v for k, v in row.items()} for row in training.to_dict("records")],
    )

"""Results of the finished cells of a run, read back from its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fitting.cell import EXTERNAL, Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV
from benchmarks.fitting.split_indices import SCORED_SPLITS, SplitIndices
from benchmarks.io.results import read_tables
from benchmarks.saved.stored_config import read_record


def finished_cells(
    folder: Path, cells: list[Cell], rows: SplitIndices, fold: NDArray[np.integer] | None = None
) -> list[CellResult]:
    """Read the results of the cells that are complete in every table.

    Parameters
    ----------
    folder : Path
        The run folder.
    cells : list of Cell
        Cells of the run.
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),), optional
        Fold of each training image, if the run is cross-validated.

    Returns
    -------
    list of CellResult
        In the order of ``cells``.
    """
    if not (folder / "scores.csv").exists():
        return []
    tables = read_tables(folder, ("predictions", "scores", "training"))
    details = read_record(folder).get("cells", {})
    finished = []
    for cell in cells:
        parts = {name: table[table["cell"] == cell.name] for name, table in tables.items()}
        done = len(parts["scores"]) and (parts["scores"]["status"] == "ok").all()
        if done and cell.name in details:
            result = _result(cell, parts, details[cell.name])
            result.folds = _fold_scores(parts["predictions"], fold)
            if cell.features == EXTERNAL and not len(result.scores["validation"]):
                del result.scores["validation"]  # an external model may have none
            if all(len(score) == len(rows.parts[name]) for name, score in result.scores.items()):
                finished.append(result)
    return finished


def _fold_scores(
    predictions: pd.DataFrame, fold: NDArray[np.integer] | None
) -> dict[int, NDArray[np.float64]]:
    """Held-out scores by fold, of the complete folds."""
    crossed = predictions[predictions["split"] == CV]
    found = {int(str(k)): _scores(part) for k, part in crossed.groupby("fold")}
    return {
        k: score
        for k, score in found.items()
        if fold is not None and len(score) == (fold == k).sum()
    }


def _scores(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """Scores of the model: one column per class if there are more than two classes."""
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

"""The result of fitting and scoring a cell, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.fitting.cell import Cell
from features.backbone import MissingExtra, WeightsUnavailable


@dataclass
class CellResult:
    """Scores of a cell by split, or the reason why there are none.

    Attributes
    ----------
    cell : Cell
    status : str
        ``ok``, ``failed`` or ``not_run``.
    reason : str
        Empty if the status is ``ok``.
    scores : dict of ndarray of shape (n,), or (n, k) for k > 2 classes, float64
        Probability of the positive class, or of each class, by the parts of ``SplitIndices``.
    folds : dict of ndarray of float64
        Scores of the held-out images of each fold of a cross-validation, by fold number.
    fold : int
        Number of the held-out fold; 0 outside a cross-validation.
    fit_seconds, predict_seconds : float or None
    details : dict
        What ``run.json`` records about the cell.
    training : list of dict
        One row per epoch of a network.
    model : Pipeline or CnnClassifier, or None
        The fitted model.
    """

    cell: Cell
    status: str = "ok"
    reason: str = ""
    scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    folds: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    fold: int = 0
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    training: list[dict[str, Any]] = field(default_factory=list)
    model: Any = None


def failure(cell: Cell, error: BaseException, fold: int = 0) -> CellResult:
    """Make the result of a cell that could not be fitted.

    Parameters
    ----------
    cell : Cell
    error : BaseException
        Missing weights or a missing extra give the status ``not_run``, other errors ``failed``.
    fold : int
        Number of the held-out fold; 0 outside a cross-validation.

    Returns
    -------
    CellResult
    """
    if isinstance(error, (WeightsUnavailable, MissingExtra)):
        return CellResult(cell, "not_run", str(error), fold=fold)
    return CellResult(cell, "failed", f"{type(error).__name__}: {error}", fold=fold)

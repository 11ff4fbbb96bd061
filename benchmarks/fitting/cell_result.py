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
    """What became of a cell: scores by split, or a reason.

    Attributes
    ----------
    scores : dict of ndarray of shape (n,), float64
        Probability of pneumonia, by the parts of ``SplitIndices``.
    folds : dict of ndarray of float64
        The same of the held-out images of each fold of a cross-validation, by its number.
    fold : int
        Which fold was held out; 0 outside a cross-validation.
    status : str
        ``ok``, ``failed`` or ``not_run``.
    model : Pipeline or CnnClassifier, or None
        As fitted.
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
    """Outcome of a cell that could not be run."""
    if isinstance(error, (WeightsUnavailable, MissingExtra)):
        return CellResult(cell, "not_run", str(error), fold=fold)
    return CellResult(cell, "failed", f"{type(error).__name__}: {error}", fold=fold)

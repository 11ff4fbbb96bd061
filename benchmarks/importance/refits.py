"""Fits of a cell again: on one family, without one family, on other seeds, patients and folds.

Permutation tells what a fitted model leans on. What it could do without a family, or with it
alone, only a new fit tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import fold_rows
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, percentile_interval
from benchmarks.metrics.ranking import ranking_metrics
from features import all_feature_sets
from models.platt import FOLDS

Task = tuple[Cell, SplitIndices]
ALONE, LEFT_OUT = "family_alone", "family_left_out"
COLUMNS = ["method", "group", "split", "metric", "value", "lo", "hi", "status", "reason"]
FEWEST = FOLDS  # patients of each class that an SVM's sigmoid needs
TRIES = 1000


@dataclass(frozen=True)
class FamilyCell(Cell):
    """A cell on one family of its feature set, or on all but one; its seed is the cell's own.

    Attributes
    ----------
    family : str
        The one.
    method : {"family_alone", "family_left_out"}

    Examples
    --------
    >>> FamilyCell("texture", "svm", "smote", 0, "gabor", "family_left_out").families
    ('glcm', 'intensity')
    """

    family: str
    method: str

    @property
    def name(self) -> str:
        """Name of the cell, method and family."""
        return f"{super().name}/{self.method}/{self.family}"

    @property
    def families(self) -> tuple[str, ...]:
        """Feature families whose columns it uses."""
        if self.method == ALONE:
            return (self.family,)
        return tuple(name for name in all_feature_sets()[self.features] if name != self.family)


def family_tasks(cell: Cell, rows: SplitIndices) -> list[Task]:
    """List the fits of a cell on each family alone and without each family.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices

    Returns
    -------
    list of (FamilyCell, SplitIndices)
        For :func:`benchmarks.fitting.fit_each.fit_each`; empty where the cell has one family.
    """
    if len(cell.families) < 2:
        return []
    return [
        (FamilyCell(cell.features, cell.model, cell.balance, cell.seed, family, method), rows)
        for method in (ALONE, LEFT_OUT)
        for family in cell.families
    ]


def seed_tasks(cell: Cell, rows: SplitIndices, seeds: Iterable[int]) -> list[Task]:
    """List the fits of a cell with other seeds on the same rows."""
    return [(replace(cell, seed=seed), rows) for seed in seeds]


def fold_tasks(cell: Cell, rows: SplitIndices, fold: NDArray[np.integer]) -> list[Task]:
    """List the fits of a cell without each fold of its training patients.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices
    fold : ndarray of shape (len(rows.train),)

    Returns
    -------
    list of (Cell, SplitIndices)
        In the order of the folds; the parts of ``rows`` are scored, and the held-out images as
        ``cv``.
    """
    return [(cell, part) for part in fold_rows(rows, fold, keep=tuple(rows.parts)).values()]


def bootstrap_tasks(cell: Cell, rows: SplitIndices, draws: int, seed: int) -> list[Task]:
    """List the fits of a cell on training patients drawn with replacement.

    A patient drawn twice has all images twice. Copies have the patient's name, so no
    cross-validation inside a fit can part them. Where resampling looks for neighbours it finds
    copies among them, so some synthetic rows are copies, too.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices
    draws : int
    seed : int
        Of the draws; they are the same for all cells.

    Returns
    -------
    list of (Cell, SplitIndices)
        Each has as many patients as ``rows.train``, counting copies, and at least three different
        ones of each class.

    Raises
    ------
    ValueError
        If there are too few patients for such draws.

    References
    ----------
    Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007;69:369-390.
    doi:10.1111/j.1467-9868.2007.00593.x
    """
    rng = np.random.default_rng(seed)
    patients, member = np.unique(rows.group[rows.train], return_inverse=True)
    images = [rows.train[member == k] for k in range(len(patients))]
    tasks: list[Task] = []
    for _ in range(TRIES * draws):
        if len(tasks) == draws:
            break
        drawn = rng.integers(len(patients), size=len(patients))
        train = np.concatenate([images[k] for k in drawn])
        if _fewest(rows, train) >= FEWEST:
            tasks.append((cell, replace(rows, train=train)))
    if len(tasks) < draws:
        raise ValueError(
            f"Got {len(patients)} training patients, {_fewest(rows, rows.train)} of the smaller "
            f"class, but expected enough to draw {FEWEST} different ones of each class. Use more "
            "images."
        )
    return tasks


def family_importance(
    whole: CellResult,
    outcomes: Sequence[CellResult],
    rows: SplitIndices,
    seed: int,
    split: str = "test",
) -> pd.DataFrame:
    """Rows of the importance table, level family, from the fits of :func:`family_tasks`.

    Parameters
    ----------
    whole : CellResult
        Of the cell itself.
    outcomes : sequence of CellResult
        Of its family cells.
    rows : SplitIndices
    seed : int
        Of the draws of patients.
    split : str
        Part of ``rows`` that is scored.

    Returns
    -------
    DataFrame
        method (family_alone, family_left_out), group (the family), split, metric (auc), value,
        lo, hi, status, reason. The value of a family alone is its AUC; that of a family left out
        is what the cell's AUC loses without it, by the same draws of patients: near 0, or below,
        where others stand in for it. Blank with status and reason where a fit failed.
    """
    part = rows.parts[split]
    weights = PatientBootstrap.draw(rows.group[part], rows.label[part], seed).with_original()

    def auc(outcome: CellResult) -> Floats:
        return ranking_metrics(rows.label[part], outcome.scores[split], weights).auc

    def describe() -> Iterator[dict[str, object]]:
        before = auc(whole)
        for outcome in outcomes:
            cell = outcome.cell
            if not isinstance(cell, FamilyCell):
                raise TypeError(f"Got a fit of {cell.name}, but expected those of family cells.")
            row: dict[str, object] = {
                "method": cell.method, "group": cell.family, "split": split, "metric": "auc",
                "status": outcome.status, "reason": outcome.reason,
            }  # fmt: skip
            if outcome.status == "ok":
                draws = auc(outcome) if cell.method == ALONE else before - auc(outcome)
                low, high = percentile_interval(draws[1:])
                row |= {"value": float(draws[0]), "lo": low, "hi": high}
            yield row

    return pd.DataFrame(describe(), columns=COLUMNS)


def _fewest(rows: SplitIndices, train: NDArray[np.intp]) -> int:
    """Patients of the class that has fewest."""
    label, group = rows.label[train], rows.group[train]
    classes = np.unique(rows.label[rows.train])
    return min(len(np.unique(group[label == one])) for one in classes)

"""Fits of a cell on each of its families alone, and without each family.

Permutation shows what a fitted model uses. Only a refit shows how well it could do without a
family, or with that family alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from benchmarks.fitting.cell import Cell, families_of
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.fit_each import fit_each
from benchmarks.fitting.selection import best_cells
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.fitting.study_context import StudyContext
from benchmarks.importance.measured_cell import SEED, SPLIT, Tables
from benchmarks.importance.measuring import Columns, joined
from benchmarks.metrics.arrays import Floats
from benchmarks.metrics.bootstrap import PatientBootstrap, metric_interval
from benchmarks.metrics.ranking import ranking_metrics

Task = tuple[Cell, SplitIndices]
ALONE, LEFT_OUT = "family_alone", "family_left_out"
COLUMNS = ["method", "group", "split", "metric", "value", "lo", "hi", "status", "reason"]


def measure(context: StudyContext, columns: Columns) -> Tables:
    """Fit the best cell of each feature set on each family alone and without each family.

    Parameters
    ----------
    context : StudyContext
    columns : dict of DataFrame
        Not used; families are known without them.

    Returns
    -------
    dict of DataFrame
        ``importance``; no rows for cells of a single family.
    """
    best = list(best_cells(context.finished, context.rows).values())
    tasks = {one.cell.name: family_tasks(one.cell, context.rows) for one in best}
    flat = [task for own in tasks.values() for task in own]
    fits = fit_each(flat, context.matrices, context.config, "importance, families")
    parts = []
    for whole in best:
        if own := [next(fits) for _ in tasks[whole.cell.name]]:
            table = family_importance(whole, own, context.rows, SEED)
            ranks = table.groupby("method")["value"].rank(method="min", ascending=False)
            parts.append(table.assign(cell=whole.cell.name, level="family", rank=ranks))
    return {"importance": joined(parts, "importance")}


@dataclass(frozen=True)
class FamilyCell(Cell):
    """A cell on one family of its feature set, or on all but one, with the seed of the cell.

    Attributes
    ----------
    family : str
        The family that is used alone or omitted.
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
        """``features/model/seedN/method/family``."""
        return f"{super().name}/{self.method}/{self.family}"

    @property
    def families(self) -> tuple[str, ...]:
        """Feature families whose columns the cell uses."""
        if self.method == ALONE:
            return (self.family,)
        return tuple(name for name in families_of(self.features) if name != self.family)


def family_tasks(cell: Cell, rows: SplitIndices) -> list[Task]:
    """List the fits of a cell on each family alone and without each family.

    Parameters
    ----------
    cell : Cell
    rows : SplitIndices

    Returns
    -------
    list of (FamilyCell, SplitIndices)
        For :func:`benchmarks.fitting.fit_each.fit_each`; empty if the cell has one family.
    """
    if len(cell.families) < 2:
        return []
    return [
        (
            FamilyCell(
                cell.features, cell.model, cell.balance, cell.seed, family, method, tune=cell.tune
            ),
            rows,
        )
        for method in (ALONE, LEFT_OUT)
        for family in cell.families
    ]


def family_importance(
    whole: CellResult,
    results: Sequence[CellResult],
    rows: SplitIndices,
    seed: int,
    split: str = SPLIT,
) -> pd.DataFrame:
    """Compare the AUC of a cell with that of its fits on families.

    Parameters
    ----------
    whole : CellResult
        Result of the cell itself.
    results : sequence of CellResult
        Results of its family cells, from the tasks of :func:`family_tasks`.
    rows : SplitIndices
    seed : int
        Seed of the bootstrap over patients.
    split : str
        Part of ``rows`` whose scores are compared.

    Returns
    -------
    DataFrame
        Columns method (family_alone, family_left_out), group (the family), split, metric (auc),
        value, lo, hi, status, reason. The value of ``family_alone`` is the AUC with that family
        only. The value of ``family_left_out`` is the drop of the AUC without the family, in paired
        bootstrap samples: near 0 or negative if other families carry the same information. The
        value is blank, with status and reason, if a fit failed.

    Raises
    ------
    TypeError
        If a result is not of a family cell.
    """
    part = rows.parts[split]
    weights = PatientBootstrap.draw(rows.group[part], rows.label[part], seed).with_original()

    def _auc(result: CellResult) -> Floats:
        return ranking_metrics(rows.label[part], result.scores[split], weights).auc

    def _rows() -> Iterator[dict[str, object]]:
        before = _auc(whole)
        for result in results:
            cell = result.cell
            if not isinstance(cell, FamilyCell):
                raise TypeError(f"Got a result of {cell.name}, but expected those of family cells.")
            row: dict[str, object] = {
                "method": cell.method, "group": cell.family, "split": split, "metric": "auc",
                "status": result.status, "reason": result.reason,
            }  # fmt: skip
            if result.status == "ok":
                alone = cell.method == ALONE
                draws = _auc(result) if alone else before - _auc(result)
                low, high = metric_interval("auc" if alone else "difference", draws)
                row |= {"value": float(draws[0]), "lo": low, "hi": high}
            yield row

    return pd.DataFrame(_rows(), columns=COLUMNS)

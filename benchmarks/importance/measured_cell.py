"""A fitted cell with the images on which its importance is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.fit import Matrix, columns_of_cell
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.importance.groups import group_columns
from benchmarks.metrics.arrays import Labels

ROWS = ["method", "level", "group", "split", "metric", "value", "lo", "hi", "rank",
        "status", "reason"]  # fmt: skip
EXPLAINED, BACKGROUND = 200, 100  # test images that SHAP explains, training images it compares with
SEED = 0
SPLIT = "test"
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class MeasuredCell:
    """A fitted cell with its features and labels.

    Attributes
    ----------
    cell : Cell
    columns : DataFrame of d rows
        From :func:`benchmarks.importance.groups.columns_of`, for the families of the cell in order.
    threshold : float
        Operating point, selected on the validation set.
    rows : SplitIndices
    matrices : dict of matrices of shape (n, d), float32
        By family of the cell.
    pipeline : fitted pipeline, optional
        None until it is loaded or fitted.
    """

    cell: Cell
    columns: pd.DataFrame
    threshold: float
    rows: SplitIndices
    matrices: Mapping[str, Matrix]
    pipeline: Any = None

    @cached_property
    def X(self) -> NDArray[np.float32]:  # noqa: N802
        """Feature matrix of the test images, of shape (n, d)."""
        return self._matrix(self.rows.parts[SPLIT])

    @cached_property
    def label(self) -> Labels:
        """Label of each test image."""
        return self.rows.label[self.rows.parts[SPLIT]]

    @cached_property
    def patient(self) -> NDArray[np.object_]:
        """Patient of each test image."""
        return self.rows.group[self.rows.parts[SPLIT]]

    @cached_property
    def training(self) -> tuple[NDArray[np.float32], Labels]:
        """Feature matrix and labels of the training images."""
        return self._matrix(self.rows.train), self.rows.label[self.rows.train]

    @cached_property
    def background(self) -> NDArray[np.float32]:
        """Feature matrix of a random sample of training images, with which SHAP compares."""
        drawn = np.random.default_rng(SEED).permutation(self.rows.train)[:BACKGROUND]
        return self._matrix(np.sort(drawn))

    @cached_property
    def explained(self) -> NDArray[np.intp]:
        """Positions, in ``X``, of the random sample of test images that SHAP explains."""
        return np.sort(np.random.default_rng(SEED).permutation(len(self.label))[:EXPLAINED])

    def groups(self, level: str) -> dict[str, NDArray[np.intp]]:
        """Return the columns of each group; an empty dict if a single group holds all columns.

        Parameters
        ----------
        level : {"family", "subfamily", "region", "feature"}

        Returns
        -------
        dict of ndarray of int
        """
        found = group_columns(self.columns, level)
        return found if len(found) > 1 else {}

    def _matrix(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        return columns_of_cell(self.cell, self.matrices, rows)


def ranked_rows(parts: Sequence[pd.DataFrame], method: str, split: str) -> pd.DataFrame:
    """Bring results of one method into the form of ``importance.csv``.

    Parameters
    ----------
    parts : sequence of DataFrame
        With the columns level, group, metric, value, lo and hi.
    method, split : str

    Returns
    -------
    DataFrame
        With the columns ``ROWS``. Rank 1 is the largest value within a level and metric.
    """
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=ROWS)
    table = pd.concat(filled, ignore_index=True).assign(method=method, split=split)
    order = table.groupby(["level", "metric"], sort=False)["value"]
    table["rank"] = order.rank(method="min", ascending=False).astype(int)
    return table.assign(status="ok", reason="")[ROWS]

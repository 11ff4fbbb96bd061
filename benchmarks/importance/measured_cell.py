"""Importance of one fitted cell as rows of ``importance.csv``, method by method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.fit import Matrix, columns_of_cell
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.importance.groups import LEVELS, group_columns
from benchmarks.importance.permutation import permutation_importance
from benchmarks.importance.scorers import make_scorer
from benchmarks.importance.shap_values import explain, mean_absolute
from benchmarks.metrics.arrays import Labels

ROWS = ["method", "level", "group", "split", "metric", "value", "lo", "hi", "rank",
        "status", "reason"]  # fmt: skip
SAMPLE, BACKGROUND = 200, 100  # images that are explained by SHAP, and training images behind them
FEATURES_KEPT = 50  # single columns of largest mean |SHAP| that are listed
SWARM = 12  # columns of which every explained image is told
SEED = 0
SPLIT = "test"


@dataclass(frozen=True, eq=False)
class FittedRows:
    """A fitted cell and the images that its importance is measured on.

    Attributes
    ----------
    cell : str
    pipeline : fitted pipeline
    columns : DataFrame of d rows
        From :func:`benchmarks.importance.groups.columns_of`.
    X : ndarray of shape (n, d), float32
    label, patient : ndarrays of shape (n,)
    threshold : float
        Chosen on validation.
    split : str
        Where the images are from.
    background : ndarray of shape (m, d), float32
        Training images that SHAP compares with.
    """

    cell: str
    pipeline: Any
    columns: pd.DataFrame
    X: NDArray[np.float32]
    label: Labels
    patient: NDArray[np.object_]
    threshold: float
    split: str
    background: NDArray[np.float32]

    def groups(self, level: str) -> dict[str, NDArray[np.intp]]:
        """Columns of each group; none where there is but one group, which is everything."""
        found = group_columns(self.columns, level)
        return found if len(found) > 1 else {}

    def sample(self) -> NDArray[np.intp]:
        """Positions of the images that SHAP explains, in order."""
        n = len(self.label)
        chosen = np.random.default_rng(SEED).permutation(n)[:SAMPLE]
        return np.sort(chosen)


def fitted_rows(
    cell: Cell,
    pipeline: Any,
    threshold: float,
    rows: SplitIndices,
    matrices: Mapping[str, Matrix],
    columns: pd.DataFrame,
) -> FittedRows:
    """Bring a fitted cell together with the test images and some training images.

    Parameters
    ----------
    cell : Cell
    pipeline : fitted pipeline
    threshold : float
    rows : SplitIndices
    matrices : dict of matrices of shape (n, d), float32
        Of the cell's families.
    columns : DataFrame
        From :func:`benchmarks.importance.groups.columns_of`, of the cell's families in order.
    """
    part = rows.parts[SPLIT]
    drawn = np.random.default_rng(SEED).permutation(rows.train)[:BACKGROUND]
    return FittedRows(
        cell=cell.name,
        pipeline=pipeline,
        columns=columns,
        X=columns_of_cell(cell, matrices, part),
        label=rows.label[part],
        patient=rows.group[part],
        threshold=threshold,
        split=SPLIT,
        background=columns_of_cell(cell, matrices, np.sort(drawn)),
    )


def permutation_rows(given: FittedRows, levels: Sequence[str] = LEVELS) -> pd.DataFrame:
    """Exchange groups on every level; see :func:`permutation_importance`.

    Returns
    -------
    DataFrame
        With the columns ``ROWS``.
    """
    scorer = make_scorer(given.pipeline, given.X)
    parts = []
    for level in levels:
        if groups := given.groups(level):
            table = permutation_importance(
                scorer, groups, given.label, given.patient, given.threshold, SEED
            )
            parts.append(table.assign(level=level))
    return ranked_rows(parts, "permutation", given.split)


def shap_rows(given: FittedRows) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Mean |SHAP| by group and column, and mean SHAP by class of each region.

    Returns
    -------
    rows : DataFrame
        With the columns ``ROWS``. Metric ``mean_abs`` is the mean of |sum over the group's
        columns|; ``mean_normal`` and ``mean_pneumonia``, for regions, are means of that sum over
        the images of a class: how far the region moves the score towards pneumonia.
    checks : DataFrame
        One row: check ``shap_additivity``, value (largest difference between a score and its SHAP
        values' sum), images, space.
    swarm : DataFrame
        feature, shap, percentile (of the column's value among the images explained, 0 to 1): a row
        an image, of the columns of largest mean |SHAP|.

    Raises
    ------
    NotExplainable
        If the classifier is an SVM.
    """
    chosen = given.sample()
    found = explain(given.pipeline, given.X[chosen], given.background)
    label, patient = given.label[chosen], given.patient[chosen]
    parts = []
    for level in (*LEVELS, "feature"):
        if groups := given.groups(level):
            keep = FEATURES_KEPT if level == "feature" else None
            table = mean_absolute(found.values, groups, patient, label, SEED, keep=keep)
            parts.append(table.assign(level=level, metric="mean_abs"))
    for name, value in (("normal", 0), ("pneumonia", 1)):
        own = found.values[label == value]  # noqa: PD011 - no DataFrame
        means = {
            group: own[:, at].sum(axis=1).mean() for group, at in given.groups("region").items()
        }
        table = pd.DataFrame({"group": list(means), "value": list(means.values())})
        parts.append(table.assign(level="region", metric=f"mean_{name}", lo=np.nan, hi=np.nan))
    check = {"check": "shap_additivity", "value": found.additivity, "images": len(chosen),
             "space": found.space}  # fmt: skip
    swarm = _swarm(given, chosen, found.values)
    return ranked_rows(parts, "shap", given.split), pd.DataFrame([check]), swarm


def _swarm(
    given: FittedRows, chosen: NDArray[np.intp], values: NDArray[np.float64]
) -> pd.DataFrame:
    top = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:SWARM]
    names = given.columns["feature"].to_numpy(dtype=object)[top]
    ranks = rankdata(given.X[np.ix_(chosen, top)], axis=0)
    return pd.DataFrame({
        "feature": np.repeat(names, len(chosen)), "shap": values[:, top].T.ravel(),
        "percentile": ((ranks.T - 0.5) / len(chosen)).ravel(),
    })  # fmt: skip


def built_in_rows(
    given: FittedRows, method: str, importance: Callable[[Any], NDArray[np.float64]]
) -> pd.DataFrame:
    """Sum over groups what a fitted model carries in itself.

    Parameters
    ----------
    given : FittedRows
    method : str
        ``impurity`` or ``gain``.
    importance : callable
        Fitted pipeline → ``(d,)``.
    """
    values = importance(given.pipeline)
    parts = []
    for level in LEVELS:
        sums = {name: values[columns].sum() for name, columns in given.groups(level).items()}
        table = pd.DataFrame({"group": list(sums), "value": list(sums.values())}, dtype=object)
        parts.append(table.astype({"value": float}).assign(level=level))
    joined = [part.assign(metric="sum", lo=np.nan, hi=np.nan) for part in parts if len(part)]
    return ranked_rows(joined, method, "train")


def ranked_rows(parts: Sequence[pd.DataFrame], method: str, split: str) -> pd.DataFrame:
    """Rows in one form, ranked within a level and metric: 1 is the largest value."""
    if not parts:
        return pd.DataFrame(columns=ROWS)
    table = pd.concat(parts, ignore_index=True).assign(method=method, split=split)
    order = table.groupby(["level", "metric"], sort=False)["value"]
    table["rank"] = order.rank(method="min", ascending=False).astype(int)
    return table.assign(status="ok", reason="")[ROWS]

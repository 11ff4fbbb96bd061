"""Clusters of redundant columns, which are permuted together.

If two columns are copies of each other, permuting one of them costs nothing, so each seems useless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from benchmarks.importance.measured_cell import (
    SEED,
    SPLIT,
    MeasuredCell,
    Tables,
    ranked_rows,
)
from benchmarks.importance.permutation import permutation_importance
from benchmarks.importance.scorers import make_scorer
from benchmarks.metrics.arrays import Floats, Labels
from models.select import f_statistics

MOST = 1000  # columns that are clustered
THRESHOLD = 0.7
NO_CLUSTER = -1
SPLIT_UP = 10  # largest clusters whose columns are also permuted one by one


def measure(cell: MeasuredCell) -> Tables:
    """Permute clusters of redundant columns, found on the training images.

    Parameters
    ----------
    cell : MeasuredCell

    Returns
    -------
    dict of DataFrame
        ``importance``: rows with level ``cluster``, for clusters of at least two columns.
        ``importance_clusters``: cluster, columns (their number), value (drop of the AUC when they
        are permuted together), alone (sum of the drops when they are permuted one by one; blank
        except for the ten clusters of largest value).
    """
    names = cell.columns["feature"].tolist()
    train, label = cell.training
    found = name_clusters(train, names, cluster_columns(train, label))
    several = {name: at for name, at in found.items() if len(at) > 1}
    if not several:
        return {"importance": pd.DataFrame(), "importance_clusters": pd.DataFrame()}
    scorer = make_scorer(cell.pipeline, cell.X)

    def _permuted(groups: Mapping[str, NDArray[np.intp]]) -> pd.DataFrame:
        return permutation_importance(
            scorer, groups, cell.label, cell.patient, cell.threshold, SEED
        )

    table = _permuted(several)
    auc = table[table["metric"] == "auc"].sort_values("value", ascending=False, kind="stable")
    alone = {}
    for name in auc["group"].head(SPLIT_UP):
        single = _permuted({names[at]: np.array([at]) for at in several[name]})
        alone[name] = float(single.loc[single["metric"] == "auc", "value"].sum())
    clusters = pd.DataFrame({
        "cluster": auc["group"], "columns": [len(several[name]) for name in auc["group"]],
        "value": auc["value"], "alone": [alone.get(name, np.nan) for name in auc["group"]],
    })  # fmt: skip
    rows = ranked_rows([table.assign(level="cluster")], "permutation", SPLIT)
    return {"importance": rows, "importance_clusters": clusters}


def cluster_columns(
    X: NDArray[np.floating],
    y: Labels | None = None,
    most: int = MOST,
    threshold: float = THRESHOLD,
) -> NDArray[np.intp]:
    """Cluster columns by rank correlation, with average linkage on 1 - |rho|.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Training rows, n ≥ 2.
    y : ndarray of shape (n,), optional
        Labels; required if more than ``most`` columns vary.
    most : int
        Largest number of columns to cluster, since the correlation matrix grows with the square
        of d. The columns with the largest F statistic between the classes are taken.
    threshold : float in (0, 1)
        Clusters are merged while the mean |rho| between their columns is at least this.

    Returns
    -------
    ndarray of shape (d,), int
        Cluster of each column: 0, 1, … in the order of their first columns. -1 for constant
        columns, which have no correlation, and for columns beyond ``most``.

    Raises
    ------
    ValueError
        If labels are required and missing.

    References
    ----------
    Spearman C. The proof and measurement of association between two things. Am J Psychol
    1904;15:72-101. doi:10.2307/1412159

    Tolosi L, Lengauer T. Classification with correlated features: unreliability of feature
    ranking and solutions. Bioinformatics 2011;27:1986-1994. doi:10.1093/bioinformatics/btr300

    Examples
    --------
    >>> X = np.array([[1.0, 4.0, 9.0, 5.0], [2.0, 1.0, 4.0, 5.0], [3.0, 4.0, 1.0, 5.0]])
    >>> cluster_columns(X).tolist()
    [0, 1, 0, -1]
    """
    varied = np.flatnonzero(np.ptp(X, axis=0) > 0)
    if len(varied) > most:
        if y is None:
            raise ValueError(
                f"Got {len(varied)} columns that vary and no labels, but expected labels to select "
                f"{most} of them. Give y."
            )
        best = np.argsort(-f_statistics(X[:, varied], y), kind="stable")[:most]
        varied = np.sort(varied[best])
    cluster = np.full(X.shape[1], NO_CLUSTER, dtype=np.intp)
    cluster[varied] = _cut(np.abs(rank_correlations(X[:, varied])), threshold)
    return cluster


def name_clusters(
    X: NDArray[np.floating], names: Sequence[str], cluster: NDArray[np.intp]
) -> dict[str, NDArray[np.intp]]:
    """Name each cluster after its most typical column, with the number of columns per family.

    The most typical column has the largest mean |rho| with the others; ties go to the first.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows on which the columns were clustered.
    names : sequence of d str
        Names of the columns; the family precedes the first ``/``.
    cluster : ndarray of shape (d,), int
        From :func:`cluster_columns`. Columns with -1 are in no group.

    Returns
    -------
    dict of ndarray of int
        Columns by name, for :func:`benchmarks.importance.permutation.permutation_importance`:
        ``lbp/r3/cell12/code25 [hog 4, lbp 3]``, or the name of the column if it is alone.

    Examples
    --------
    >>> X = np.array([[1.0, 4.0, 9.0], [2.0, 1.0, 4.0], [3.0, 4.0, 1.0]])
    >>> name_clusters(X, ["hog/a", "hog/b", "lbp/c"], np.array([0, 1, 0]))
    {'hog/a [hog 1, lbp 1]': array([0, 2]), 'hog/b': array([1])}
    """
    named = {}
    for number in range(int(cluster.max(initial=NO_CLUSTER)) + 1):
        columns = np.flatnonzero(cluster == number)
        if len(columns) == 1:
            named[names[columns[0]]] = columns
            continue
        closeness = np.abs(rank_correlations(X[:, columns])).sum(axis=0).round(9)
        typical = names[int(columns[closeness.argmax()])]
        families = [names[column].split("/")[0] for column in columns.tolist()]
        counts = ", ".join(f"{one} {families.count(one)}" for one in dict.fromkeys(families))
        named[f"{typical} [{counts}]"] = columns
    return named


def rank_correlations(X: NDArray[np.floating]) -> Floats:
    """Compute Spearman's rho between all pairs of columns, with mean ranks for ties.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Without constant columns.

    Returns
    -------
    ndarray of shape (d, d), float64 in [-1, 1]

    Examples
    --------
    >>> rank_correlations(np.array([[1.0, 9.0], [2.0, 4.0], [3.0, 1.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    ranks = rankdata(X, axis=0)
    ranks -= ranks.mean(axis=0)
    ranks /= np.sqrt((ranks**2).sum(axis=0))
    return np.asarray(np.clip(ranks.T @ ranks, -1, 1))


def _cut(closeness: Floats, threshold: float) -> NDArray[np.intp]:
    """Cut the tree of clusters; number the clusters in the order of their first columns."""
    if len(closeness) < 2:
        return np.zeros(len(closeness), dtype=np.intp)
    distance = 1 - closeness
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    found = fcluster(tree, 1 - threshold + 1e-9, "distance")
    _, first, place = np.unique(found, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[place], dtype=np.intp)

"""Clusters of columns that say the same: what permutation must exchange together.

Where two columns are copies, exchanging one alone costs nothing, and each looks useless.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from benchmarks.metrics.arrays import Floats, Labels
from models.select import f_statistics

MOST = 1000
THRESHOLD = 0.7
LEFT_OUT = -1


def cluster_columns(
    X: NDArray[np.floating],
    y: Labels | None = None,
    most: int = MOST,
    threshold: float = THRESHOLD,
) -> NDArray[np.intp]:
    """Cluster columns by rank correlation: average linkage on 1 - |rho|.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Training rows, n ≥ 2.
    y : ndarray of shape (n,), optional
        Labels; needed where d is larger than ``most``.
    most : int
        Of more columns, this many of largest F between the classes are clustered and the others
        are left out: the matrix of all would grow with the square of d.
    threshold : float in (0, 1)
        Clusters are joined as long as the mean |rho| between their columns is at least this.

    Returns
    -------
    ndarray of shape (d,), int
        Cluster of each column: 0, 1, … in the order of their first columns; -1 for columns that
        are left out and for constant ones, which have no correlation.

    Raises
    ------
    ValueError
        If labels are needed and missing.

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
                f"Got {len(varied)} columns that vary, but no labels to choose {most} of them by. "
                "Give y."
            )
        best = np.argsort(-f_statistics(X[:, varied], y), kind="stable")[:most]
        varied = np.sort(varied[best])
    cluster = np.full(X.shape[1], LEFT_OUT, dtype=np.intp)
    cluster[varied] = _cut(np.abs(rank_correlations(X[:, varied])), threshold)
    return cluster


def name_clusters(
    X: NDArray[np.floating], names: Sequence[str], cluster: NDArray[np.intp]
) -> dict[str, NDArray[np.intp]]:
    """Name each cluster after its most typical column and say how many of each family it has.

    The most typical column is that of largest mean |rho| with the others; of equal ones the first.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows that the columns were clustered on.
    names : sequence of d str
        Of the columns, the family in front of the first ``/``.
    cluster : ndarray of shape (d,), int
        From :func:`cluster_columns`; columns of cluster -1 are in no group.

    Returns
    -------
    dict of ndarray of int
        Columns by name, for :func:`benchmarks.importance.permutation.permutation_importance`:
        ``lbp/r3/cell12/code25 [hog 4, lbp 3]``, or the column's own name where it is alone.

    Examples
    --------
    >>> X = np.array([[1.0, 4.0, 9.0], [2.0, 1.0, 4.0], [3.0, 4.0, 1.0]])
    >>> name_clusters(X, ["hog/a", "hog/b", "lbp/c"], np.array([0, 1, 0]))
    {'hog/a [hog 1, lbp 1]': array([0, 2]), 'hog/b': array([1])}
    """
    named = {}
    for number in range(int(cluster.max(initial=LEFT_OUT)) + 1):
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
    """Spearman's rho of every two columns, ties given their mean rank.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        No column constant.

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
    """Clusters of columns in the order of their first columns."""
    if len(closeness) < 2:
        return np.zeros(len(closeness), dtype=np.intp)
    distance = 1 - closeness
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    found = fcluster(tree, 1 - threshold + 1e-9, "distance")
    _, first, place = np.unique(found, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[place], dtype=np.intp)

"""Whether a ranking of groups survives other seeds, other patients, other folds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.metrics.arrays import Floats

TOP = 20
SHARE = 0.9


def kendalls_w(ranks: NDArray[np.floating]) -> float:
    """Kendall's coefficient of concordance of several fits' rankings, corrected for ties.

    Parameters
    ----------
    ranks : ndarray of shape (fits, groups)
        Of each fit; importances serve as well, since only their order counts.

    Returns
    -------
    float in [0, 1]
        1: all fits rank alike; rankings at random have 1 / fits on average. NaN where each fit
        gives all groups the same value.

    Raises
    ------
    ValueError
        If there are fewer than two fits or two groups.

    References
    ----------
    Kendall MG, Babington Smith B. The problem of m rankings. Ann Math Stat 1939;10:275-287.
    doi:10.1214/aoms/1177732186

    Examples
    --------
    >>> kendalls_w(np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3]]))
    1.0
    >>> kendalls_w(np.array([[1, 2, 3], [3, 2, 1]]))
    0.0
    """
    fits, groups = ranks.shape
    if fits < 2 or groups < 2:
        raise ValueError(f"Got {fits} fits of {groups} groups, but expected two or more of both.")
    ordered = rankdata(ranks, axis=1)
    apart = ((ordered.sum(axis=0) - fits * (groups + 1) / 2) ** 2).sum()
    ties = sum((counts**3 - counts).sum() for counts in map(_counts, ordered))
    largest = fits**2 * (groups**3 - groups) - fits * ties
    return float(12 * apart / largest) if largest > 0 else float("nan")


def among_largest(values: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Whether each group is among the k largest of each fit; of equal values the first.

    Parameters
    ----------
    values : ndarray of shape (fits, groups)
        Importances.
    k : int
        Fewer than there are groups.

    Returns
    -------
    ndarray of shape (fits, groups), bool

    Raises
    ------
    ValueError
        If there is nothing to choose.

    Examples
    --------
    >>> among_largest(np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.5]]), 1).tolist()
    [[False, True, False], [True, False, False]]
    """
    if not 0 < k < values.shape[1]:
        raise ValueError(f"Got k={k}, but expected 1 or more, and fewer than {values.shape[1]}.")
    found = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(found, np.argsort(-values, axis=1, kind="stable")[:, :k], True, axis=1)
    return found


def top_overlap(values: NDArray[np.floating], k: int = TOP) -> float:
    """Share in common of the k largest groups, averaged over all pairs of fits.

    Parameters
    ----------
    values : ndarray of shape (fits, groups)
    k : int

    Returns
    -------
    float in [0, 1]
        1: the same k groups in every fit. Rankings at random have k / groups on average.

    Raises
    ------
    ValueError
        If there are fewer than two fits, or no more than k groups.

    Examples
    --------
    >>> top_overlap(np.array([[4, 3, 2, 1], [4, 3, 2, 1], [4, 1, 3, 2]]), 2)
    0.6666666666666666
    """
    if len(values) < 2:
        raise ValueError(f"Got {len(values)} fits, but expected two or more.")
    largest = among_largest(values, k)
    common = [(one & other).sum() / k for one, other in combinations(largest, 2)]
    return float(np.mean(common))


def trusted(
    reference: Floats, refits: NDArray[np.floating], k: int = TOP, share: float = SHARE
) -> NDArray[np.intp]:
    """Which of a fit's k largest groups are among the k largest of nearly all refits.

    Parameters
    ----------
    reference : ndarray of shape (groups,)
        Importances in the fit that is reported.
    refits : ndarray of shape (fits, groups)
        Importances in the others.
    k : int
    share : float in (0, 1]
        Of the refits, at least.

    Returns
    -------
    ndarray of int
        Positions of the groups, the largest in the reference first.

    Raises
    ------
    ValueError
        If there is no refit, or no more than k groups.

    References
    ----------
    Meinshausen N, Bühlmann P. Stability selection. J R Stat Soc B 2010;72:417-473.
    doi:10.1111/j.1467-9868.2010.00740.x

    Examples
    --------
    >>> refits = np.array([[9, 8, 0, 1], [9, 0, 8, 1]])
    >>> trusted(np.array([3, 9, 1, 0]), refits, k=2).tolist()
    [0]
    """
    if len(refits) == 0:
        raise ValueError("Got no refit, but expected one or more.")
    order = np.argsort(-reference, kind="stable")[:k]
    times = among_largest(refits, k).sum(axis=0)
    return order[times[order] >= share * len(refits) - 1e-9]


def _counts(row: Floats) -> NDArray[np.float64]:
    return np.unique(row, return_counts=True)[1].astype(np.float64)

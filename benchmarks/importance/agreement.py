"""Agreement of rankings: between methods of importance, and between fits of a cell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from benchmarks.metrics.arrays import Floats

FEWEST = 3  # groups; two are in the same order by chance half of the time
TOP = 5  # groups compared between methods
FRACTION = 0.9  # of refits, for a stable group
COLUMNS = ["cell", "level", "method_a", "method_b", "n", "tau", "top"]


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the rank correlation of all pairs of methods, for each cell and level.

    Parameters
    ----------
    table : DataFrame
        Rows of the importance table, with cell, method, level, group and value. Each method must
        have one value per group: select a metric and split first. Rows without a value are ignored.

    Returns
    -------
    DataFrame
        Columns cell, level, method_a, method_b (in the order of the table), n (groups of both
        methods, at least 3), tau (Kendall's tau-b, from -1 to 1; NaN if a method gives all groups
        the same value), top (overlap of the 5 largest groups as a fraction, ties going to the
        first; NaN if there are no more than 5 groups).

    Raises
    ------
    ValueError
        If a method has two values for one group of one cell and level.

    References
    ----------
    Kendall MG. The treatment of ties in ranking problems. Biometrika 1945;33:239-251.
    doi:10.1093/biomet/33.3.239

    Krishna S, et al. The disagreement problem in explainable machine learning: a practitioner's
    perspective. 2022. doi:10.48550/arXiv.2202.01602

    Examples
    --------
    >>> table = pd.DataFrame({"cell": "c", "level": "family", "method": ["m"] * 3 + ["k"] * 3,
    ...                       "group": list("xyz") * 2, "value": [1.0, 2.0, 3.0, 1.0, 3.0, 2.0]})
    >>> agreement(table).round(3).to_dict("records")
    [{'cell': 'c', 'level': 'family', 'method_a': 'm', 'method_b': 'k', 'n': 3, 'tau': 0.333,
      'top': nan}]
    """
    known = table.dropna(subset=["value"])
    twice = known[known.duplicated(["cell", "level", "method", "group"])]
    if len(twice):
        row = twice.iloc[0]
        raise ValueError(
            f"Got two values of {row['method']} for {row['group']} of {row['cell']}, but expected "
            "one. Select one metric and one split for each method."
        )
    rows = [row for _, part in known.groupby(["cell", "level"], sort=False) for row in _pairs(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def kendalls_w(ranks: NDArray[np.floating]) -> float:
    """Compute Kendall's coefficient of concordance of rankings, corrected for ties.

    Parameters
    ----------
    ranks : ndarray of shape (fits, groups)
        Ranks or importances; only their order within a fit matters.

    Returns
    -------
    float in [0, 1]
        1 if all fits give the same ranking; 1 / fits on average for random rankings. NaN if each
        fit gives all groups the same value.

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
        raise ValueError(f"Got {fits} fits of {groups} groups, but expected at least two of both.")
    ordered = rankdata(ranks, axis=1)
    apart = ((ordered.sum(axis=0) - fits * (groups + 1) / 2) ** 2).sum()
    ties = sum((counts**3 - counts).sum() for counts in map(_counts, ordered))
    largest = fits**2 * (groups**3 - groups) - fits * ties
    return float(12 * apart / largest) if largest > 0 else float("nan")


def among_largest(values: NDArray[np.floating], k: int) -> NDArray[np.bool_]:
    """Find the k largest groups of each fit; ties go to the first.

    Parameters
    ----------
    values : ndarray of shape (fits, groups)
        Importances.
    k : int
        Smaller than the number of groups.

    Returns
    -------
    ndarray of shape (fits, groups), bool

    Raises
    ------
    ValueError
        If k is out of range.

    Examples
    --------
    >>> among_largest(np.array([[0.1, 0.3, 0.2], [0.5, 0.5, 0.5]]), 1).tolist()
    [[False, True, False], [True, False, False]]
    """
    if not 0 < k < values.shape[1]:
        raise ValueError(f"Got k={k}, but expected at least 1 and fewer than {values.shape[1]}.")
    found = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(found, np.argsort(-values, axis=1, kind="stable")[:, :k], True, axis=1)
    return found


def top_overlap(values: NDArray[np.floating], k: int) -> float:
    """Compute the overlap of the k largest groups, averaged over all pairs of fits.

    Parameters
    ----------
    values : ndarray of shape (fits, groups)
    k : int

    Returns
    -------
    float in [0, 1]
        1 if every fit has the same k largest groups; k / groups on average for random rankings.

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
        raise ValueError(f"Got {len(values)} fits, but expected at least two.")
    largest = among_largest(values, k)
    common = [(one & other).sum() / k for one, other in combinations(largest, 2)]
    return float(np.mean(common))


def trusted(
    reference: Floats, refits: NDArray[np.floating], k: int, fraction: float = FRACTION
) -> NDArray[np.intp]:
    """Find the k largest groups of a fit that are among the k largest of nearly all refits.

    Parameters
    ----------
    reference : ndarray of shape (groups,)
        Importances in the fit that is reported.
    refits : ndarray of shape (fits, groups)
        Importances in the refits.
    k : int
    fraction : float in (0, 1]
        Smallest fraction of the refits.

    Returns
    -------
    ndarray of int
        Positions of the groups, in decreasing order of importance in the reference.

    Raises
    ------
    ValueError
        If there is no refit, or there are no more than k groups.

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
        raise ValueError("Got no refit, but expected at least one.")
    order = np.argsort(-reference, kind="stable")[:k]
    times = among_largest(refits, k).sum(axis=0)
    return order[times[order] >= fraction * len(refits) - 1e-9]


def _pairs(part: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of one cell and level."""
    methods = list(dict.fromkeys(part["method"]))
    names = list(dict.fromkeys(part["group"]))
    wide = part.pivot_table(index="group", columns="method", values="value", sort=False)
    wide = wide.reindex(index=names)
    known = {"cell": part["cell"].iloc[0], "level": part["level"].iloc[0]}
    for one, other in combinations(methods, 2):
        both = wide[[one, other]].dropna()
        if len(both) >= FEWEST:
            a, b = both[one].to_numpy(), both[other].to_numpy()
            tau = float(kendalltau(a, b).statistic)
            top = top_overlap(np.stack([a, b]), TOP) if len(a) > TOP else float("nan")
            yield {**known, "method_a": one, "method_b": other, "n": len(both), "tau": tau,
                   "top": top}  # fmt: skip


def _counts(row: Floats) -> NDArray[np.float64]:
    return np.unique(row, return_counts=True)[1].astype(np.float64)

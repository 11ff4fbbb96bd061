"""Whether methods of importance agree on what matters, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

FEWEST = 3  # groups; the order of two is right by chance half of the time
TOP = 5
COLUMNS = ["cell", "level", "method_a", "method_b", "n", "tau", "top"]


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of every two methods of a cell on one level.

    Parameters
    ----------
    table : DataFrame
        Rows of the importance table: cell, method, level, group, value; others are not read. Each
        method gives a group one value: choose its metric and split first. Rows without a value
        are left out.

    Returns
    -------
    DataFrame
        cell, level, method_a, method_b (in the order of the table), n (groups that both have, at
        least 3), tau (Kendall's tau-b, from -1 to 1; NaN where a method gives all groups the same
        value), top (share in common of the 5 largest, of equal values the first; NaN where there
        are no more than 5).

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
            "one. Choose one metric and one split for each method."
        )
    rows = [row for _, part in known.groupby(["cell", "level"], sort=False) for row in _pairs(part)]
    return pd.DataFrame(rows, columns=COLUMNS)


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
            yield {**known, "method_a": one, "method_b": other, "n": len(both), "tau": tau,
                   "top": _in_common(a, b)}  # fmt: skip


def _in_common(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) <= TOP:
        return float("nan")
    largest = (set(np.argsort(-values, kind="stable")[:TOP].tolist()) for values in (a, b))
    return len(set.intersection(*largest)) / TOP

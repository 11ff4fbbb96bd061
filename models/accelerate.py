"""Optional fast training of random forests: oneDAL grows the trees, scikit-learn uses them."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 64  # of each column; oneDAL's default of 256 is slower and no better


def forest_engine() -> str:
    """Return which library grows the trees of a random forest on this machine.

    Returns
    -------
    str
        ``oneDAL`` (the extra ``fast``: Linux and Windows on x86-64) or ``scikit-learn``, with its
        version.
    """
    if _fast_forest() is None:
        return f"scikit-learn {version('scikit-learn')}"
    return f"oneDAL {version('scikit-learn-intelex')}"


def grow_trees(
    X: NDArray[np.floating], y: NDArray[np.integer], n_jobs: int | None, **parameters: Any
) -> list[Any] | None:
    """Grow the trees of a random forest with oneDAL.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,), int
        Labels 0, 1, …: positions in ``classes_`` of the random forest.
    n_jobs : int or None
        Number of threads; the trees do not depend on it.
    **parameters : dict
        Parameters of ``RandomForestClassifier``. Trees must grow until their leaves are pure:
        oneDAL returns only the majority class of a mixed leaf.

    Returns
    -------
    list of sklearn.tree.DecisionTreeClassifier, or None
        None where oneDAL is not installed.
    """
    fast_forest = _fast_forest()
    if fast_forest is None:
        return None
    return list(fast_forest(n_jobs=n_jobs or 1, max_bins=BINS, **parameters).fit(X, y).estimators_)


def _fast_forest() -> Any | None:
    try:
        return import_module("sklearnex.ensemble").RandomForestClassifier
    except (ImportError, OSError):  # not installed, or its compiled part does not load here
        return None

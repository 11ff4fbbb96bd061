"""Optional fast growing of forests: oneDAL grows the trees, scikit-learn keeps and uses them."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 64  # of each column; with oneDAL's 256 a forest takes longer and is no better


def forest_engine() -> str:
    """Say which library grows the trees of a forest here.

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
    """Grow the trees of a forest with oneDAL.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,), int
        0, 1, …: positions in the forest's classes.
    n_jobs : int or None
        Threads; they don't change the trees.
    **parameters
        Of ``RandomForestClassifier``. Trees must grow until their leaves are pure: of a mixed leaf
        oneDAL hands over the larger class alone.

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
    except (ImportError, OSError):  # not installed, or its compiled half does not load here
        return None

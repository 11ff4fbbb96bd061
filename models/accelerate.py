"""Optional fast training with oneDAL; the fitted models are scikit-learn's."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 64  # of each column; oneDAL's default of 256 is slower and no better
TOLERANCE = 0.01  # of libsvm's: a hundredth of its error in a tenth more time than with the same
MOST_ITERATIONS = 10_000  # oneDAL's own limit; an SVM takes some tens


def forest_engine() -> str:
    """Return which library grows the trees of a random forest on this machine.

    Returns
    -------
    str
        ``oneDAL`` (the extra ``fast``: Linux and Windows on x86-64) or ``scikit-learn``, with its
        version.
    """
    return _onedal() if _fast_forest() else _scikit_learn()


def svm_engine() -> str:
    """Return which library fits support vector machines on this machine.

    Returns
    -------
    str
        ``oneDAL`` (the extra ``fast``) or ``scikit-learn``, with its version. More than two classes
        are always scikit-learn's.
    """
    if _fast_svc() is None:
        return _scikit_learn()
    return f"{_onedal()} for two classes, {_scikit_learn()} for more"


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


def fit_svm(
    X: NDArray[np.float64],
    y: NDArray[np.floating],
    C: float,
    gamma: float,
    tol: float,
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.int32], NDArray[np.float64], float, int] | None:
    """Fit a support vector machine with an RBF kernel to two classes with oneDAL.

    It has one thread, because the last digits depend on the number of threads.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,)
        Labels 0 and 1.
    C, gamma, tol : float
        Parameters of ``sklearn.svm.SVC``. oneDAL gets a hundredth of the tolerance: it stops nearer
        to the solution than libsvm.
    weights : ndarray of shape (2,)
        Weight of each class.

    Returns
    -------
    support : ndarray of shape (m,), int32
        Support vectors as rows of ``X``, those of class 0 first, as in libsvm.
    coefficients : ndarray of shape (m,)
        Their coefficients, negative for class 0.
    intercept : float
    iterations : int
        None instead of the four where oneDAL is not installed or does not converge.
    """
    fast_svc = _fast_svc()
    if fast_svc is None:
        return None
    fitted = fast_svc(
        C=C, gamma=gamma, tol=TOLERANCE * tol, class_weight=dict(enumerate(weights)),
        cache_size=1000, max_iter=MOST_ITERATIONS, n_jobs=1,
    ).fit(X, y)  # fmt: skip
    iterations = int(np.max(fitted.n_iter_))
    if iterations >= MOST_ITERATIONS:
        return None
    found = np.asarray(fitted.support_, dtype=np.int32)
    order = np.lexsort((found, y[found]))
    coefficients = np.asarray(fitted.dual_coef_, dtype=np.float64)[0, order]
    return found[order], coefficients, float(fitted.intercept_[0]), iterations


def _onedal() -> str:
    return f"oneDAL {version('scikit-learn-intelex')}"


def _scikit_learn() -> str:
    return f"scikit-learn {version('scikit-learn')}"


def _fast_forest() -> Any | None:
    return _from_onedal("ensemble", "RandomForestClassifier")


def _fast_svc() -> Any | None:
    return _from_onedal("svm", "SVC")


def _from_onedal(module: str, name: str) -> Any | None:
    try:
        return getattr(import_module(f"sklearnex.{module}"), name)
    except (ImportError, OSError):  # not installed, or its compiled part does not load here
        return None

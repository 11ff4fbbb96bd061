"""Selection of the columns with the largest F statistic, a filter in front of tree ensembles."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin, f_classif
from sklearn.utils.validation import check_is_fitted, validate_data

BLOCK = 256  # columns tested at once; f_classif copies its input several times


class BestColumns(SelectorMixin, BaseEstimator):
    """Keep the columns with the largest F statistic between the classes.

    The selection depends only on the rows given to ``fit``; values are not changed. If there are
    at most ``n_columns`` columns, all are kept.

    Parameters
    ----------
    n_columns : int
        Number of columns to keep.

    Attributes
    ----------
    kept_ : ndarray of shape (d,), bool
        Whether each column is kept.

    References
    ----------
    Guyon I, Elisseeff A. An introduction to variable and feature selection. JMLR 2003;3:1157-1182.
    https://www.jmlr.org/papers/v3/guyon03a.html

    Examples
    --------
    >>> X = np.array([[0.0, 5.0], [1.0, 4.0], [8.0, 5.0], [9.0, 4.0]])
    >>> BestColumns(1).fit(X, np.array([0, 0, 1, 1])).transform(X).ravel().tolist()
    [0.0, 1.0, 8.0, 9.0]
    """

    def __init__(self, n_columns: int = 2000) -> None:
        self.n_columns = n_columns

    def fit(self, X: NDArray[np.floating], y: NDArray[np.integer]) -> BestColumns:
        """Select the columns; of columns with equal statistics the first is kept.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Training rows.
        y : ndarray of shape (n,), int
            Labels.

        Returns
        -------
        BestColumns
            Itself.
        """
        X, y = validate_data(self, X, y, dtype=(np.float32, np.float64))
        self.kept_ = np.ones(X.shape[1], dtype=bool)
        if X.shape[1] > self.n_columns:
            worst = np.argsort(-f_statistics(X, y), kind="stable")[self.n_columns :]
            self.kept_[worst] = False
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        return self.kept_


def f_statistics(X: NDArray[np.floating], y: NDArray[np.integer]) -> NDArray[np.float64]:
    """Compute the one-way ANOVA F statistic of every column with scikit-learn.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,), int
        Labels.

    Returns
    -------
    ndarray of shape (d,), float64, ≥ 0
        0 for a constant column.
    """
    statistics = np.zeros(X.shape[1])
    for start in range(0, X.shape[1], BLOCK):
        block = X[:, start : start + BLOCK].astype(np.float64)
        with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
            warnings.simplefilter("ignore", UserWarning)  # constant columns
            statistics[start : start + BLOCK] = f_classif(block, y)[0]
    return np.nan_to_num(statistics, nan=0.0)

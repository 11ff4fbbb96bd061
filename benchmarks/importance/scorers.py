"""Scores of rows in which some columns are permuted, for many permutations at once.

A scorer holds the rows. If a pipeline begins with linear steps, only the contribution of a group to
them is computed and permuted; the other columns are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from benchmarks.importance.closed_form import (
    LOGISTIC,
    SVM,
    FittedSvm,
    Floats,
    LinearMap,
    component_weights,
    logistic_weights,
    skip_columnwise_steps,
    step_types,
)

Order = NDArray[np.intp]
TOLERANCE = 1e-4  # between a scorer's probabilities and the pipeline's own


class Scorer(Protocol):
    """Scores of n rows, as they are and after permutation of columns, by a fitted pipeline."""

    score: Floats
    """Probability of the positive class without permutation, of shape (n,)."""

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """Compute the scores after the columns of row i are taken from row ``orders[r, i]``.

        Parameters
        ----------
        columns : ndarray of int
            They are permuted together, so correlated columns cannot replace each other.
        orders : ndarray of shape (R, n), int

        Returns
        -------
        ndarray of shape (R, n), float64
        """
        ...


def make_scorer(pipeline: Any, X: NDArray[np.floating]) -> Scorer:
    """Return the fastest scorer for a pipeline.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    X : ndarray of shape (n, d)

    Returns
    -------
    Scorer

    Raises
    ------
    ValueError
        If the scores differ from the pipeline's, because the scorer does not support a step.
    """
    names = step_types(pipeline)
    with threadpool_limits(1):
        if names not in FAST:
            return PlainScorer(pipeline, X)
        found = FAST[names](pipeline, X)
        _check(found.score, pipeline.predict_proba(X)[:, 1])
    return found


class PlainScorer:
    """Scorer for any pipeline, which scores all permuted rows.

    Parameters
    ----------
    pipeline : fitted pipeline
    X : ndarray of shape (n, d)
    """

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        self.pipeline, self.X = pipeline, X
        self.score = self._score(X)

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`.

        Parameters
        ----------
        columns : ndarray of int
        orders : ndarray of shape (R, n), int

        Returns
        -------
        ndarray of shape (R, n), float64
        """
        rows = np.tile(self.X, (len(orders), 1))
        rows[:, columns] = self.X[orders.ravel()[:, None], columns]
        return self._score(rows).reshape(orders.shape)

    def _score(self, rows: NDArray[np.floating]) -> Floats:
        return np.asarray(self.pipeline.predict_proba(rows)[:, 1], dtype=np.float64)


class TreeScorer(PlainScorer):
    """Scorer for trees after column selection and scaling, which are applied only once.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.forest.build`` or ``models.boosting.build``
    X : ndarray of shape (n, d)
    """

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        trees, (rows,), self.place = skip_columnwise_steps(pipeline, X)
        super().__init__(trees, rows)

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`.

        Parameters
        ----------
        columns : ndarray of int
        orders : ndarray of shape (R, n), int

        Returns
        -------
        ndarray of shape (R, n), float64
        """
        used = self.place[columns]
        used = used[used >= 0]
        if len(used) == 0:
            return np.tile(self.score, (len(orders), 1))
        return super().permuted(used, orders)


class FoldScorer:
    """Scorer of a cross-validation: the model of its fold scores each image.

    Parameters
    ----------
    scorers : dict of Scorer
        By fold; each holds the images of its fold, in order.
    fold : ndarray of shape (n,)
    """

    def __init__(self, scorers: Mapping[int, Scorer], fold: NDArray[np.integer]) -> None:
        self.scorers = scorers
        self.rows = {k: np.flatnonzero(fold == k) for k in scorers}
        self.score = np.empty(len(fold))
        for k, scorer in scorers.items():
            self.score[self.rows[k]] = scorer.score

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`.

        Parameters
        ----------
        columns : ndarray of int
        orders : ndarray of shape (R, n), int
            Permutations within folds.

        Returns
        -------
        ndarray of shape (R, n), float64

        Raises
        ------
        ValueError
            If an image moves to another fold.
        """
        scores = np.empty(orders.shape)
        for k, scorer in self.scorers.items():
            rows = self.rows[k]
            inside = np.searchsorted(rows, orders[:, rows])
            if not np.array_equal(rows[inside.clip(max=len(rows) - 1)], orders[:, rows]):
                raise ValueError(
                    "Got a permutation between folds, but expected permutations within each fold."
                )
            scores[:, rows] = scorer.permuted(columns, inside)
        return scores


class LogisticScorer:
    """Scorer for logistic regression, a sum over columns.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.logistic.build``
    X : ndarray of shape (n, d)
    """

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        self.linear = LinearMap(X, *logistic_weights(pipeline))
        self.score = np.asarray(expit(self.linear.rows))

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`.

        Parameters
        ----------
        columns : ndarray of int
        orders : ndarray of shape (R, n), int

        Returns
        -------
        ndarray of shape (R, n), float64
        """
        part = self.linear.contribution(columns)
        return np.asarray(expit(self.linear.rows - part + part[orders]))


class SvmScorer:
    """Scorer for an SVM on principal components.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.svm.build``
    X : ndarray of shape (n, d)
    """

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        self.linear = LinearMap(X, *component_weights(pipeline))
        self.svm = FittedSvm(pipeline)
        self.score = self.svm.score(self.linear.rows)

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`.

        Parameters
        ----------
        columns : ndarray of int
        orders : ndarray of shape (R, n), int

        Returns
        -------
        ndarray of shape (R, n), float64
        """
        part = self.linear.contribution(columns)
        rest = self.linear.rows - part
        return np.stack([self.svm.score(rest + part[order]) for order in orders])


FAST: dict[tuple[str, ...], Callable[[Any, NDArray[np.floating]], Scorer]] = {
    SVM: SvmScorer,
    LOGISTIC: LogisticScorer,
    ("BestColumns", "StandardScaler", "Forest"): TreeScorer,
    ("BestColumns", "StandardScaler", "WeightedXgb"): TreeScorer,
}


def _check(own: Floats, theirs: Floats) -> None:
    apart = float(np.abs(own - theirs).max())
    if apart > TOLERANCE:
        raise ValueError(
            f"Got scores that differ from the pipeline's by {apart:.2g}, but expected at most "
            f"{TOLERANCE}: benchmarks/importance/scorers.py does not support one of its steps."
        )

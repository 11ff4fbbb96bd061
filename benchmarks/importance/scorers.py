"""Scores of rows in which some columns were exchanged between rows, many exchanges at once.

A scorer knows the rows once. Where a pipeline begins with linear steps, the columns of a group are
taken through those alone: the group's share is a sum that can be dealt anew without touching the
other columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from threadpoolctl import threadpool_limits

from benchmarks.importance.closed_form import (
    Floats,
    LinearFront,
    Machine,
    behind_columns,
    component_weights,
    logistic_weights,
)

Order = NDArray[np.intp]
TOLERANCE = 1e-4  # between a scorer's probabilities and the pipeline's own


class Scorer(Protocol):
    """Scores of n rows by a fitted pipeline."""

    score: Floats
    """As they are: probability of pneumonia, shape (n,)."""

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """Scores after the ``columns`` of row i were taken from row ``orders[r, i]``.

        Parameters
        ----------
        columns : ndarray of int
            They move together, so that correlated ones can't stand in for each other.
        orders : ndarray of shape (R, n), int

        Returns
        -------
        ndarray of shape (R, n), float64
        """
        ...


def make_scorer(pipeline: Any, X: NDArray[np.floating]) -> Scorer:
    """Build the quickest scorer that knows a pipeline.

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
        If its scores are not the pipeline's: then it has a step that the scorer does not know.
    """
    names = tuple(type(step).__name__ for name, step in pipeline.steps if name != "balance")
    with threadpool_limits(1):
        if names not in QUICK:
            return PlainScorer(pipeline, X)
        found = QUICK[names](pipeline, X)
        _check(found.score, pipeline.predict_proba(X)[:, 1])
    return found


class PlainScorer:
    """Any pipeline: all exchanged rows are given to it."""

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        self.pipeline, self.X = pipeline, X
        self.score = self._score(X)

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`."""
        rows = np.tile(self.X, (len(orders), 1))
        rows[:, columns] = self.X[orders.ravel()[:, None], columns]
        return self._score(rows).reshape(orders.shape)

    def _score(self, rows: NDArray[np.floating]) -> Floats:
        return np.asarray(self.pipeline.predict_proba(rows)[:, 1], dtype=np.float64)


class TreeScorer(PlainScorer):
    """Columns chosen and scaled one by one, then trees: an exchange can wait until after that."""

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        trees, (rows,), self.place = behind_columns(pipeline, X)
        super().__init__(trees, rows)

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`."""
        used = self.place[columns]
        used = used[used >= 0]
        if len(used) == 0:
            return np.tile(self.score, (len(orders), 1))
        return super().permuted(used, orders)


class FoldScorer:
    """Each image scored by the model of its fold; exchanges are within folds.

    Parameters
    ----------
    scorers : dict of Scorer
        By fold; each knows the images of its fold in their order.
    fold : ndarray of shape (n,)
    """

    def __init__(self, scorers: Mapping[int, Scorer], fold: NDArray[np.integer]) -> None:
        self.scorers = scorers
        self.rows = {k: np.flatnonzero(fold == k) for k in scorers}
        self.score = np.empty(len(fold))
        for k, scorer in scorers.items():
            self.score[self.rows[k]] = scorer.score

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`; an order that leaves its fold is an error."""
        scores = np.empty(orders.shape)
        for k, scorer in self.scorers.items():
            rows = self.rows[k]
            inside = np.searchsorted(rows, orders[:, rows])
            if not np.array_equal(rows[inside.clip(max=len(rows) - 1)], orders[:, rows]):
                raise ValueError("Got an order that takes images out of their fold.")
            scores[:, rows] = scorer.permuted(columns, inside)
        return scores


class LogisticScorer:
    """Scaling, then logistic regression: a sum of columns."""

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        self.front = LinearFront(X, *logistic_weights(pipeline))
        self.score = np.asarray(expit(self.front.rows))

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`."""
        share = self.front.share(columns)
        return np.asarray(expit(self.front.rows - share + share[orders]))


class SvmScorer:
    """Scaling, principal components, RBF kernel, sigmoid."""

    def __init__(self, pipeline: Any, X: NDArray[np.floating]) -> None:
        self.front = LinearFront(X, *component_weights(pipeline))
        self.machine = Machine(pipeline)
        self.score = self.machine.score(self.front.rows)

    def permuted(self, columns: NDArray[np.intp], orders: Order) -> Floats:
        """See :class:`Scorer`."""
        share = self.front.share(columns)
        rest = self.front.rows - share
        return np.stack([self.machine.score(rest + share[order]) for order in orders])


QUICK: dict[tuple[str, ...], Callable[[Any, NDArray[np.floating]], Scorer]] = {
    ("StandardScaler", "BoundedPca", "PlattScaled"): SvmScorer,
    ("StandardScaler", "LeanLogistic"): LogisticScorer,
    ("BestColumns", "StandardScaler", "Forest"): TreeScorer,
    ("BestColumns", "StandardScaler", "WeightedXgb"): TreeScorer,
}


def _check(own: Floats, theirs: Floats) -> None:
    apart = float(np.abs(own - theirs).max())
    if apart > TOLERANCE:
        raise ValueError(
            f"Got scores that differ from the pipeline's by {apart:.2g}, but expected at most "
            f"{TOLERANCE}: it has a step that benchmarks/importance/scorers.py does not know."
        )

"""Mean scores of images some of whose groups of columns are those of other images.

A mixture of image i and image b has the columns of the present groups from i, all others from b.
Where a pipeline begins with linear steps, each group's share of them is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.importance.formulas import (
    Floats,
    LinearFront,
    Machine,
    component_weights,
    logistic_weights,
)
from benchmarks.importance.scorers import behind_columns

Matrix = NDArray[np.floating]
Groups = Mapping[str, NDArray[np.intp]]
Mixture = Callable[[NDArray[np.bool_]], Floats]
BLOCK = 2000  # mixed rows that a model is given at once


def make_mixture(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    """Build the quickest function from present groups to mean scores.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    X : ndarray of shape (n, d)
    background : ndarray of shape (m, d)
    groups : dict of ndarray of int
        Every column is in one of the G groups.

    Returns
    -------
    function of an ndarray of shape (G,), bool
        Which groups are present; returns the probability of pneumonia of each of the n images,
        averaged over the m that fill it up, shape (n,), float64.

    Raises
    ------
    ValueError
        If a column is in no group, or in several.

    Examples
    --------
    >>> from models import logistic
    >>> X, y = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 1.0], [3.0, 4.0]]), np.array([0, 0, 1, 1])
    >>> pipeline = logistic.build(seed=0, balance="none").fit(X, y)
    >>> mean = make_mixture(pipeline, X, X[:1], {"a": np.array([0]), "b": np.array([1])})
    >>> row = np.array([[3.0, 0.0]])
    >>> mean(np.array([True, False]))[3] == pipeline.predict_proba(row)[0, 1]
    np.True_
    """
    placed = np.concatenate([np.asarray(columns) for columns in groups.values()])
    if not np.array_equal(np.sort(placed), np.arange(X.shape[1])):
        raise ValueError(
            f"Got groups that hold {len(np.unique(placed))} of {X.shape[1]} columns, {len(placed)} "
            "in all, but expected every column in one group. Use the level family."
        )
    names = tuple(name for name in pipeline.named_steps if name != "balance")
    if names == ("scale", "reduce", "classify"):
        return _of_svm(pipeline, X, background, groups)
    if names == ("scale", "classify"):
        return _of_logistic(pipeline, X, background, groups)
    return _of_any(pipeline, X, background, groups)


def sums_of_shares(
    X: Matrix, background: Matrix, groups: Groups, weights: Floats, offset: Floats
) -> Callable[[NDArray[np.bool_]], tuple[Floats, Floats]]:
    """Split mixtures after a linear map into what the image gives and what the other one gives.

    Parameters
    ----------
    X, background : ndarrays of shape (n, d), (m, d)
    groups : dict of ndarray of int
    weights, offset : ndarrays of shape (d, k), (k,)

    Returns
    -------
    function of an ndarray of shape (G,), bool
        Returns p, of shape (n, k), and q, of shape (m, k): ``p[i] + q[b]`` is the mixture of i
        and b. The mean of ``q`` is 0.
    """
    here, there = LinearFront(X, weights, offset), LinearFront(background, weights, offset)
    own, other = (
        np.stack([front.share(columns) for columns in groups.values()]) for front in (here, there)
    )
    mean = other.mean(axis=1, keepdims=True)
    centre = offset + mean.sum(axis=0)
    own -= mean
    other -= mean

    def split(present: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        return centre + own[present].sum(axis=0), other[~present].sum(axis=0)

    return split


def _of_svm(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    split = sums_of_shares(X, background, groups, *component_weights(pipeline))
    machine = Machine(pipeline)

    def mean(present: NDArray[np.bool_]) -> Floats:
        odds = machine.log_odds(machine.decisions_of_sums(*split(present)))
        return np.asarray(expit(odds).mean(axis=1))

    return mean


def _of_logistic(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    weights, offset = logistic_weights(pipeline)
    split = sums_of_shares(X, background, groups, weights[:, None], np.array([offset]))

    def mean(present: NDArray[np.bool_]) -> Floats:
        p, q = split(present)
        return np.asarray(expit(p + q.T).mean(axis=1))

    return mean


def _of_any(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    """Mix the rows themselves, behind the steps that take each column by itself."""
    group = np.empty(X.shape[1], dtype=np.intp)
    for number, columns in enumerate(groups.values()):
        group[columns] = number
    model, (X, background), place = behind_columns(pipeline, X, background)
    group = group[place >= 0]
    rows = max(1, BLOCK // len(background))

    def mean(present: NDArray[np.bool_]) -> Floats:
        keep, means = present[group], []
        for start in range(0, len(X), rows):
            part = X[start : start + rows, None]
            mixed = np.where(keep, part, background).reshape(-1, X.shape[1])
            scores = np.asarray(model.predict_proba(mixed)[:, 1], dtype=np.float64)
            means.append(scores.reshape(-1, len(background)).mean(axis=1))
        return np.concatenate(means)

    return mean

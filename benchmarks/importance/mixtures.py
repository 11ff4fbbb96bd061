"""Mean scores of images some of whose groups of columns are those of other images.

A mixture of image i and image b has the columns of the present groups from i, all others from b.
Where a pipeline begins with linear steps, each group's share of them is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.importance.scorers import Floats, Machine, component_weights, logistic_weights

Matrix = NDArray[np.floating]
Groups = Mapping[str, NDArray[np.intp]]
Mixture = Callable[[NDArray[np.bool_]], Floats]
BLOCK = 2000  # mixed rows that a model is given at once
COLUMN_BY_COLUMN = {"select", "scale", "balance"}  # steps that mix no columns
LARGEST_EXPONENT = 300.0  # products of three exponentials stay far from overflow


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
    own = np.stack([X[:, c].astype(np.float64) @ weights[c] for c in groups.values()])
    other = np.stack([background[:, c].astype(np.float64) @ weights[c] for c in groups.values()])
    mean = other.mean(axis=1, keepdims=True)
    centre = offset + mean.sum(axis=0)
    own -= mean
    other -= mean

    def split(present: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        return centre + own[present].sum(axis=0), other[~present].sum(axis=0)

    return split


def decisions_of_sums(machine: Machine, p: Floats, q: Floats) -> Floats:
    """Decision values of an SVM with an RBF kernel at all sums ``p[i] + q[b]``.

    ``exp(-γ|p+q-v|²)`` is a product of three exponentials, none of which knows i, b and the
    support vector v together, so all n × m sums take one matrix product.

    Parameters
    ----------
    machine : Machine
    p, q : ndarrays of shape (n, k), (m, k)

    Returns
    -------
    ndarray of shape (n, m), float64
    """
    gamma = machine.gamma
    across = -2 * gamma * p @ q.T
    right = 2 * gamma * q @ machine.vectors.T - gamma * (q**2).sum(axis=1)[:, None]
    if max(np.abs(across).max(), np.abs(right).max()) > LARGEST_EXPONENT:
        return np.stack([machine.decision(p + row) for row in q], axis=1)
    left = machine.kernel(p) * machine.weights
    return np.asarray((left @ np.exp(right).T) * np.exp(across) + machine.intercept)


def _of_svm(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    split = sums_of_shares(X, background, groups, *component_weights(pipeline))
    machine = Machine(pipeline)

    def mean(present: NDArray[np.bool_]) -> Floats:
        decisions = decisions_of_sums(machine, *split(present))
        return _sigmoid(machine.slope * decisions + machine.shift).mean(axis=1)

    return mean


def _of_logistic(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    weights, offset = logistic_weights(pipeline)
    split = sums_of_shares(X, background, groups, weights[:, None], np.array([offset]))

    def mean(present: NDArray[np.bool_]) -> Floats:
        p, q = split(present)
        return _sigmoid(p + q.T).mean(axis=1)

    return mean


def _of_any(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    """Mix the rows themselves, behind the steps that take each column by itself."""
    *first, last = pipeline.named_steps
    group = np.empty(X.shape[1], dtype=np.intp)
    for number, columns in enumerate(groups.values()):
        group[columns] = number
    model = pipeline
    if set(first) <= COLUMN_BY_COLUMN:
        model = pipeline.named_steps[last]
        for step in (pipeline.named_steps[name] for name in first if name != "balance"):
            X, background = step.transform(X), step.transform(background)
            group = group[step.get_support()] if hasattr(step, "get_support") else group
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


def _sigmoid(values: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(values))

"""Shapley values of whole feature families, for any classifier, including an SVM."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
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
from benchmarks.importance.measured_cell import (
    SEED,
    SPLIT,
    MeasuredCell,
    Tables,
    ranked_rows,
)
from benchmarks.importance.shap_values import (
    PROBABILITY,
    Groups,
    Matrix,
    ShapValues,
    checked,
    mean_absolute,
    require_shap,
)

MOST_GROUPS = 8  # 2**8 coalitions
Mixture = Callable[[NDArray[np.bool_]], Floats]
BLOCK = 2000  # mixed rows that a model scores at once


def measure(cell: MeasuredCell) -> Tables:
    """Compute the mean absolute Shapley value of each family.

    Parameters
    ----------
    cell : MeasuredCell

    Returns
    -------
    dict of DataFrame
        ``importance``; no rows if the cell has a single family.
    """
    if not (groups := cell.groups("family")):
        return {"importance": pd.DataFrame()}
    chosen = cell.explained
    found = family_shap(cell.pipeline, cell.X[chosen], groups, cell.background)
    each = {name: np.array([at]) for at, name in enumerate(groups)}
    table = mean_absolute(found.values, each, cell.patient[chosen], cell.label[chosen], SEED)
    rows = table.assign(level="family", metric="mean_abs")
    return {"importance": ranked_rows([rows], "family_shap", SPLIT)}


def family_shap(pipeline: Any, X: Matrix, groups: Groups, background: Matrix) -> ShapValues:
    """Compute exact Shapley values of groups of columns, from all coalitions of the groups.

    The players are groups: all columns of an absent group take the values of a background image
    together. The values differ from the sums of the SHAP values of single columns.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    X : ndarray of shape (n, d)
        Images to explain.
    groups : dict of ndarray of int
        Columns of each of at most 8 groups. Every column is in exactly one group.
    background : ndarray of shape (m, d)
        Training images. Trees score n × m × 2^G rows; an SVM takes one matrix product per
        coalition.

    Returns
    -------
    ShapValues
        ``values`` has shape (n, G) and is in probability.

    Raises
    ------
    MissingExtra
        If shap is not installed.
    ValueError
        If there are more than 8 groups, if they do not hold every column once, or if the values
        do not add up to the pipeline's output.

    References
    ----------
    Lundberg SM, Lee SI. A unified approach to interpreting model predictions. NeurIPS 2017.
    doi:10.48550/arXiv.1705.07874

    Jullum M, Redelmeier A, Aas K. groupShapley: efficient prediction explanation with Shapley
    values for feature groups. 2021. doi:10.48550/arXiv.2106.12228

    Examples
    --------
    >>> from models import logistic
    >>> X, y = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 1.0], [3.0, 4.0]]), np.array([0, 0, 1, 1])
    >>> pipeline = logistic.build(seed=0, balance="none").fit(X, y)
    >>> found = family_shap(pipeline, X[2:], {"a": np.array([0]), "b": np.array([1])}, X)
    >>> bool((found.values[1] > 0).all()), found.values.shape, found.additivity < 1e-9
    (True, (2, 2), True)
    """
    if not 1 <= len(groups) <= MOST_GROUPS:
        raise ValueError(
            f"Got {len(groups)} groups, but expected 1 to {MOST_GROUPS}. Use the level family."
        )
    shap = require_shap()
    with threadpool_limits(1):
        mean = make_mixture(pipeline, X, background, groups)
        coalitions = itertools.product((False, True), repeat=len(groups))
        means = {present: mean(np.array(present)) for present in coalitions}
        output, level = (pipeline.predict_proba(rows)[:, 1] for rows in (X, background))
    known = shap.KernelExplainer(
        lambda asked: np.stack([means[tuple(row)] for row in asked.astype(bool)]),
        np.zeros((1, len(groups))),
    )
    values = known.shap_values(np.ones((1, len(groups))), l1_reg=False, silent=True)[0].T
    output = output.astype(np.float64)
    return checked(values, float(level.mean(dtype=np.float64)), output, PROBABILITY)


def make_mixture(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    """Return the fastest function that computes mean scores of mixtures of rows.

    A mixture of image i and background image b has the columns of the present groups from i, all
    others from b. If the pipeline begins with linear steps, the contribution of each group to them
    is computed once.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    X : ndarray of shape (n, d)
    background : ndarray of shape (m, d)
    groups : dict of ndarray of int
        Every column is in exactly one of the G groups.

    Returns
    -------
    function of an ndarray of shape (G,), bool
        Maps the presence of the groups to the probability of the positive class of each image,
        averaged over the background images, of shape (n,), float64.

    Raises
    ------
    ValueError
        If a column is in no group, or in more than one.

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
            "in all, but expected every column in exactly one group. Use the level family."
        )
    if step_types(pipeline) == SVM:
        return _of_svm(pipeline, X, background, groups)
    if step_types(pipeline) == LOGISTIC:
        return _of_logistic(pipeline, X, background, groups)
    return _of_any(pipeline, X, background, groups)


def _split_mixtures(
    X: Matrix, background: Matrix, groups: Groups, weights: Floats, offset: Floats
) -> Callable[[NDArray[np.bool_]], tuple[Floats, Floats]]:
    """Split mixtures after a linear map into the parts of the image and of the background image.

    Parameters
    ----------
    X, background : ndarrays of shape (n, d), (m, d)
    groups : dict of ndarray of int
    weights, offset : ndarrays of shape (d, k), (k,)

    Returns
    -------
    function of an ndarray of shape (G,), bool
        Maps the presence of the groups to p, of shape (n, k), and q, of shape (m, k):
        ``p[i] + q[b]`` is the mixture of i and b. The mean of ``q`` is 0.
    """
    here, there = LinearMap(X, weights, offset), LinearMap(background, weights, offset)
    own, other = (
        np.stack([linear.contribution(columns) for columns in groups.values()])
        for linear in (here, there)
    )
    mean = other.mean(axis=1, keepdims=True)
    centre = offset + mean.sum(axis=0)
    own -= mean
    other -= mean

    def split(present: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        return centre + own[present].sum(axis=0), other[~present].sum(axis=0)

    return split


def _of_svm(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    split = _split_mixtures(X, background, groups, *component_weights(pipeline))
    svm = FittedSvm(pipeline)

    def mean(present: NDArray[np.bool_]) -> Floats:
        odds = svm.log_odds(svm.decisions_of_sums(*split(present)))
        return np.asarray(expit(odds).mean(axis=1))

    return mean


def _of_logistic(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    weights, offset = logistic_weights(pipeline)
    split = _split_mixtures(X, background, groups, weights[:, None], np.array([offset]))

    def mean(present: NDArray[np.bool_]) -> Floats:
        p, q = split(present)
        return np.asarray(expit(p + q.T).mean(axis=1))

    return mean


def _of_any(pipeline: Any, X: Matrix, background: Matrix, groups: Groups) -> Mixture:
    """Mix the rows after the steps that transform each column separately."""
    group = np.empty(X.shape[1], dtype=np.intp)
    for number, columns in enumerate(groups.values()):
        group[columns] = number
    model, (X, background), place = skip_columnwise_steps(pipeline, X, background)
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

"""Shapley values of whole families of features: what SHAP can say of any classifier."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.importance.mixtures import Groups, Matrix, make_mixture
from benchmarks.importance.shap_values import PROBABILITY, ShapValues, checked, require_shap

MOST_GROUPS = 8  # 2**8 coalitions


def family_shap(pipeline: Any, X: Matrix, groups: Groups, background: Matrix) -> ShapValues:
    """Shapley values of whole groups of columns, of any classifier, from all coalitions of them.

    A group is a player: absent, all its columns are those of a background image together. This
    is another game than that of single columns, so its values are not the sums of theirs.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    X : ndarray of shape (n, d)
        Images to explain.
    groups : dict of ndarray of int
        Columns of each of at most 8 groups; every column is in one of them.
    background : ndarray of shape (m, d)
        Training images. Trees must score n × m × 2^G rows; an SVM takes one matrix product for
        each coalition.

    Returns
    -------
    ShapValues
        ``values`` has shape (n, G); in probability.

    Raises
    ------
    MissingExtra
        Without shap.
    ValueError
        If there are more groups, they don't hold every column once, or the values do not add up
        to the pipeline's output.

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
        raise ValueError(f"Got {len(groups)} groups, but expected 1 to {MOST_GROUPS}: families.")
    shap = require_shap()
    with threadpool_limits(1):
        mean = make_mixture(pipeline, X, background, groups)
        coalitions = itertools.product((False, True), repeat=len(groups))
        worth = {present: mean(np.array(present)) for present in coalitions}
        output, level = (pipeline.predict_proba(rows)[:, 1] for rows in (X, background))
    known = shap.KernelExplainer(
        lambda asked: np.stack([worth[tuple(row)] for row in asked.astype(bool)]),
        np.zeros((1, len(groups))),
    )
    values = known.shap_values(np.ones((1, len(groups))), l1_reg=False, silent=True)[0].T
    output = output.astype(np.float64)
    return checked(values, float(level.mean(dtype=np.float64)), output, PROBABILITY)

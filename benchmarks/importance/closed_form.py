"""Fitted SVM and logistic regression pipelines as closed-form functions of their columns."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.svm import rbf_kernel

Floats = NDArray[np.float64]
SVM = ("StandardScaler", "BoundedPca", "PlattScaled")  # types of the steps
LOGISTIC = ("StandardScaler", "LeanLogistic")
COLUMN_BY_COLUMN = {"select", "scale"}  # steps that combine no columns
LARGEST_EXPONENT = 300.0  # products of three exponentials stay far from overflow


def step_types(pipeline: Any) -> tuple[str, ...]:
    """List the class names of the steps of a pipeline, without resampling.

    Parameters
    ----------
    pipeline : pipeline

    Returns
    -------
    tuple of str
    """
    return tuple(type(step).__name__ for name, step in pipeline.steps if name != "balance")


class LinearMap:
    """Rows after a linear map, and the contribution of any group of columns to them.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    weights : ndarray of shape (d,) or (d, k)
    offset : float or ndarray of shape (k,)
    """

    def __init__(self, X: NDArray[np.floating], weights: Floats, offset: Floats | float) -> None:
        self.X, self.weights, self.offset = X, weights, offset

    @cached_property
    def rows(self) -> Floats:
        """Mapped rows, of shape (n,) or (n, k)."""
        return np.asarray(self.X.astype(np.float64) @ self.weights + self.offset)

    def contribution(self, columns: NDArray[np.intp]) -> Floats:
        """Compute what some columns add to ``rows``.

        Parameters
        ----------
        columns : ndarray of int

        Returns
        -------
        ndarray of shape (n,) or (n, k), float64
        """
        return np.asarray(self.X[:, columns].astype(np.float64) @ self.weights[columns])


class FittedSvm:
    """Decision values and probabilities of an SVM on principal components, by matrix products.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.svm.build``, of two classes
    """

    def __init__(self, pipeline: Any) -> None:
        classify = pipeline.named_steps["classify"]
        svc = classify.estimator_.named_steps["svc"]
        self.vectors = np.asarray(svc.support_vectors_, dtype=np.float64)
        self.weights = np.asarray(svc.dual_coef_[0], dtype=np.float64)
        self.intercept = float(svc.intercept_[0])
        self.gamma = float(svc._gamma)
        self.slope = float(classify.sigmoid_.coef_[0, 0])
        self.shift = float(classify.sigmoid_.intercept_[0])
        self._squares = (self.vectors**2).sum(axis=1)

    def kernel(self, rows: Floats) -> Floats:
        """Compute the kernel between rows and support vectors.

        Parameters
        ----------
        rows : ndarray of shape (n, k)

        Returns
        -------
        ndarray of shape (n, m), float64
        """
        return rbf_kernel(rows, self.vectors, self._squares, self.gamma)

    def decision(self, rows: Floats) -> Floats:
        """Compute decision values.

        Parameters
        ----------
        rows : ndarray of shape (n, k)

        Returns
        -------
        ndarray of shape (n,), float64
        """
        return np.asarray(self.kernel(rows) @ self.weights + self.intercept)

    def score(self, rows: Floats) -> Floats:
        """Compute probabilities of the positive class.

        Parameters
        ----------
        rows : ndarray of shape (n, k)

        Returns
        -------
        ndarray of shape (n,), float64
        """
        return np.asarray(expit(self.log_odds(self.decision(rows))))

    def log_odds(self, decisions: Floats) -> Floats:
        """Compute the log-odds of the positive class that the sigmoid assigns to decision values.

        Parameters
        ----------
        decisions : ndarray

        Returns
        -------
        ndarray of the same shape, float64
        """
        return np.asarray(self.slope * decisions + self.shift)

    def decisions_of_sums(self, p: Floats, q: Floats) -> Floats:
        """Compute decision values of all sums ``p[i] + q[b]``.

        ``exp(-γ|p+q-v|²)`` is a product of three exponentials, none of which depends on i, b and
        the support vector v together, so all n × m sums take one matrix product.

        Parameters
        ----------
        p, q : ndarrays of shape (n, k), (m, k)

        Returns
        -------
        ndarray of shape (n, m), float64
        """
        across = -2 * self.gamma * p @ q.T
        right = 2 * self.gamma * q @ self.vectors.T - self.gamma * (q**2).sum(axis=1)[:, None]
        if max(np.abs(across).max(), np.abs(right).max()) > LARGEST_EXPONENT:
            return np.stack([self.decision(p + row) for row in q], axis=1)
        left = self.kernel(p) * self.weights
        return np.asarray((left @ np.exp(right).T) * np.exp(across) + self.intercept)


def logistic_weights(pipeline: Any) -> tuple[Floats, float]:
    """Compute the weights of a logistic regression for unscaled columns.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.logistic.build``, of two classes

    Returns
    -------
    (ndarray of shape (d,), float)
        Weights and intercept.
    """
    scale, model = pipeline.named_steps["scale"], pipeline.named_steps["classify"]
    weights = np.asarray(model.coef_[0], dtype=np.float64) / scale.scale_
    return weights, float(model.intercept_[0] - scale.mean_ @ weights)


def component_weights(pipeline: Any) -> tuple[Floats, Floats]:
    """Compute the linear map from unscaled columns to the principal components of an SVM pipeline.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.svm.build``

    Returns
    -------
    (ndarray of shape (d, k), ndarray of shape (k,))
        Weights and offset.
    """
    scale, pca = pipeline.named_steps["scale"], pipeline.named_steps["reduce"].pca_
    components = np.asarray(pca.components_, dtype=np.float64)
    weights = (components / scale.scale_).T
    return weights, -(scale.mean_ @ weights) - components @ pca.mean_


class NoGradientError(ValueError):
    """A classifier has no gradient, such as trees, or none in closed form."""


def log_odds_gradient(pipeline: Any, row: NDArray[np.floating]) -> Floats:
    """Compute the gradient of the log-odds of the positive class by the columns, at one row.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    row : ndarray of shape (d,)

    Returns
    -------
    ndarray of shape (d,), float64
        For logistic regression, the weights, which are the same for every row. For an SVM, the
        slope of its sigmoid times the gradient of its decision value.

    Raises
    ------
    NoGradientError
        If the pipeline ends in another classifier.
    """
    if step_types(pipeline) == LOGISTIC:
        return logistic_weights(pipeline)[0]
    if step_types(pipeline) == SVM:
        weights, offset = component_weights(pipeline)
        place = row.astype(np.float64) @ weights + offset
        svm = FittedSvm(pipeline)
        pull = svm.kernel(place[None])[0] * svm.weights
        towards = svm.vectors.T @ pull - pull.sum() * place
        return np.asarray(weights @ (2 * svm.gamma * svm.slope * towards))
    kind = type(pipeline.named_steps["classify"]).__name__
    raise NoGradientError(
        f"Got a pipeline that ends in {kind}, but expected logistic regression or an SVM: "
        "there is no gradient of other classifiers."
    )


def skip_columnwise_steps(
    pipeline: Any, *matrices: NDArray[np.floating]
) -> tuple[Any, list[NDArray[np.floating]], NDArray[np.intp]]:
    """Apply the first steps of a pipeline, if each of them transforms every column separately.

    Parameters
    ----------
    pipeline : fitted pipeline
    *matrices : ndarrays of shape (n, d)

    Returns
    -------
    model : fitted estimator
        The last step, or the whole pipeline if a step before it combines columns.
    matrices : list of ndarray
        Input of that model.
    place : ndarray of shape (d,), int
        Position of each column in its input; -1 for columns that are dropped.
    """
    place, rows = np.arange(matrices[0].shape[1]), list(matrices)
    *first, last = (name for name in pipeline.named_steps if name != "balance")
    if not set(first) <= COLUMN_BY_COLUMN:
        return pipeline, rows, place
    for step in (pipeline.named_steps[name] for name in first):
        rows = [step.transform(matrix) for matrix in rows]
        if hasattr(step, "get_support"):
            kept = step.get_support()
            place = np.where(kept, np.cumsum(kept) - 1, -1)
    return pipeline.named_steps[last], rows, place

"""Logistic regression: the linear probe that papers report."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import validate_data

from models.balance import Balancer, class_weight
from models.declaration import Declaration

HYPERPARAMETERS: dict[str, Any] = {
    "scaling": "zero mean, unit variance",
    "penalty": "L2", "C": 0.01, "max_iter": 2000, "tolerance": 1e-6,
}  # fmt: skip
GRID = {"classify__C": [0.0001, 0.001, 0.01, 0.1, 1.0]}
DECLARATION = Declaration(
    title="logistic regression",
    methods="logistic regression on standardised features",
    references={
        "liu1989": {
            "kind": "article", "authors": "Liu, D. C. and Nocedal, J.",
            "title": "On the limited memory BFGS method for large scale optimization",
            "year": 1989, "venue": "Mathematical Programming", "volume": "45",
            "pages": "503-528", "doi": "10.1007/BF01589116",
            "what": "Fitting of logistic regression",
        },
    },
    in_default_run=True,
    class_weight=True,
    structure="linear",
    trusted_types=("models.logistic.LeanLogistic",),
)  # fmt: skip
CORRECTIONS = 30  # L-BFGS's memory; with SciPy's 10 it needs a third more passes over the rows


class LeanLogistic(LogisticRegression):
    """L2-penalised logistic regression on float32 rows, without a copy of them.

    With more than two classes it is multinomial: one softmax over all of them.

    Products with the rows are made in float32; the loss, its gradient and the coefficients are
    float64. scikit-learn keeps all in the rows' type: in float32 it then stops early, at a point
    that the last bit of a feature moves, and in float64 it needs a copy of twice the size. Fitted
    attributes and prediction are scikit-learn's.

    Parameters
    ----------
    C, tol, max_iter, class_weight
        As in ``LogisticRegression``; ``tol`` bounds the gradient of the mean loss. Its other
        parameters are not used.

    Examples
    --------
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]], np.float32)
    >>> LeanLogistic(C=1.0).fit(X, [0, 0, 1, 1]).predict(X).tolist()
    [0, 0, 1, 1]
    """

    def fit(
        self, X: NDArray[np.floating], y: NDArray[np.integer], sample_weight: object = None
    ) -> LeanLogistic:
        """Fit.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64
        y : ndarray of shape (n,), two or more labels
        sample_weight : ndarray of shape (n,), optional
            Multiplied by the class's weight.

        Raises
        ------
        ValueError
            If there is but one label, or the solver did not converge.
        """
        X, y = validate_data(self, X, y, dtype=(np.float32, np.float64))
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Got labels {self.classes_.tolist()}, but logistic regression needs two or more."
            )
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        weight = weight * compute_sample_weight(self.class_weight, y)
        if len(self.classes_) == 2:
            loss, functions = penalised_loss, 1
            target = (y == self.classes_[1]).astype(float)
        else:
            loss, functions = penalised_softmax_loss, len(self.classes_)
            target = (y[:, None] == self.classes_).astype(float)
        solution = minimize(
            loss,
            np.zeros(functions * (X.shape[1] + 1)),
            args=(X, target, weight, self.C),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": self.max_iter, "maxcor": CORRECTIONS, "maxls": 50,
                "gtol": self.tol, "ftol": 0.0,
            },
        )  # fmt: skip
        if solution.nit >= self.max_iter:
            raise ValueError(
                f"Logistic regression did not converge in {self.max_iter} iterations. Expected "
                "standardised columns; use a smaller C or a larger max_iter."
            )
        found = solution.x.reshape(functions, -1)
        self.coef_ = found[:, :-1]
        self.intercept_ = found[:, -1]
        self.n_iter_ = np.array([solution.nit], dtype=np.int32)
        return self


def penalised_loss(
    coefficients: NDArray[np.float64],
    X: NDArray[np.floating],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    C: float,
) -> tuple[float, NDArray[np.float64]]:
    """Mean logistic loss with an L2 penalty, and its gradient.

    Parameters
    ----------
    coefficients : ndarray of shape (d + 1,)
        Of the columns, then the intercept, which is not penalised.
    X : ndarray of shape (n, d)
    target : ndarray of shape (n,), 0 or 1
    weight : ndarray of shape (n,)
    C : float
        Inverse strength of the penalty, as in scikit-learn.

    Returns
    -------
    float, ndarray of shape (d + 1,)

    Examples
    --------
    >>> X, y = np.array([[1.0], [3.0]]), np.array([0.0, 1.0])
    >>> loss, gradient = penalised_loss(np.zeros(2), X, y, np.ones(2), C=1.0)
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [-0.5, 0.0])
    """
    w, total = coefficients[:-1], weight.sum()
    z = (X @ w.astype(X.dtype)).astype(np.float64) + coefficients[-1]
    residual = weight * (expit(z) - target) / total
    gradient = np.append(residual.astype(X.dtype) @ X, 0.0)
    gradient[:-1] += w / (C * total)
    gradient[-1] = residual.sum()
    loss = weight @ (np.logaddexp(0.0, z) - target * z) / total + w @ w / (2 * C * total)
    return float(loss), gradient


def penalised_softmax_loss(
    coefficients: NDArray[np.float64],
    X: NDArray[np.floating],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    C: float,
) -> tuple[float, NDArray[np.float64]]:
    """Mean multinomial loss of k classes with an L2 penalty, and its gradient.

    Parameters
    ----------
    coefficients : ndarray of shape (k * (d + 1),)
        Class by class: of the columns, then the intercept, which is not penalised.
    X : ndarray of shape (n, d)
    target : ndarray of shape (n, k)
        1 at each row's class, else 0.
    weight : ndarray of shape (n,)
    C : float
        Inverse strength of the penalty, as in scikit-learn.

    Returns
    -------
    float, ndarray of shape (k * (d + 1),)

    Examples
    --------
    >>> X, y = np.array([[1.0], [2.0], [6.0]]), np.eye(3)
    >>> loss, gradient = penalised_softmax_loss(np.zeros(6), X, y, np.ones(3), C=1.0)
    >>> round(loss, 4), (9 * gradient[::2]).round(9).tolist()
    (1.0986, [6.0, 3.0, -9.0])
    """
    wide, total = coefficients.reshape(target.shape[1], -1), weight.sum()
    w = wide[:, :-1]
    z = (X @ w.T.astype(X.dtype)).astype(np.float64) + wide[:, -1]
    logarithm = log_softmax(z, axis=1)
    residual = weight[:, None] * (np.exp(logarithm) - target) / total
    gradient = np.empty_like(wide)
    gradient[:, :-1] = residual.T.astype(X.dtype) @ X + w / (C * total)
    gradient[:, -1] = residual.sum(axis=0)
    loss = -(weight @ (target * logarithm).sum(axis=1)) / total + (w**2).sum() / (2 * C * total)
    return float(loss), gradient.ravel()


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Unfitted logistic pipeline: scale, resample, logistic regression.

    Parameters
    ----------
    seed : int
    balance : str
        A key of ``models.balance.BALANCES``.
    n_jobs : int or None
        Unused.

    Returns
    -------
    imblearn.pipeline.Pipeline

    References
    ----------
    Alain G, Bengio Y. Understanding intermediate layers using linear classifier probes. 2016.
    doi:10.48550/arXiv.1610.01644

    Liu DC, Nocedal J. On the limited memory BFGS method for large scale optimization.
    Mathematical Programming 1989;45:503-528. doi:10.1007/BF01589116
    """
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("balance", Balancer(balance, seed)),
            (
                "classify",
                LeanLogistic(
                    C=HYPERPARAMETERS["C"],
                    max_iter=HYPERPARAMETERS["max_iter"],
                    tol=HYPERPARAMETERS["tolerance"],
                    class_weight=class_weight(balance),
                ),
            ),
        ]
    )

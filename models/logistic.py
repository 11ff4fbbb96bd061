"""Logistic regression, the usual linear probe."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
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
    description="logistic regression on standardised features",
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
CORRECTIONS = 30  # L-BFGS's memory; SciPy's default of 10 needs a third more iterations
BLOCK = 2**18  # values converted to float64 at a time: 2 MiB stay in the processor's cache


class LeanLogistic(LogisticRegression):
    """L2-penalised logistic regression that fits float32 rows in float64 without copying them.

    scikit-learn computes in the type of the rows: in float32 its solver stops before it converges,
    and in float64 it needs a copy of twice the size and more time. This class differs in ``fit``
    only, and minimises the same function. With more than two classes that is the multinomial
    loss. Of scikit-learn's parameters it uses ``C``, ``tol`` (largest element of the gradient of
    the mean penalised loss), ``max_iter`` and ``class_weight``.

    References
    ----------
    Liu DC, Nocedal J. On the limited memory BFGS method for large scale optimization.
    Mathematical Programming 1989;45:503-528. doi:10.1007/BF01589116

    Examples
    --------
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]], np.float32)
    >>> LeanLogistic(C=1.0).fit(X, [0, 0, 1, 1]).predict(X).tolist()
    [0, 0, 1, 1]
    """

    def fit(
        self, X: NDArray[np.floating], y: NDArray[Any], sample_weight: object = None
    ) -> LeanLogistic:
        """Fit the coefficients.

        Parameters
        ----------
        X : ndarray of shape (n, d), float32 or float64
            Feature rows.
        y : ndarray of shape (n,)
            Labels of two or more classes.
        sample_weight : ndarray of shape (n,), optional
            Weights of the rows; multiplied by the class weights.

        Returns
        -------
        LeanLogistic
            Itself.

        Raises
        ------
        ValueError
            If there is only one class, or the solver stops before it reaches ``tol``.
        """
        X, y = validate_data(self, X, y, dtype=(np.float32, np.float64))
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(
                f"Got labels {self.classes_.tolist()}, but logistic regression needs two or more."
            )
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        weight = weight * compute_sample_weight(self.class_weight, y)
        functions = len(self.classes_) if len(self.classes_) > 2 else 1
        solution = minimize(
            penalised_loss,
            np.zeros(functions * (X.shape[1] + 1)),
            args=(X, (y[:, None] == self.classes_).astype(float), weight, self.C),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": self.max_iter, "maxcor": CORRECTIONS, "maxls": 50,
                "gtol": self.tol, "ftol": 0.0,
            },
        )  # fmt: skip
        reached = np.abs(solution.jac).max()
        if not reached <= self.tol:
            raise ValueError(
                f"Logistic regression stopped after {solution.nit} iterations at a gradient of "
                f"{reached:.2g}, but expected at most {self.tol:g} ({solution.message}). Use "
                "standardised columns, a smaller C or a larger max_iter."
            )
        found = solution.x.reshape(functions, -1)
        self.coef_, self.intercept_ = found[:, :-1], found[:, -1]
        self.n_iter_ = np.array([solution.nit], dtype=np.int32)
        return self


def penalised_loss(
    coefficients: NDArray[np.float64],
    X: NDArray[np.floating],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    C: float,
) -> tuple[float, NDArray[np.float64]]:
    """Compute the mean logistic loss with an L2 penalty, and its gradient, in float64.

    Parameters
    ----------
    coefficients : ndarray of shape (d + 1,), or (k * (d + 1),) for k > 2 classes
        Of each linear function: the coefficients of the columns, then the intercept, which is not
        penalised. Two classes need one function, that of the second class.
    X : ndarray of shape (n, d)
        Feature rows.
    target : ndarray of shape (n, k)
        1 at each row's class, else 0.
    weight : ndarray of shape (n,)
        Weights of the rows.
    C : float
        Inverse strength of the penalty, as in scikit-learn.

    Returns
    -------
    loss : float
        Mean loss plus penalty.
    gradient : ndarray of the shape of ``coefficients``
        Its derivative.

    Examples
    --------
    >>> X, target = np.array([[1.0], [3.0]]), np.eye(2)
    >>> loss, gradient = penalised_loss(np.zeros(2), X, target, np.ones(2), C=1.0)
    >>> round(loss, 4), gradient.tolist()
    (0.6931, [-0.5, 0.0])
    """
    wide, share = coefficients.reshape(-1, X.shape[1] + 1), weight[:, None] / weight.sum()
    w, strength = wide[:, :-1], 1 / (C * weight.sum())
    gradient = np.hstack([strength * w, np.zeros((len(wide), 1))])
    loss = strength * (w**2).sum() / 2
    n_rows = max(BLOCK // X.shape[1], 1)
    for start in range(0, len(X), n_rows):
        rows = slice(start, start + n_rows)
        block = X[rows].astype(np.float64)
        z = block @ w.T + wide[:, -1]
        if len(wide) == 1:
            z = np.hstack([np.zeros_like(z), z])
        logarithm = log_softmax(z, axis=1)
        loss -= (share[rows] * target[rows] * logarithm).sum()
        residual = (share[rows] * (np.exp(logarithm) - target[rows]))[:, -len(wide) :]
        gradient[:, :-1] += residual.T @ block
        gradient[:, -1] += residual.sum(axis=0)
    return float(loss), gradient.ravel()


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Build an unfitted pipeline: scale, resample, logistic regression.

    Parameters
    ----------
    seed : int
        Random seed of resampling.
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

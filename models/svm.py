"""Support vector machine with an RBF kernel on principal components of standardised columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from models.accelerate import fit_svm, svm_engine
from models.balance import Balancer, class_weight
from models.declaration import Declaration
from models.platt import FOLDS, PlattScaled
from models.reduce import BoundedPca

HYPERPARAMETERS: dict[str, Any] = {
    "scaling": "zero mean, unit variance", "principal_components": 200,
    "kernel": "rbf", "C": 1.0, "gamma": "scale", "sigmoid_folds": FOLDS,
}  # fmt: skip
GRID = {
    "classify__estimator__svc__C": [0.3, 1.0, 3.0, 10.0],
    "classify__estimator__svc__gamma": ["scale", 0.001],
}
DECLARATION = Declaration(
    title="support vector machine",
    description="a support vector machine with a radial kernel ({cortes1995}) on principal "
    "components of standardised features, its scores turned into probabilities by a sigmoid "
    "({platt1999}), fitted on held-out training patients",
    references={
        "cortes1995": {
            "kind": "article", "authors": "Cortes, C. and Vapnik, V.",
            "title": "Support-vector networks", "year": 1995, "venue": "Machine Learning",
            "volume": "20", "pages": "273-297", "doi": "10.1007/BF00994018",
            "what": "Support vector machine",
        },
        "platt1999": {
            "kind": "incollection", "authors": "Platt, J.",
            "title": "Probabilistic outputs for support vector machines and comparisons to "
            "regularized likelihood methods",
            "year": 1999, "venue": "Advances in Large Margin Classifiers", "pages": "61-74",
            "publisher": "MIT Press", "url": "https://mitpress.mit.edu/9780262194488/",
            "what": "Sigmoid calibration",
        },
        "halko2011": {
            "kind": "article", "authors": "Halko, N. and Martinsson, P. G. and Tropp, J. A.",
            "title": "Finding structure with randomness: probabilistic algorithms for "
            "constructing approximate matrix decompositions",
            "year": 2011, "venue": "SIAM Review", "volume": "53", "pages": "217-288",
            "doi": "10.1137/090771806", "what": "Principal components",
        },
    },
    in_default_run=True,
    class_weight=True,
    trusted_types=(
        "models.platt.PlattScaled",
        "models.reduce.BoundedPca",
        "models.svm.SupportVectors",
    ),
    engine=svm_engine,
)  # fmt: skip

KERNEL_VALUES = 2**22  # at once: 32 MB


class SupportVectors(SVC):
    """SVC of scikit-learn that oneDAL fits, if it is installed, and that predicts faster.

    Once fitted it holds what libsvm would have found, up to the tolerance, and nothing of oneDAL.
    Decision values are matrix products, which take a fifth to a tenth of libsvm's time. All this
    holds for an RBF kernel and two classes; otherwise it is scikit-learn's class.
    """

    # scikit-learn calls the two methods below after it has checked the arguments.

    def _dense_fit(
        self, X: NDArray[np.float64], y: NDArray[np.float64], weight: Any, *args: Any, **kwargs: Any
    ) -> None:
        found = None
        if self._is_rbf_of_two_classes() and self.max_iter == -1 and len(weight) == 0:
            found = fit_svm(X, y, self.C, self._gamma, self.tol, self.class_weight_)
        if found is None:
            super()._dense_fit(X, y, weight, *args, **kwargs)
        else:
            self.support_, coefficients, intercept, iterations = found
            self.support_vectors_ = X[self.support_]
            of_1 = np.count_nonzero(y[self.support_])
            self._n_support = np.array([len(self.support_) - of_1, of_1], dtype=np.int32)
            # libsvm has the opposite signs, which scikit-learn turns
            self.dual_coef_, self.intercept_ = -coefficients[None], np.array([-intercept])
            self._probA = self._probB = np.empty(0)
            self.fit_status_, self._num_iter = 0, np.array([iterations], dtype=np.int32)
        self.squares_ = (self.support_vectors_**2).sum(axis=1)

    def _dense_decision_function(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._is_rbf_of_two_classes():
            return np.asarray(super()._dense_decision_function(X))
        height = max(1, KERNEL_VALUES // len(self.support_vectors_))
        blocks = (X[start : start + height] for start in range(0, len(X), height))
        values = [
            rbf_kernel(rows, self.support_vectors_, self.squares_, self._gamma) @ self.dual_coef_[0]
            for rows in blocks
        ]
        return -(np.concatenate(values) + self.intercept_[0])[:, None]

    def _is_rbf_of_two_classes(self) -> bool:
        return bool(self.kernel == "rbf" and len(self.classes_) == 2)


def rbf_kernel(
    rows: NDArray[np.float64],
    vectors: NDArray[np.float64],
    squares: NDArray[np.float64],
    gamma: float,
) -> NDArray[np.float64]:
    """Compute the kernel between rows and support vectors.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    vectors : ndarray of shape (m, d)
    squares : ndarray of shape (m,)
        Squared length of each support vector.
    gamma : float

    Returns
    -------
    ndarray of shape (n, m), float64

    Examples
    --------
    >>> rbf_kernel(np.array([[1.0], [3.0]]), np.array([[1.0]]), np.array([1.0]), 0.5).round(3)
    array([[1.   ],
           [0.135]])
    """
    kernel = rows @ vectors.T
    kernel *= 2 * gamma
    kernel -= gamma * squares
    kernel -= gamma * (rows**2).sum(axis=1)[:, None]
    return np.asarray(np.exp(kernel, out=kernel))


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Build an unfitted SVM pipeline: scale, PCA to 200, resample, SVC, Platt's sigmoid.

    Parameters
    ----------
    seed : int
        Random seed of PCA, resampling and the folds of the sigmoid.
    balance : str
        A key of ``models.balance.BALANCES``.
    n_jobs : int or None
        Unused: the SVM has one thread.

    Returns
    -------
    imblearn.pipeline.Pipeline
        Call ``fit(X, y, classify__groups=patients)``. Resampling is inside ``classify``, so the
        sigmoid is never fitted on synthetic rows.

    References
    ----------
    Cortes C, Vapnik V. Support-vector networks. Machine Learning 1995;20:273-297.
    doi:10.1007/BF00994018
    """
    machine = Pipeline(
        [
            ("balance", Balancer(balance, seed)),
            (
                "svc",
                SupportVectors(
                    cache_size=1000,
                    class_weight=class_weight(balance),
                    **{name: HYPERPARAMETERS[name] for name in ("kernel", "C", "gamma")},
                ),
            ),
        ]
    )
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("reduce", BoundedPca(HYPERPARAMETERS["principal_components"], seed)),
            ("classify", PlattScaled(machine, balanced=balance != "none", seed=seed)),
        ]
    )

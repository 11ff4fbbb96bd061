"""Support vector machine with an RBF kernel on principal components of standardised columns."""

from __future__ import annotations

from typing import Any

from imblearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

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
    trusted_types=("models.platt.PlattScaled", "models.reduce.BoundedPca"),
)  # fmt: skip


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Build an unfitted SVM pipeline: scale, PCA to 200, resample, SVC, Platt's sigmoid.

    Parameters
    ----------
    seed : int
        Random seed of PCA, resampling and the folds of the sigmoid.
    balance : str
        A key of ``models.balance.BALANCES``.
    n_jobs : int or None
        Unused: libsvm has one thread.

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
                SVC(
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

"""Random forest."""

from __future__ import annotations

from imblearn.pipeline import Pipeline
from sklearn.ensemble import RandomForestClassifier

from models.balance import Balancer, class_weight

HYPERPARAMETERS = {"n_estimators": 300, "max_features": "sqrt", "min_samples_leaf": 1}
GRID = {"classify__min_samples_leaf": [1, 3, 8], "classify__max_features": ["sqrt", 0.05]}


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Unfitted forest pipeline: resample, 300 trees.

    Parameters
    ----------
    seed : int
    balance : str
        A key of ``models.balance.BALANCES``.
    n_jobs : int or None
        Threads; they don't change the numbers.

    Returns
    -------
    imblearn.pipeline.Pipeline

    References
    ----------
    Breiman L. Random forests. Machine Learning 2001;45:5-32. doi:10.1023/A:1010933404324
    """
    return Pipeline(
        [
            ("balance", Balancer(balance, seed)),
            (
                "classify",
                RandomForestClassifier(
                    random_state=seed,
                    n_jobs=n_jobs,
                    class_weight=class_weight(balance),
                    **HYPERPARAMETERS,
                ),
            ),
        ]
    )

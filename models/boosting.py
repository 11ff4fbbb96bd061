"""Gradient-boosted trees (XGBoost, histogram method)."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier

from models.balance import Balancer, class_weight

HYPERPARAMETERS: dict[str, Any] = {
    "tree_method": "hist",
    "n_estimators": 300, "max_depth": 5, "learning_rate": 0.1, "subsample": 0.8,
    "colsample_bytree": 0.3, "max_bin": 64,
}  # fmt: skip
GRID = {"classify__max_depth": [3, 5, 7], "classify__learning_rate": [0.05, 0.1]}


class WeightedXgb(XGBClassifier):
    """XGBClassifier with scikit-learn's ``class_weight``."""

    def __init__(self, class_weight: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_weight = class_weight

    def get_xgb_params(self) -> dict[str, Any]:
        """Return the parameters that the library knows."""
        params: dict[str, Any] = super().get_xgb_params()
        params.pop("class_weight", None)
        return params

    def fit(self, X: NDArray[np.floating], y: NDArray[np.integer], **kwargs: Any) -> WeightedXgb:
        """Fit with rows weighted by class; see ``XGBClassifier.fit``."""
        if self.class_weight is not None:
            kwargs["sample_weight"] = compute_sample_weight(self.class_weight, y)
        super().fit(X, y, **kwargs)
        return self


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Unfitted XGBoost pipeline: resample, 300 trees of depth 5.

    Parameters
    ----------
    seed : int
    balance : str
        A key of ``models.balance.BALANCES``.
    n_jobs : int or None
        Threads.

    Returns
    -------
    imblearn.pipeline.Pipeline

    References
    ----------
    Chen T, Guestrin C. XGBoost: a scalable tree boosting system. KDD 2016.
    doi:10.1145/2939672.2939785
    """
    return Pipeline(
        [
            ("balance", Balancer(balance, seed)),
            (
                "classify",
                WeightedXgb(
                    class_weight=class_weight(balance),
                    random_state=seed,
                    n_jobs=n_jobs,
                    **HYPERPARAMETERS,
                ),
            ),
        ]
    )

"""Gradient-boosted trees (XGBoost, histogram method)."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier

from models.balance import Balancer, class_weight
from models.declaration import Declaration
from models.select import BestColumns

HYPERPARAMETERS: dict[str, Any] = {
    "columns_of_largest_F": 2000, "scaling": "zero mean, unit variance", "tree_method": "hist",
    "n_estimators": 300, "max_depth": 4, "learning_rate": 0.1, "subsample": 0.8,
    "colsample_bytree": 0.1, "max_bin": 32,
}  # fmt: skip
GRID = {"classify__max_depth": [2, 4, 6], "classify__learning_rate": [0.05, 0.1]}
DECLARATION = Declaration(
    title="XGBoost",
    description="gradient-boosted trees (XGBoost; {chen2016})",
    references={
        "chen2016": {
            "kind": "inproceedings", "authors": "Chen, T. and Guestrin, C.",
            "title": "XGBoost: a scalable tree boosting system", "year": 2016,
            "venue": "ACM SIGKDD International Conference on Knowledge Discovery and Data Mining",
            "pages": "785-794", "doi": "10.1145/2939672.2939785", "what": "Gradient boosting",
        },
    },
    in_default_run=True,
    class_weight=True,
    rows_at_once=None,
    structure="trees",
    built_in_importance="gain",
    trusted_types=("models.boosting.WeightedXgb", "models.select.BestColumns"),
    libraries=("xgboost",),
)  # fmt: skip
_OF_OTHER_STEPS = ("scaling", "columns_of_largest_F")


class WeightedXgb(XGBClassifier):
    """XGBClassifier with scikit-learn's ``class_weight``.

    Parameters
    ----------
    class_weight : {"balanced", None}
        Weight of each class, as in scikit-learn.
    **kwargs : dict
        Parameters of ``XGBClassifier``.
    """

    def __init__(self, class_weight: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.class_weight = class_weight

    def get_xgb_params(self) -> dict[str, Any]:
        """Return the parameters that XGBoost knows."""
        params: dict[str, Any] = super().get_xgb_params()
        params.pop("class_weight", None)
        return params

    def fit(self, X: NDArray[np.floating], y: NDArray[np.integer], **kwargs: Any) -> WeightedXgb:
        """Fit with rows weighted by class.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Feature rows.
        y : ndarray of shape (n,), int
            Labels.
        **kwargs : dict
            Passed to ``XGBClassifier.fit``.

        Returns
        -------
        WeightedXgb
            Itself.
        """
        if self.class_weight is not None:
            kwargs["sample_weight"] = compute_sample_weight(self.class_weight, y)
        super().fit(X, y, **kwargs)
        return self


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Build an unfitted XGBoost pipeline: select columns, scale, resample, 300 trees of depth 4.

    Scaling affects only the neighbours used in resampling, not the trees. Columns are selected
    first because XGBoost builds histograms of all columns, whatever ``colsample_bytree`` is.

    Parameters
    ----------
    seed : int
        Random seed of resampling and trees.
    balance : str
        A key of ``models.balance.BALANCES``.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    imblearn.pipeline.Pipeline

    References
    ----------
    Chen T, Guestrin C. XGBoost: a scalable tree boosting system. KDD 2016.
    doi:10.1145/2939672.2939785
    """
    settings = {k: value for k, value in HYPERPARAMETERS.items() if k not in _OF_OTHER_STEPS}
    return Pipeline(
        [
            ("select", BestColumns(HYPERPARAMETERS["columns_of_largest_F"])),
            ("scale", StandardScaler()),
            ("balance", Balancer(balance, seed)),
            (
                "classify",
                WeightedXgb(
                    class_weight=class_weight(balance),
                    random_state=seed,
                    n_jobs=n_jobs,
                    **settings,
                ),
            ),
        ]
    )

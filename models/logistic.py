"""Logistic regression: the linear probe that papers report."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from models.balance import Balancer, class_weight

HYPERPARAMETERS: dict[str, Any] = {
    "scaling": "zero mean, unit variance", "penalty": "L2", "C": 0.01, "max_iter": 2000,
}  # fmt: skip
GRID = {"classify__C": [0.0001, 0.001, 0.01, 0.1, 1.0]}


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Unfitted logistic pipeline: scale, resample, L2-penalised logistic regression.

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
    """
    return Pipeline(
        [
            # In float32 the solver stops early, at a point that the last bit of a feature moves.
            ("double", FunctionTransformer(np.asarray, kw_args={"dtype": np.float64})),
            ("scale", StandardScaler()),
            ("balance", Balancer(balance, seed)),
            (
                "classify",
                LogisticRegression(
                    C=HYPERPARAMETERS["C"],
                    max_iter=HYPERPARAMETERS["max_iter"],
                    random_state=seed,
                    class_weight=class_weight(balance),
                ),
            ),
        ]
    )

"""K nearest neighbours, a made-up classifier."""

from __future__ import annotations

from typing import Any

from imblearn.pipeline import Pipeline
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from models.balance import Balancer
from models.declaration import Declaration

HYPERPARAMETERS: dict[str, Any] = {"n_neighbors": 7}
GRID = {"classify__n_neighbors": [3, 7, 15]}
DECLARATION = Declaration(
    title="k nearest neighbours",
    references={
        "cover1967": {
            "kind": "article", "authors": "Cover, T. and Hart, P.",
            "title": "Nearest neighbor pattern classification", "year": 1967,
            "venue": "IEEE Transactions on Information Theory", "volume": "13",
            "pages": "21-27", "doi": "10.1109/TIT.1967.1053964", "what": "Nearest neighbours",
        }
    },
    trusted_types=(
        "sklearn.neighbors._classification.KNeighborsClassifier",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
    ),
)  # fmt: skip


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    steps = [
        ("scale", StandardScaler()),
        ("balance", Balancer(balance, seed)),
        ("classify", KNeighborsClassifier(**HYPERPARAMETERS)),
    ]
    return Pipeline(steps)

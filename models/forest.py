"""Random forest."""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import validate_data

from models.accelerate import forest_engine, grow_trees
from models.balance import Balancer, class_weight
from models.declaration import Declaration
from models.select import BestColumns

HYPERPARAMETERS: dict[str, Any] = {
    "columns_of_largest_F": 2000, "scaling": "zero mean, unit variance",
    "n_estimators": 200, "max_features": "sqrt", "min_samples_leaf": 1,
}  # fmt: skip
GRID = {"classify__max_features": ["sqrt", 0.05], "classify__max_samples": [None, 0.5]}
_TO_PURE_LEAVES = {
    "criterion": "gini", "max_depth": None, "min_samples_split": 2, "min_samples_leaf": 1,
    "min_weight_fraction_leaf": 0.0, "max_leaf_nodes": None, "min_impurity_decrease": 0.0,
    "ccp_alpha": 0.0, "class_weight": None, "bootstrap": True, "oob_score": False,
    "warm_start": False, "monotonic_cst": None,
}  # fmt: skip
DECLARATION = Declaration(
    title="random forest",
    description="a random forest ({breiman2001})",
    references={
        "breiman2001": {
            "kind": "article", "authors": "Breiman, L.", "title": "Random forests", "year": 2001,
            "venue": "Machine Learning", "volume": "45", "pages": "5-32",
            "doi": "10.1023/A:1010933404324", "what": "Random forest",
        },
    },
    in_default_run=True,
    class_weight=True,
    rows_at_once=None,
    structure="trees",
    built_in_importance="impurity",
    trusted_types=(
        "models.forest.Forest",
        "models.select.BestColumns",
        "sklearn.tree._tree.Tree",  # its nodes are checked after loading
    ),
    engine=forest_engine,
)  # fmt: skip


class Forest(RandomForestClassifier):
    """Random forest of scikit-learn whose trees oneDAL grows, if it is installed.

    Once fitted it holds scikit-learn trees and nothing of oneDAL: it predicts and is saved like
    any other random forest. Without oneDAL, or with settings for which oneDAL's trees can't be
    converted, scikit-learn grows the trees.
    """

    def fit(
        self, X: NDArray[np.floating], y: NDArray[np.integer], sample_weight: object = None
    ) -> Forest:
        """Fit the forest.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Feature rows.
        y : ndarray of shape (n,)
            Labels.
        sample_weight : ndarray of shape (n,), optional
            Weights of the rows; scikit-learn then grows the trees.

        Returns
        -------
        Forest
            Itself.
        """
        trees = None
        if sample_weight is None and self._grows_to_pure_leaves():
            self._validate_params()
            X, y = validate_data(self, X, y, dtype=np.float32)
            classes, codes = np.unique(y, return_inverse=True)
            names = ("n_estimators", "max_features", "max_samples", "random_state")
            parameters = {name: getattr(self, name) for name in names}
            if len(classes) > 1:
                trees = grow_trees(X, codes, self.n_jobs, **parameters)
        if trees is None:
            super().fit(X, y, sample_weight)
            return self
        self.classes_, self.n_classes_, self.n_outputs_ = classes, len(classes), 1
        self.estimator_, self.estimators_ = DecisionTreeClassifier(), trees
        return self

    def _grows_to_pure_leaves(self) -> bool:
        return all(getattr(self, name) == value for name, value in _TO_PURE_LEAVES.items())


def build(seed: int, balance: str, n_jobs: int | None = 1) -> Pipeline:
    """Build an unfitted random forest pipeline: select columns, scale, resample, 200 trees.

    Scaling affects only the neighbours used in resampling, not the trees.

    Parameters
    ----------
    seed : int
        Random seed of resampling and trees.
    balance : str
        A key of ``models.balance.BALANCES``.
    n_jobs : int or None
        Number of threads; the trees do not depend on it.

    Returns
    -------
    imblearn.pipeline.Pipeline

    References
    ----------
    Breiman L. Random forests. Machine Learning 2001;45:5-32. doi:10.1023/A:1010933404324
    """
    settings = ("n_estimators", "max_features", "min_samples_leaf")
    return Pipeline(
        [
            ("select", BestColumns(HYPERPARAMETERS["columns_of_largest_F"])),
            ("scale", StandardScaler()),
            ("balance", Balancer(balance, seed)),
            (
                "classify",
                Forest(
                    random_state=seed,
                    n_jobs=n_jobs,
                    class_weight=class_weight(balance),
                    **{name: HYPERPARAMETERS[name] for name in settings},
                ),
            ),
        ]
    )

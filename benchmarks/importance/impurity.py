"""Importances that tree models keep from their own fitting: reported because papers report them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from benchmarks.importance.shap_values import NotExplainable
from benchmarks.metrics.arrays import Floats


def impurity(pipeline: Any) -> Floats:
    """Share of each column in what the splits of all trees gained on the training rows.

    Biased, and given beside better methods only: a column of many distinct values is chosen for
    splits that help by chance, correlated columns share what each of them could give, and all is
    counted on training rows, so overfitted splits count in full (Strobl 2007).

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``

    Returns
    -------
    ndarray of shape (d,), float64, ≥ 0
        In the pipeline's own columns; the sum is 1, or 0 where no tree has a split. For a forest
        the mean decrease in Gini impurity, weighted by training rows and averaged over trees; for
        XGBoost the total gain, the decrease of its regularised loss summed over all splits on the
        column. 0 for columns that the pipeline drops. A group's share is the sum of its columns'.

    Raises
    ------
    NotExplainable
        If the pipeline ends in another model.

    References
    ----------
    Breiman L. Random forests. Machine Learning 2001;45:5-32. doi:10.1023/A:1010933404324

    Strobl C, Boulesteix AL, Zeileis A, Hothorn T. Bias in random forest variable importance
    measures. BMC Bioinformatics 2007;8:25. doi:10.1186/1471-2105-8-25

    Examples
    --------
    >>> from models import forest
    >>> X, y = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]), np.array([0, 0, 1, 1])
    >>> impurity(forest.build(seed=0, balance="none").fit(X, y)).tolist()
    [1.0, 0.0]
    """
    model = pipeline[-1]
    if isinstance(model, RandomForestClassifier):
        found = np.asarray(model.feature_importances_, dtype=np.float64)
    elif isinstance(model, XGBClassifier):
        found = _total_gain(model)
    else:
        raise NotExplainable(
            f"Got a {type(model).__name__}, but only forest and xgboost have an impurity "
            "importance. Use permutation_importance."
        )
    kept = pipeline.named_steps["select"].get_support()
    values = np.zeros(len(kept))
    values[kept] = found
    return values


def _total_gain(model: XGBClassifier) -> Floats:
    """Columns without a split are missing from XGBoost's own table: theirs is 0."""
    gains = np.zeros(model.n_features_in_)
    for name, gain in model.get_booster().get_score(importance_type="total_gain").items():
        gains[int(name.removeprefix("f"))] = gain
    total = gains.sum()
    return np.asarray(gains / total if total > 0 else gains)

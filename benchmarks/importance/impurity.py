"""Impurity importance of tree models: biased, but reported because many papers report it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier

from benchmarks.importance.groups import LEVELS
from benchmarks.importance.measured_cell import MeasuredCell, Tables, ranked_rows
from benchmarks.importance.shap_values import NotExplainable
from benchmarks.metrics.arrays import Floats
from models import declaration


def measure(cell: MeasuredCell) -> Tables:
    """Sum the impurity importance of columns over the groups of every level.

    Parameters
    ----------
    cell : MeasuredCell

    Returns
    -------
    dict of DataFrame
        ``importance``, with the method that the classifier declares (``impurity`` or ``gain``) and
        split ``train``; no rows if it declares none.
    """
    method = declaration(cell.cell.model).built_in_importance
    if method is None:
        return {"importance": pd.DataFrame()}
    values = impurity(cell.pipeline)
    parts = []
    for level in LEVELS:
        groups = cell.groups(level)
        sums = [values[columns].sum() for columns in groups.values()]
        table = pd.DataFrame({"group": list(groups), "value": sums})
        parts.append(table.assign(level=level, metric="sum", lo=np.nan, hi=np.nan))
    return {"importance": ranked_rows(parts, method, "train")}


def impurity(pipeline: Any) -> Floats:
    """Compute the fraction of the impurity decrease on training data that each column brings.

    This importance is biased and should be read beside better methods only. Columns with many
    distinct values are favoured, correlated columns divide their importance, and overfitted splits
    count in full because everything is computed on training data (Strobl 2007).

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``

    Returns
    -------
    ndarray of shape (d,), float64, ≥ 0
        For the columns of ``X``. They sum to 1, or to 0 if no tree has a split. For a random
        forest, the mean decrease in Gini impurity, weighted by training rows and averaged over
        trees. For XGBoost, the total gain: the decrease of its regularised loss, summed over all
        splits on the column. 0 for columns that the pipeline drops. The importance of a group is
        the sum over its columns.

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
            f"Got a {type(model).__name__}, but expected a random forest or XGBoost: only "
            "tree models have an impurity importance. Use permutation_importance."
        )
    kept = pipeline.named_steps["select"].get_support()
    values = np.zeros(len(kept))
    values[kept] = found
    return values


def _total_gain(model: XGBClassifier) -> Floats:
    """Return the gain of each column; XGBoost omits columns without a split."""
    gains = np.zeros(model.n_features_in_)
    for name, gain in model.get_booster().get_score(importance_type="total_gain").items():
        gains[int(name.removeprefix("f"))] = gain
    total = gains.sum()
    return np.asarray(gains / total if total > 0 else gains)

"""SHAP values of a fitted pipeline, for the named columns of its feature matrix.

All are interventional: an absent column takes the values of a background sample, whatever the
values of the columns that are present. They describe what the model uses, not what causes disease.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from benchmarks.importance.groups import LEVELS
from benchmarks.importance.measured_cell import (
    SEED,
    SPLIT,
    MeasuredCell,
    Tables,
    ranked_rows,
)
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import CONFIDENCE, PatientBootstrap
from features.backbone import MissingExtra

Matrix = NDArray[np.floating]
Groups = Mapping[str, NDArray[np.intp]]
PROBABILITY, LOG_ODDS = "probability", "log-odds"
BLOCK = 20  # rows
TOLERANCE = 1e-4  # relative to the largest value; float32 sums in XGBoost are 100 times closer
FEATURES_KEPT = 50  # single columns of largest mean |SHAP| that are listed
SWARM = 12  # columns whose values are listed for every explained image


class NotExplainable(ValueError):  # noqa: N818 - it says what the model is not
    """A method cannot explain this model; the message names a method that can."""


@dataclass(frozen=True)
class ShapValues:
    """Contribution of each column, or group of columns, to the output for each image.

    Attributes
    ----------
    values : ndarray of shape (n, d), float64
        In the order of the columns of ``X``, or of the groups. Positive values raise the output
        towards the positive class. Columns that the pipeline drops have 0.
    expected : float
        Mean output for the background sample.
    output : ndarray of shape (n,), float64
        Output of the pipeline: the sum of ``expected`` and the values of the row.
    space : {"log-odds", "probability"}
        Unit of the output.
    additivity : float
        Largest absolute difference between that sum and the output.
    """

    values: Floats
    expected: float
    output: Floats
    space: str
    additivity: float


def measure(cell: MeasuredCell) -> Tables:
    """Compute mean absolute SHAP values of groups and columns, and SHAP values of single images.

    Parameters
    ----------
    cell : MeasuredCell

    Returns
    -------
    dict of DataFrame
        ``importance``: metric ``mean_abs`` is the mean absolute value of the sum over the group's
        columns; ``mean_negative`` and ``mean_positive``, for regions, are the means of that sum
        over the images of a class. ``importance_checks``: one row with ``shap_additivity``.
        ``importance_swarm``: feature, shap, percentile (of the column's value among the explained
        images, from 0 to 1), one row per image, for the columns of largest mean |SHAP|. All are
        empty if the classifier is not explainable column by column, as an SVM.

    Raises
    ------
    MissingExtra
        If shap is not installed.
    """
    if not is_explainable(cell.pipeline):
        names = ("importance", "importance_checks", "importance_swarm")
        return {name: pd.DataFrame() for name in names}
    chosen = cell.explained
    found = explain(cell.pipeline, cell.X[chosen], cell.background)
    check = {"check": "shap_additivity", "value": found.additivity, "images": len(chosen),
             "space": found.space}  # fmt: skip
    return {
        "importance": ranked_rows([*_sizes(cell, found), *_by_class(cell, found)], "shap", SPLIT),
        "importance_checks": pd.DataFrame([check]),
        "importance_swarm": _swarm(cell, found),
    }


def _sizes(cell: MeasuredCell, found: ShapValues) -> Iterator[pd.DataFrame]:
    label, patient = cell.label[cell.explained], cell.patient[cell.explained]
    for level in (*LEVELS, "feature"):
        if groups := cell.groups(level):
            keep = FEATURES_KEPT if level == "feature" else None
            table = mean_absolute(found.values, groups, patient, label, SEED, keep=keep)
            yield table.assign(level=level, metric="mean_abs")


def _by_class(cell: MeasuredCell, found: ShapValues) -> Iterator[pd.DataFrame]:
    """Mean SHAP value of each region over the images of each class."""
    label, groups = cell.label[cell.explained], cell.groups("region")
    for name, value in (("negative", 0), ("positive", 1)):
        own = found.values[label == value]  # noqa: PD011 - no DataFrame
        means = [own[:, columns].sum(axis=1).mean() for columns in groups.values()]
        table = pd.DataFrame({"group": list(groups), "value": means})
        yield table.assign(level="region", metric=f"mean_{name}", lo=np.nan, hi=np.nan)


def _swarm(cell: MeasuredCell, found: ShapValues) -> pd.DataFrame:
    values, chosen = found.values, cell.explained  # noqa: PD011 - no DataFrame
    top = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:SWARM]
    names = cell.columns["feature"].to_numpy(dtype=object)[top]
    ranks = rankdata(cell.X[np.ix_(chosen, top)], axis=0)
    return pd.DataFrame({
        "feature": np.repeat(names, len(chosen)), "shap": values[:, top].T.ravel(),
        "percentile": ((ranks.T - 0.5) / len(chosen)).ravel(),
    })  # fmt: skip


def explain(pipeline: Any, X: Matrix, background: Matrix) -> ShapValues:
    """Compute SHAP values of a random forest, XGBoost or logistic regression.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    X : ndarray of shape (n, d)
        Images to explain.
    background : ndarray of shape (m, d)
        Training images, about 100: the time grows with n × m.

    Returns
    -------
    ShapValues
        In log-odds for XGBoost and logistic regression, in probability for a random forest.

    Raises
    ------
    NotExplainable
        If the pipeline ends in another model, or has more than two classes.
    MissingExtra
        Without shap.
    ValueError
        If the values do not add up to the pipeline's output.

    References
    ----------
    Lundberg SM, Lee SI. A unified approach to interpreting model predictions. NeurIPS 2017.
    doi:10.48550/arXiv.1705.07874

    Lundberg SM, et al. From local explanations to global understanding with explainable AI for
    trees. Nature Machine Intelligence 2020;2:56-67. doi:10.1038/s42256-019-0138-9

    Examples
    --------
    >>> from models import logistic
    >>> X, y = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 1.0], [3.0, 4.0]]), np.array([0, 0, 1, 1])
    >>> found = explain(logistic.build(seed=0, balance="none").fit(X, y), X[2:], X)
    >>> found.values.shape, found.space, found.additivity < 1e-9
    ((2, 2), 'log-odds', True)
    """
    model = pipeline[-1]
    found_explainer = _explainer_of(pipeline)
    if found_explainer is None or len(model.classes_) != 2:
        raise NotExplainable(
            f"Got a {type(model).__name__} of {len(model.classes_)} classes, but expected a random "
            "forest, XGBoost or logistic regression of two classes: only those have SHAP values of "
            "single columns. Use family_shap or permutation_importance."
        )
    explainer, space = found_explainer
    with threadpool_limits(1):
        kept, rows, others = np.arange(X.shape[1]), X, background
        for step in (step for name, step in pipeline.steps[:-1] if name != "balance"):
            kept = kept[step.get_support()] if hasattr(step, "get_support") else kept
            rows, others = step.transform(rows), step.transform(others)
        found, expected, output = explainer(pipeline, model, rows, others, X)
    values = np.zeros(X.shape)
    values[:, kept] = found
    return checked(values, expected, output, space)


def is_explainable(pipeline: Any) -> bool:
    """Check whether :func:`explain` supports a pipeline.

    Parameters
    ----------
    pipeline : fitted pipeline

    Returns
    -------
    bool
        True for a random forest, XGBoost or logistic regression of two classes.
    """
    return _explainer_of(pipeline) is not None and len(pipeline.classes_) == 2


def space_of(pipeline: Any) -> str:
    """Return the unit in which :func:`explain` expresses a pipeline's output.

    Parameters
    ----------
    pipeline : fitted pipeline

    Returns
    -------
    {"log-odds", "probability"}
        Log-odds if :func:`explain` does not support the pipeline.
    """
    found = _explainer_of(pipeline)
    return found[1] if found else LOG_ODDS


def mean_absolute(
    values: Floats,
    groups: Groups,
    patient: NDArray[np.object_],
    label: Labels,
    seed: int,
    keep: int | None = None,
) -> pd.DataFrame:
    """Compute the mean absolute value of the sum over each group's columns.

    Parameters
    ----------
    values : ndarray of shape (n, d)
        See :class:`ShapValues`.
    groups : dict of ndarray of int
        Columns of each group.
    patient, label : ndarrays of shape (n,)
    seed : int
        Seed of the bootstrap over patients.
    keep : int, optional
        Return only this many groups with the largest values, in decreasing order. By default, all
        groups in the order given.

    Returns
    -------
    DataFrame
        Columns group, value, lo, hi (95 % confidence interval, by bootstrap over patients).

    Examples
    --------
    >>> values, patient = np.array([[1.0, -3.0, 5.0], [2.0, 2.0, -5.0]]), np.array(["a", "a"])
    >>> groups = {"first": np.array([0, 1]), "last": np.array([2])}
    >>> mean_absolute(values, groups, patient, np.array([0, 1]), seed=0)
       group  value   lo   hi
    0  first    3.0  3.0  3.0
    1   last    5.0  5.0  5.0
    """
    names, sizes = list(groups), [len(columns) for columns in groups.values()]
    columns = np.concatenate(list(groups.values()))
    member = np.repeat(np.arange(len(names)), sizes)
    ones = np.ones(len(columns))
    sums = csr_array((ones, (member, columns)), shape=(len(names), values.shape[1])) @ values.T
    size = np.abs(np.asarray(sums))
    order = np.arange(len(names))
    if keep is not None:
        order = np.argsort(-size.mean(axis=1), kind="stable")[:keep]
    weights = PatientBootstrap.draw(patient, label, seed).weights
    draws = (weights @ size[order].T) / weights.sum(axis=1, keepdims=True)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    found = {"group": [names[k] for k in order], "value": size[order].mean(axis=1)}
    return pd.DataFrame({**found, "lo": low, "hi": high})


def checked(values: Floats, expected: float, output: Floats, space: str) -> ShapValues:
    """Return SHAP values after checking that they add up to the output.

    Parameters
    ----------
    values : ndarray of shape (n, d)
    expected : float
    output : ndarray of shape (n,)
    space : {"log-odds", "probability"}

    Returns
    -------
    ShapValues

    Raises
    ------
    ValueError
        If they do not add up.
    """
    output = np.asarray(output, dtype=np.float64)
    apart = float(np.abs(expected + values.sum(axis=1) - output).max())
    allowed = TOLERANCE * max(1.0, float(np.abs(output - expected).max()))
    if not apart <= allowed:
        raise ValueError(
            f"Got SHAP values whose sum differs from the pipeline's output by {apart:.2g}, but "
            f"expected at most {allowed:.2g}: this version of shap does not support the model, or "
            "benchmarks/importance/shap_values.py does not support a step of the pipeline."
        )
    return ShapValues(values, expected, output, space, apart)


def require_shap() -> Any:
    """Import shap.

    Returns
    -------
    module

    Raises
    ------
    MissingExtra
        If shap is not installed.
    """
    try:
        with warnings.catch_warnings():  # it uses deprecated functions of matplotlib
            warnings.simplefilter("ignore")
            return importlib.import_module("shap")
    except (ImportError, OSError) as error:
        raise MissingExtra(
            f"SHAP values need shap, which can't be imported ({error}). "
            'Install it with: pip install -c constraints.txt -e ".[importance]"'
        ) from error


Found = tuple[Floats, float, Floats]  # values of the kept columns, expected, output


def _boosting(pipeline: Any, model: Any, rows: Matrix, others: Matrix, X: Matrix) -> Found:
    values, expected = _trees(model, rows, others)
    return values, float(expected), pipeline.predict(X, output_margin=True)


def _forest(pipeline: Any, model: Any, rows: Matrix, others: Matrix, X: Matrix) -> Found:
    values, expected = _trees(model, rows, others)
    return values[:, :, 1], float(expected[1]), pipeline.predict_proba(X)[:, 1]


def _trees(model: Any, rows: Matrix, others: Matrix) -> tuple[Floats, Any]:
    explainer = require_shap().TreeExplainer(
        model, _background(others.astype(np.float32)), feature_perturbation="interventional"
    )
    # In blocks, since shap draws its own progress bar in calls of more than ten seconds.
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    found = [
        explainer.shap_values(block.astype(np.float32), check_additivity=False) for block in blocks
    ]
    return np.concatenate(found), explainer.expected_value


def _linear(pipeline: Any, model: Any, rows: Matrix, others: Matrix, X: Matrix) -> Found:
    known = model.coef_[0].astype(np.float64), float(model.intercept_[0])
    explainer = require_shap().LinearExplainer(known, _background(others.astype(np.float64)))
    values = explainer.shap_values(rows.astype(np.float64))
    return values, float(explainer.expected_value), pipeline.decision_function(X)


def _background(rows: Matrix) -> Any:
    """Use all rows; by default, shap draws 100 of them."""
    return require_shap().maskers.Independent(rows, max_samples=len(rows))


_EXPLAINERS: dict[type, tuple[Callable[..., Found], str]] = {
    XGBClassifier: (_boosting, LOG_ODDS),
    RandomForestClassifier: (_forest, PROBABILITY),
    LogisticRegression: (_linear, LOG_ODDS),
}


def _explainer_of(pipeline: Any) -> tuple[Callable[..., Found], str] | None:
    found = (way for kind, way in _EXPLAINERS.items() if isinstance(pipeline[-1], kind))
    return next(found, None)

"""SHAP values of a fitted pipeline, led back to the pipeline's own named columns.

All are interventional: a column that is absent has the values of a background of images, whatever
the columns that are present. They say what the model computes with, not what causes disease.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.bootstrap import CONFIDENCE, PatientBootstrap
from features.backbone import MissingExtra

Matrix = NDArray[np.floating]
Groups = Mapping[str, NDArray[np.intp]]
PROBABILITY, LOG_ODDS = "probability", "log-odds"
BLOCK = 20  # rows
TOLERANCE = 1e-4  # of the largest share of a row; float32 sums in XGBoost are 100 times closer


class NotExplainable(ValueError):  # noqa: N818 - it says what the model is not
    """A method knows no way to explain this model; the message names one that does."""


@dataclass(frozen=True)
class ShapValues:
    """What each column, or group of columns, adds to the output of each image.

    Attributes
    ----------
    values : ndarray of shape (n, d), float64
        Signed, in the order of the pipeline's own columns, or of the groups; positive values
        speak for pneumonia. Columns that the pipeline drops have 0.
    expected : float
        Mean output of the background.
    output : ndarray of shape (n,), float64
        Of the pipeline itself; ``expected`` and a row's values add up to it.
    space : {"log-odds", "probability"}
        What ``output`` is.
    additivity : float
        Largest difference of that sum and ``output``.
    """

    values: Floats
    expected: float
    output: Floats
    space: str
    additivity: float


def explain(pipeline: Any, X: Matrix, background: Matrix) -> ShapValues:
    """Explain a pipeline that ends in a forest, XGBoost or logistic regression.

    Parameters
    ----------
    pipeline : fitted pipeline of ``models.*.build``, of two classes
    X : ndarray of shape (n, d)
        Images to explain.
    background : ndarray of shape (m, d)
        Training images, 100 or so: the time grows with n × m.

    Returns
    -------
    ShapValues
        XGBoost and logistic regression in log-odds, the forest in probability.

    Raises
    ------
    NotExplainable
        If the pipeline ends in another model, or knows more than two classes.
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
    ways = [way for kind, way in WAYS.items() if isinstance(model, kind)]
    if not ways or len(model.classes_) != 2:
        raise NotExplainable(
            f"Got a {type(model).__name__} of {len(model.classes_)} classes, but column by column "
            "only forest, xgboost and logistic of two classes can be explained. "
            "Use family_shap or permutation_importance."
        )
    way, space = ways[0]
    with threadpool_limits(1):
        kept, rows, others = np.arange(X.shape[1]), X, background
        for step in (step for name, step in pipeline.steps[:-1] if name != "balance"):
            kept = kept[step.get_support()] if hasattr(step, "get_support") else kept
            rows, others = step.transform(rows), step.transform(others)
        found, expected, output = way(pipeline, model, rows, others, X)
    values = np.zeros(X.shape)
    values[:, kept] = found
    return checked(values, expected, output, space)


def space_of(pipeline: Any) -> str:
    """Name the unit in which :func:`explain` has a pipeline's output; log-odds without a way."""
    spaces = (space for kind, (_, space) in WAYS.items() if isinstance(pipeline[-1], kind))
    return next(spaces, LOG_ODDS)


def mean_absolute(
    values: Floats,
    groups: Groups,
    patient: NDArray[np.object_],
    label: Labels,
    seed: int,
    keep: int | None = None,
) -> pd.DataFrame:
    """Mean size of what each group adds, signs within a group cancelling first.

    Parameters
    ----------
    values : ndarray of shape (n, d)
        Of :class:`ShapValues`.
    groups : dict of ndarray of int
        Columns of each group.
    patient, label : ndarrays of shape (n,)
    seed : int
        Of the draws of patients.
    keep : int, optional
        Return this many groups of largest value, in falling order; all as given if left out.

    Returns
    -------
    DataFrame
        group, value, lo, hi: 95 % interval over patients.

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
    """Make a record of SHAP values, or raise `ValueError` if they miss ``output``."""
    output = np.asarray(output, dtype=np.float64)
    apart = float(np.abs(expected + values.sum(axis=1) - output).max())
    allowed = TOLERANCE * max(1.0, float(np.abs(output - expected).max()))
    if not apart <= allowed:
        raise ValueError(
            f"Got SHAP values that miss the pipeline's output by {apart:.2g}, but expected at "
            f"most {allowed:.2g}: this version of shap misreads the model, or the pipeline has a "
            "step that benchmarks/importance does not know."
        )
    return ShapValues(values, expected, output, space, apart)


def require_shap() -> Any:
    """Import shap, or raise `MissingExtra`."""
    try:
        with warnings.catch_warnings():  # it calls what matplotlib will deprecate
            warnings.simplefilter("ignore")
            return importlib.import_module("shap")
    except (ImportError, OSError) as error:
        raise MissingExtra(
            f"SHAP values need shap, which can't be imported ({error}). "
            'Install it with: pip install -c constraints.txt -e ".[importance]"'
        ) from error


Found = tuple[Floats, float, Floats]  # values of the kept columns, expected, the pipeline's output


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
    # Block by block: a call of some ten seconds would draw a bar of its own into the display.
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
    """All rows: left to itself, shap draws 100 of them."""
    return require_shap().maskers.Independent(rows, max_samples=len(rows))


WAYS: dict[type, tuple[Callable[..., Found], str]] = {
    XGBClassifier: (_boosting, LOG_ODDS),
    RandomForestClassifier: (_forest, PROBABILITY),
    LogisticRegression: (_linear, LOG_ODDS),
}

"""Replacement importance of one image: groups of columns take values of background images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.importance.closed_form import Floats, LinearMap, skip_columnwise_steps
from benchmarks.importance.scorers import LogisticScorer, SvmScorer, make_scorer
from benchmarks.importance.shap_values import LOG_ODDS, PROBABILITY
from benchmarks.metrics.calibration import logit

Matrix = NDArray[np.floating]
Columns = NDArray[np.intp]
Change = Callable[[Columns], Floats]
ROWS = 4096  # that a pipeline is given at once


@dataclass(frozen=True)
class LocalChange:
    """Change of each image's output when a group of columns is replaced.

    Attributes
    ----------
    changes : ndarray of shape (n, G), float64
        The output minus its mean when the group's columns come from each background image in turn.
        Positive if the group is evidence for the positive class, compared with the background; 0 if
        the model uses none of its columns. They do not add up to ``output`` − ``expected``, because
        redundant columns can replace each other.
    output : ndarray of shape (n,), float64
        Output for the images.
    expected : float
        Mean output for the background.
    space : {"log-odds", "probability"}
        Unit of the output.
    """

    changes: Floats
    output: Floats
    expected: float
    space: str


def local_change(
    pipeline: Any,
    X: Matrix,
    background: Matrix,
    groups: Mapping[str, Columns],
    space: str = LOG_ODDS,
) -> LocalChange:
    """Compute the change of the output when each group takes the values of background images.

    Parameters
    ----------
    pipeline : fitted pipeline of two classes
        With ``predict_proba``. The log-odds of an SVM and of logistic regression are computed in
        closed form from the columns of the group (see :mod:`benchmarks.importance.closed_form`);
        other pipelines score all replaced rows.
    X : ndarray of shape (n, d)
    background : ndarray of shape (b, d)
        Training images, not selected by their scores, or their mean as the only row, from
        :func:`typical_row`. The time grows with n × b × G.
    groups : dict of G ndarrays of int
        Columns of each group, from :func:`benchmarks.importance.groups.group_columns`; they are
        replaced together.
    space : {"log-odds", "probability"}
        Unit of the output.

    Returns
    -------
    LocalChange

    Raises
    ------
    ValueError
        If the pipeline has more than two classes, or the rows are not of equal width.

    Notes
    -----
    The trees of a random forest can be unanimous. Its log-odds are bounded as if half a tree had
    voted otherwise. Other probabilities are clipped to [1e-6, 1 - 1e-6].

    References
    ----------
    Robnik-Šikonja M, Kononenko I. Explaining classifications for individual instances. IEEE TKDE
    2008;20:589-600. doi:10.1109/TKDE.2007.190734

    Examples
    --------
    >>> from models import MODELS
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(60, 4)), np.arange(60) % 2
    >>> X[:, 1] += 3 * y
    >>> pipeline = MODELS["logistic"].build(seed=0, balance="none").fit(X, y)
    >>> groups = {"a": np.array([0, 1]), "b": np.array([2])}
    >>> change = local_change(pipeline, X, X, groups).changes
    >>> change.shape, bool(change[y == 1, 0].mean() > 10 * abs(change[:, 1]).mean())
    ((60, 2), True)
    """
    _check(pipeline, X, background)
    with threadpool_limits(1):
        output, expected, change = _way(pipeline, X, background, space)
        changes = np.zeros((len(X), len(groups)))
        for place, columns in enumerate(groups.values()):
            if len(columns):
                changes[:, place] = change(columns)
    return LocalChange(changes, output, expected, space)


def typical_row(pipeline: Any, d: int) -> NDArray[np.float32]:
    """Return the mean training row that the scaler of a pipeline stores.

    Parameters
    ----------
    pipeline : fitted pipeline
    d : int
        Number of columns.

    Returns
    -------
    ndarray of shape (1, d), float32
        0 in columns that the pipeline drops.
    """
    kept = slice(None)
    if "select" in pipeline.named_steps:
        kept = pipeline.named_steps["select"].get_support()
    row = np.zeros((1, d), dtype=np.float32)
    row[0, kept] = pipeline.named_steps["scale"].mean_
    return row


def log_odds(model: Any, probability: Floats) -> Floats:
    """Compute bounded log-odds of probabilities; see :func:`local_change`.

    Parameters
    ----------
    model : fitted classifier
    probability : ndarray

    Returns
    -------
    ndarray of the same shape, float64
    """
    votes = getattr(model, "estimators_", None)
    score = np.asarray(probability, dtype=np.float64)
    return logit(score) if votes is None else logit(score, margin=0.5 / len(votes))


def _way(pipeline: Any, X: Matrix, background: Matrix, space: str) -> tuple[Floats, float, Change]:
    """Return the output, its mean over the background, and a function for the change by a group."""
    scorer = make_scorer(pipeline, X)
    if space == LOG_ODDS and isinstance(scorer, LogisticScorer):
        return _logistic_way(scorer, background)
    if space == LOG_ODDS and isinstance(scorer, SvmScorer):
        return _svm_way(scorer, background)
    return _plain_way(pipeline, X, background, space)


def _logistic_way(scorer: LogisticScorer, background: Matrix) -> tuple[Floats, float, Change]:
    """Logistic regression: the contribution of a group to the sum over columns."""
    here = scorer.linear
    there = LinearMap(background, here.weights, here.offset)

    def change(columns: Columns) -> Floats:
        return here.contribution(columns) - there.contribution(columns).mean()

    return here.rows, float(there.rows.mean()), change


def _svm_way(scorer: SvmScorer, background: Matrix) -> tuple[Floats, float, Change]:
    """SVM on principal components: the contribution of a group to them is replaced."""
    here, svm = scorer.linear, scorer.svm
    there = LinearMap(background, here.weights, here.offset)
    output = svm.log_odds(svm.decision(here.rows))

    def change(columns: Columns) -> Floats:
        rest, shares = here.rows - here.contribution(columns), there.contribution(columns)
        mean = shares.mean(axis=0)
        after = svm.decisions_of_sums(rest + mean, shares - mean)
        return output - svm.log_odds(after.mean(axis=1))

    return output, float(svm.log_odds(svm.decision(there.rows)).mean()), change


def _plain_way(
    pipeline: Any, X: Matrix, background: Matrix, space: str
) -> tuple[Floats, float, Change]:
    """Any pipeline: it scores all rows with replaced columns, some images at a time."""
    model, (X, background), place = skip_columnwise_steps(pipeline, X, background)
    step = max(1, ROWS // len(background))

    def outputs(rows: Matrix) -> Floats:
        score = np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64)
        return score if space == PROBABILITY else log_odds(pipeline[-1], score)

    def change(columns: Columns) -> Floats:
        used = place[columns]
        used = used[used >= 0]
        if len(used) == 0:
            return np.zeros(len(X))
        after = np.empty(len(X))
        for start in range(0, len(X), step):
            part = X[start : start + step]
            rows = np.repeat(part, len(background), axis=0)
            rows[:, used] = np.tile(background[:, used], (len(part), 1))
            after[start : start + step] = outputs(rows).reshape(len(part), -1).mean(axis=1)
        return output - after

    output = outputs(X)
    return output, float(outputs(background).mean()), change


def _check(pipeline: Any, X: Matrix, background: Matrix) -> None:
    classes = len(pipeline.classes_)
    if classes != 2:
        raise ValueError(f"Got a pipeline of {classes} classes, but expected two.")
    if X.ndim != 2 or background.ndim != 2 or X.shape[1] != background.shape[1]:
        raise ValueError(
            f"Got rows of shape {X.shape} and a background of shape {background.shape}, but "
            "expected two matrices of equal width."
        )
    if len(background) == 0:
        raise ValueError("Got no background image, but expected at least one.")

"""Importance for one image: what its decision owes to what each group of columns shows."""

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
    """Change of each image's output by the columns it has in a group, others staying.

    Attributes
    ----------
    changes : ndarray of shape (n, G), float64
        The output, less its mean with the group's columns from each background image in turn:
        positive where what the image shows there speaks for pneumonia, compared with the
        background. 0 where the model uses none of the group's columns. They don't add up to
        ``output`` − ``expected``: columns that say the same stand in for each other.
    output : ndarray of shape (n,), float64
        Of the images.
    expected : float
        Mean of the background's.
    space : {"log-odds", "probability"}
        What the output is.
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
    """Replace each group's columns of each image by those of every background image in turn.

    Parameters
    ----------
    pipeline : fitted pipeline of two classes
        With ``predict_proba``. The log odds of an SVM and a logistic regression after linear
        steps are taken apart, so that only a group's own columns are handled (see
        :mod:`benchmarks.importance.closed_form`); any other is given all replaced rows.
    X : ndarray of shape (n, d)
    background : ndarray of shape (b, d)
        Training images, not chosen by their scores; or their mean as the only row, from
        :func:`typical_row`. The time grows with n × b × G.
    groups : dict of G ndarrays of int
        Columns of each group, from :func:`benchmarks.importance.groups.group_columns`; they move
        together.
    space : {"log-odds", "probability"}
        Of the output, pneumonia's.

    Returns
    -------
    LocalChange

    Raises
    ------
    ValueError
        If the pipeline has more than two classes, or the rows are not of equal width.

    Notes
    -----
    A forest's votes can be unanimous; its log odds are bounded as if half a tree more had voted
    otherwise. Other probabilities are kept 1e-6 from 0 and 1.

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
    """Mean training row that a pipeline's scaler keeps, of shape (1, d).

    Columns that the pipeline does not use are 0.
    """
    kept = slice(None)
    if "select" in pipeline.named_steps:
        kept = pipeline.named_steps["select"].get_support()
    row = np.zeros((1, d), dtype=np.float32)
    row[0, kept] = pipeline.named_steps["scale"].mean_
    return row


def log_odds(model: Any, probability: Floats) -> Floats:
    """Log odds of a model's probabilities, bounded as :func:`local_change` says."""
    votes = getattr(model, "estimators_", None)
    score = np.asarray(probability, dtype=np.float64)
    return logit(score) if votes is None else logit(score, margin=0.5 / len(votes))


def _way(pipeline: Any, X: Matrix, background: Matrix, space: str) -> tuple[Floats, float, Change]:
    """Output of the images, its mean over the background, and the change by some columns."""
    scorer = make_scorer(pipeline, X)
    if space == LOG_ODDS and isinstance(scorer, LogisticScorer):
        return _sum_way(scorer, background)
    if space == LOG_ODDS and isinstance(scorer, SvmScorer):
        return _machine_way(scorer, background)
    return _plain_way(pipeline, X, background, space)


def _sum_way(scorer: LogisticScorer, background: Matrix) -> tuple[Floats, float, Change]:
    """Of a sum of columns: a group's own part of it."""
    here = scorer.linear
    there = LinearMap(background, here.weights, here.offset)

    def change(columns: Columns) -> Floats:
        return here.contribution(columns) - there.contribution(columns).mean()

    return here.rows, float(there.rows.mean()), change


def _machine_way(scorer: SvmScorer, background: Matrix) -> tuple[Floats, float, Change]:
    """Of an SVM on principal components: a group's share of them is exchanged."""
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
    """Of any pipeline: it is given all rows with the columns replaced, some images at a time."""
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

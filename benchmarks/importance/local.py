"""Importance for one image: what its decision owes to what each group of columns shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.importance.scorers import LogisticScorer, SvmScorer, make_scorer

Floats = NDArray[np.float64]
Columns = NDArray[np.intp]
Change = Callable[[Columns], Floats]
CEILING = 1e-6  # least distance of a probability from 0 and 1, so that its log odds are finite
ROWS = 4096  # that a pipeline is given at once


def regional_change(
    pipeline: Any,
    X: NDArray[np.floating],
    background: NDArray[np.floating],
    groups: Mapping[str, Columns],
) -> Floats:
    """Change of each image's log odds by the columns it has in a group, others staying.

    A group's columns are replaced by those of every background image in turn. The value is the
    log odds of pneumonia as they are, less their mean over the replacements: positive where what
    the image shows there speaks for pneumonia, compared with the background.

    Parameters
    ----------
    pipeline : fitted pipeline of two classes
        With ``predict_proba``. An SVM and a logistic regression after linear steps are taken
        apart, so that only a group's own columns are handled (see
        :mod:`benchmarks.importance.scorers`); any other is given all replaced rows.
    X : ndarray of shape (n, d)
    background : ndarray of shape (b, d)
        Training images, not chosen by their scores. The time grows with n × b × G.
    groups : dict of G ndarrays of int
        Columns of each group, from :func:`benchmarks.importance.groups.group_columns`; they move
        together.

    Returns
    -------
    ndarray of shape (n, G), float64
        In log odds. 0 where the model uses none of the group's columns. Values don't add up to a
        decision: columns that say the same stand in for each other.

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
    >>> change = regional_change(pipeline, X, X, {"a": np.array([0, 1]), "b": np.array([2])})
    >>> change.shape, bool(change[y == 1, 0].mean() > 10 * abs(change[:, 1]).mean())
    ((60, 2), True)
    """
    _check(pipeline, X, background)
    with threadpool_limits(1):
        changes, groups = _find_changes(pipeline, X, background, groups)
        result = np.zeros((len(X), len(groups)))
        for place, columns in enumerate(groups.values()):
            if len(columns):
                result[:, place] = changes(columns)
    return result


def drop_unused(
    pipeline: Any, rows: list[NDArray[np.floating]], groups: Mapping[str, Columns]
) -> tuple[Any, list[NDArray[np.floating]], dict[str, Columns]]:
    """Take off a first step that only chooses columns; scores stay the same.

    Parameters
    ----------
    pipeline : fitted pipeline
    rows : list of ndarray of shape (n, d)
    groups : dict of ndarray of int

    Returns
    -------
    pipeline, rows, groups
        Of the columns that the step keeps; a group may have none left.
    """
    first = pipeline.steps[0][1]
    if not hasattr(first, "get_support"):
        return pipeline, rows, dict(groups)
    kept = np.asarray(first.get_support())
    place = np.where(kept, np.cumsum(kept) - 1, -1)
    left = {name: place[columns][place[columns] >= 0] for name, columns in groups.items()}
    return pipeline[1:], [matrix[:, kept] for matrix in rows], left


def log_odds(pipeline: Any, probability: Floats) -> Floats:
    """Log odds of probabilities of pneumonia, bounded as :func:`regional_change` says."""
    votes = getattr(pipeline.steps[-1][1], "estimators_", None)
    margin = CEILING if votes is None else 0.5 / len(votes)
    bounded = np.clip(np.asarray(probability, dtype=np.float64), margin, 1 - margin)
    return np.asarray(np.log(bounded) - np.log1p(-bounded))


def _find_changes(
    pipeline: Any,
    X: NDArray[np.floating],
    background: NDArray[np.floating],
    groups: Mapping[str, Columns],
) -> tuple[Change, Mapping[str, Columns]]:
    scorer = make_scorer(pipeline, X)
    if isinstance(scorer, LogisticScorer):
        return _sum_change(scorer, background), groups
    if isinstance(scorer, SvmScorer):
        return _machine_change(scorer, background), groups
    tail, (few, others), left = drop_unused(pipeline, [X, background], groups)
    return _plain_change(tail, few, others, scorer.score), left


def _sum_change(scorer: LogisticScorer, background: NDArray[np.floating]) -> Change:
    """Of a sum of columns: a group's own part of it."""
    weights, X = scorer.front.weights[:, 0], scorer.front.X

    def change(columns: Columns) -> Floats:
        apart = X[:, columns] - background[:, columns].mean(axis=0, dtype=np.float64)
        return np.asarray(apart @ weights[columns])

    return change


def _machine_change(scorer: SvmScorer, background: NDArray[np.floating]) -> Change:
    """Of an SVM on principal components: a group's share of them is exchanged."""
    front, machine = scorer.front, scorer.machine
    before = machine.decision(front.rows)

    def change(columns: Columns) -> Floats:
        weights = front.weights[columns]
        rest = front.rows - front.X[:, columns].astype(np.float64) @ weights
        shares = background[:, columns].astype(np.float64) @ weights
        after = np.mean([machine.decision(rest + share) for share in shares], axis=0)
        return np.asarray(machine.slope * (before - after))

    return change


def _plain_change(
    pipeline: Any, X: NDArray[np.floating], background: NDArray[np.floating], score: Floats
) -> Change:
    """Of any pipeline: it is given all rows with the columns replaced, some images at a time."""
    before = log_odds(pipeline, score)
    step = max(1, ROWS // len(background))

    def change(columns: Columns) -> Floats:
        after = np.empty(len(X))
        for start in range(0, len(X), step):
            part = X[start : start + step]
            rows = np.repeat(part, len(background), axis=0)
            rows[:, columns] = np.tile(background[:, columns], (len(part), 1))
            odds = log_odds(pipeline, pipeline.predict_proba(rows)[:, 1])
            after[start : start + step] = odds.reshape(len(part), -1).mean(axis=1)
        return before - after

    return change


def _check(pipeline: Any, X: NDArray[np.floating], background: NDArray[np.floating]) -> None:
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

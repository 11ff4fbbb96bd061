"""Combinations of fitted cells of one seed: the mean of their probabilities, and stacking.

Which cells are combined is fixed before any score is known: all classifiers on features of that
seed that finished, without feature sets of a random network, which are controls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import in_training_order
from benchmarks.fitting.scoring import average
from benchmarks.metrics.arrays import Floats, Labels
from benchmarks.metrics.calibration import logit

MEAN, STACK = "mean", "stack"
CONTROL = "embedding_random"  # a family of random weights: a control, not a method
FEWEST = 2  # cells in a combination
PENALTY = 1.0  # on half the squared weights, beside the sum of the losses of all images
STOPS = {"maxiter": 10_000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-9}


@dataclass(frozen=True)
class Combination:
    """What turns the scores of the members into the score of a combination.

    Attributes
    ----------
    method : {"mean", "stack"}
    members : tuple of str
        Names of the combined cells.
    weights : tuple of float
        Of the probabilities of the members (``mean``), or of their log odds (``stack``).
    intercept : float
        Log odds where those of all members are 0; 0 for ``mean``.
    """

    method: str
    members: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float = 0.0

    def scores(self, of_members: Sequence[Floats]) -> Floats:
        """Combine the scores of the members.

        Parameters
        ----------
        of_members : sequence of ndarray of shape (n,), in [0, 1]
            In the order of ``members``.

        Returns
        -------
        ndarray of shape (n,), in [0, 1]
            A score does not depend, to the last bit, on the other images.

        Examples
        --------
        >>> scores = [np.array([0.2, 0.8]), np.array([0.4, 0.9])]
        >>> mean_of(["a", "b"]).scores(scores).round(2)
        array([0.3 , 0.85])
        >>> Combination("stack", ("a", "b"), (1.0, 0.0)).scores(scores).round(2)
        array([0.2, 0.8])
        """
        # Member by member: a sum over an axis may be ordered by the number of images.
        if self.method == MEAN:
            return average(of_members)
        odds = np.full(len(of_members[0]), self.intercept)
        for weight, score in zip(self.weights, of_members, strict=True):
            odds = odds + weight * logit(score)
        return np.asarray(expit(odds))


def mean_of(members: Sequence[str]) -> Combination:
    """Make the mean of the probabilities of some cells.

    Parameters
    ----------
    members : sequence of str
        Names of cells.

    Returns
    -------
    Combination
    """
    return Combination(MEAN, tuple(members), (1 / len(members),) * len(members))


def fit_stack(members: Sequence[str], label: Labels, of_members: Sequence[Floats]) -> Combination:
    """Fit the weights of stacking to held-out scores [1]_.

    Parameters
    ----------
    members : sequence of str
        Names of cells.
    label : ndarray of shape (n,), 1 = positive
    of_members : sequence of ndarray of shape (n,), in [0, 1]
        Scores of images that the members were not fitted on.

    Returns
    -------
    Combination

    Notes
    -----
    Logistic regression on the log odds of the members, with weights of at least 0 and a free
    intercept. It minimises the sum of the log losses and half the sum of the squared weights. The
    scores of the members resemble each other: without both constraints, the weights would be large
    and of opposite signs. With them there is one minimum, which L-BFGS-B finds.

    References
    ----------
    .. [1] Wolpert DH. Stacked generalization. Neural Networks 1992;5(2):241-259.
       doi:10.1016/S0893-6080(05)80023-1

    Examples
    --------
    >>> label = np.array([0, 0, 1, 1, 0, 1])
    >>> good, reverse = np.array([0.1, 0.2, 0.8, 0.9, 0.6, 0.4]), np.array([0.9, 0.8] * 3)
    >>> found = fit_stack(["a", "b"], label, [good, reverse])
    >>> found.weights[0] > 0, all(weight >= 0 for weight in found.weights)
    (True, True)
    """
    x = np.column_stack([np.ones(len(label)), *map(logit, of_members)])
    sign = np.where(label == 1, 1.0, -1.0)
    penalty = np.full(x.shape[1], PENALTY)
    penalty[0] = 0.0

    def _loss(w: Floats) -> tuple[float, Floats]:
        margin = sign * (x @ w)
        value = np.logaddexp(0.0, -margin).sum() + (penalty * w**2).sum() / 2
        slope = penalty * w - x.T @ (sign * expit(-margin))
        return float(value / len(x)), slope / len(x)

    bounds = [(None, None), *[(0.0, None)] * len(members)]
    with threadpool_limits(1):  # the order of sums must not depend on the number of cores
        found = minimize(
            _loss, np.zeros(x.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B", options=STOPS
        )
    intercept, *weights = (float(value) for value in found.x)
    return Combination(STACK, tuple(members), tuple(weights), intercept)


def cross_fitted_stack(
    members: Sequence[str], label: Labels, of_members: Sequence[Floats], fold: NDArray[np.integer]
) -> dict[int, Floats]:
    """Score the images of each fold by weights that were fitted to those of the other folds.

    Parameters
    ----------
    members : sequence of str
        Names of cells.
    label : ndarray of shape (n,), 1 = positive
    of_members : sequence of ndarray of shape (n,), in [0, 1]
        Held-out scores of the members' cross-validation.
    fold : ndarray of shape (n,)

    Returns
    -------
    dict of ndarray
        Scores of the images of each fold, by its number.

    Notes
    -----
    The label of an image is used neither in the members' scores of the image nor in the weights
    that combine these. One path is left, as this is not nested: the weights for a fold are fitted
    to scores of the other folds, and the members that gave those scores were fitted on this fold,
    too. A nested cross-validation would fit all members again within each fold.
    """
    found = {}
    for k in np.unique(fold):
        others = fold != k
        fitted = fit_stack(members, label[others], [score[others] for score in of_members])
        found[int(k)] = fitted.scores([score[~others] for score in of_members])
    return found


def members_of(cell: Cell, results: Iterable[CellResult]) -> list[CellResult]:
    """Select the results that a cell combines.

    Parameters
    ----------
    cell : Cell
        A combination.
    results : iterable of CellResult
        In the order of the run.

    Returns
    -------
    list of CellResult
        The classifiers on features of the same seed that finished, without random controls.
    """
    return [
        one for one in results
        if one.cell.on_features and one.cell.seed == cell.seed and one.status == "ok"
        and CONTROL not in one.cell.families
    ]  # fmt: skip


def combine(
    cell: Cell,
    members: Sequence[CellResult],
    label: Labels,
    fold: NDArray[np.integer] | None = None,
) -> CellResult:
    """Combine the scores of finished cells.

    Parameters
    ----------
    cell : Cell
        A combination.
    members : sequence of CellResult
        From :func:`members_of`.
    label : ndarray of shape (n,), 1 = positive
        Labels of the training images. No other labels are used.
    fold : ndarray of shape (n,), optional
        Fold of each training image, if the members were cross-validated.

    Returns
    -------
    CellResult
        Its details are the ``members``, their ``weights`` and the ``intercept``. The status is
        ``not_run`` with fewer than two members, and for stacking without held-out scores.
    """
    reason = _missing(cell, members, fold)
    if reason:
        return CellResult(cell, "not_run", reason)
    names = [one.cell.name for one in members]
    if cell.model == MEAN:
        made, folds = mean_of(names), {}
        if crossed(members, fold):
            folds = {k: made.scores([m.folds[k] for m in members]) for k in members[0].folds}
    else:
        assert fold is not None
        held_out = [in_training_order(fold, one.folds) for one in members]
        made = fit_stack(names, label, held_out)
        folds = cross_fitted_stack(names, label, held_out, fold)
    scores = {
        split: made.scores([one.scores[split] for one in members]) for split in members[0].scores
    }
    details = {
        "members": names, "weights": list(made.weights), "intercept": made.intercept,
    }  # fmt: skip
    return CellResult(cell, scores=scores, folds=folds, details=details)


def crossed(members: Sequence[CellResult], fold: NDArray[np.integer] | None) -> bool:
    """Whether all members have scores of every fold.

    Parameters
    ----------
    members : sequence of CellResult
    fold : ndarray of shape (n,) or None

    Returns
    -------
    bool
    """
    if fold is None:
        return False
    folds = {int(k) for k in np.unique(fold)}
    return all(set(one.folds) == folds for one in members)


def read_combination(method: str, details: Mapping[str, object]) -> Combination:
    """Read a combination from what ``run.json`` records about its cell.

    Parameters
    ----------
    method : {"mean", "stack"}
    details : dict

    Returns
    -------
    Combination

    Raises
    ------
    ValueError
        If a key is missing or a value is not what :func:`combine` can have written.
    """
    members, weights = details.get("members"), details.get("weights")
    intercept = details.get("intercept")
    if not (isinstance(members, list) and isinstance(weights, list)
            and all(isinstance(one, str) for one in members)
            and all(type(one) in (int, float) for one in [*weights, intercept])):  # fmt: skip
        raise ValueError("no list of members and their weights")
    numbers = np.array([*weights, intercept], dtype=float)
    if len(members) != len(weights) or len(set(members)) < max(FEWEST, len(members)):
        raise ValueError(f"{len(members)} members with {len(weights)} weights")
    if not np.isfinite(numbers).all() or (numbers[:-1] < 0).any():
        raise ValueError(f"the weights {weights} and the intercept {intercept}")
    if method == MEAN and (mean := mean_of(members)) != Combination(
        MEAN, tuple(members), tuple(numbers[:-1].tolist()), float(numbers[-1])
    ):
        raise ValueError(f"the weights {weights} of a mean, not {mean.weights[0]} each")
    return Combination(method, tuple(members), tuple(numbers[:-1].tolist()), float(numbers[-1]))


def _missing(cell: Cell, members: Sequence[CellResult], fold: NDArray[np.integer] | None) -> str:
    """Say why a combination can't be made; empty if it can."""
    if len(members) < FEWEST:
        return (
            f"a combination needs at least {FEWEST} finished classifiers on features of its seed, "
            f"without random controls; there {'is 1' if len(members) == 1 else 'are none'}"
        )
    if cell.model == STACK and fold is None:
        return (
            "stacking needs held-out scores of the training images, but the run has no "
            "cross-validation (--folds 0)"
        )
    if cell.model == STACK and not crossed(members, fold):
        lacking = [one.cell.name for one in members if not crossed([one], fold)]
        return f"the cross-validation of {', '.join(lacking)} has not finished"
    return ""

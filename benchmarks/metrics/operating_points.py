"""Thresholds that reach a given recall, on the original images and in bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.metrics.arrays import Floats, Labels

TARGET_RECALL = 0.95


def threshold_at_recall(label: Labels, score: Floats, recall: float = TARGET_RECALL) -> float:
    """Find the largest threshold with at least a given recall.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,)
        An image is predicted positive if ``score >= threshold``.
    recall : float in (0, 1]

    Returns
    -------
    float
        The score of one of the positives.

    Raises
    ------
    ValueError
        If there is no positive.

    Examples
    --------
    >>> threshold_at_recall(np.array([0, 1, 1, 1, 1]), np.array([.9, .1, .3, .5, .7]), recall=0.75)
    0.3
    """
    positives = np.sort(score[label == 1])[::-1]
    if len(positives) == 0:
        raise ValueError(
            "Got no positive image, but expected at least one to find a threshold for a recall."
        )
    needed = int(np.ceil(round(recall * len(positives), 9)))
    return float(positives[needed - 1])


def thresholds_in_draws(
    label: Labels, score: Floats, weights: Floats, recall: float = TARGET_RECALL
) -> Floats:
    """Find the threshold for a recall in each bootstrap draw.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,)
    weights : ndarray of shape (draws, n)
        How often each image is in each draw. Each draw needs a positive image.
    recall : float in (0, 1]

    Returns
    -------
    ndarray of shape (draws,)
        What :func:`threshold_at_recall` finds on the images of each draw.

    Examples
    --------
    >>> weights = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 3.0]])
    >>> thresholds_in_draws(np.array([0, 1, 1]), np.array([0.9, 0.3, 0.5]), weights, 1.0)
    array([0.3, 0.5])
    """
    positives = np.flatnonzero(label == 1)
    lowest = positives[np.argsort(score[positives], kind="stable")]
    total = weights @ (label == 1).astype(float)
    missed = (total - np.ceil(np.round(recall * total, 9)))[:, None]  # at most
    # The thresholds are among the lowest positives, most often among twice as many as are missed.
    for count in (int(2 * (1 - recall) * len(lowest)) + 50, len(lowest)):
        below = np.cumsum(weights[:, lowest[:count]], axis=1)
        if (below[:, -1:] > missed).all():
            break
    return score[lowest][np.argmax(below > missed, axis=1)]


@dataclass(frozen=True)
class RedrawnThreshold:
    """A chosen threshold in each bootstrap draw: the draws choose it again.

    Attributes
    ----------
    values : ndarray of shape (draws, 1) or (draws, n)
        Threshold of all images, or of each image, in each draw.
    other_patients : bool
        Whether it was chosen on other patients than those that are evaluated with it. If not, a
        draw of the evaluated patients is also the draw on which it was chosen.
    """

    values: Floats
    other_patients: bool

"""Net benefit: the quantity that a decision curve shows."""

from __future__ import annotations

import numpy as np

from benchmarks.metrics.arrays import Floats, Labels, weights_or_ones


def net_benefit(
    label: Labels, score: Floats, thresholds: Floats, weights: Floats | None = None
) -> Floats:
    """Net benefit of treating patients whose score reaches a threshold probability.

    Parameters
    ----------
    label : ndarray of shape (n,), 1 = positive
    score : ndarray of shape (n,), in [0, 1]
        Read as probabilities. A score of 1 for all is the policy "treat all".
    thresholds : ndarray of shape (t,), in (0, 1)
        Probability of disease from which one would treat. Its odds are the harm of treating a
        patient without the disease divided by the benefit of treating one with it.
    weights : ndarray of shape (..., n), optional
        How often each image is in each bootstrap draw; once by default.

    Returns
    -------
    ndarray of shape (..., t)
        True positives minus false positives times the odds of the threshold, as a fraction of
        all images. The policy "treat none" has net benefit 0; the maximum is the prevalence.

    Raises
    ------
    ValueError
        If a threshold is not between 0 and 1.

    References
    ----------
    Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction
    models. Med Decis Making 2006;26:565-574. doi:10.1177/0272989X06295361

    Examples
    --------
    Three of ten patients have the disease. At a threshold of 0.2 a false positive costs a quarter
    of what a true positive gains.

    >>> label = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    >>> treat_all = net_benefit(label, np.ones(10), np.array([0.2, 0.5]))
    >>> treat_all.round(3)  # 0.3 - 0.7 × 0.25, 0.3 - 0.7
    array([ 0.125, -0.4  ])
    """
    if not ((thresholds > 0) & (thresholds < 1)).all():
        raise ValueError(f"Got thresholds {thresholds}, but expected probabilities in (0, 1).")
    weights = weights_or_ones(weights, len(label))
    gain = np.where((label == 1)[:, None], 1.0, -thresholds / (1 - thresholds))
    total = weights.sum(axis=-1)[..., None]
    return np.asarray(weights @ ((score[:, None] >= thresholds) * gain) / total)

"""Thresholds at a given recall."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk

from benchmarks.metrics.operating_points import threshold_at_recall, thresholds_in_draws

LABEL = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
SCORE = np.array([0.9, 0.8, 0.5, 0.2, 0.7, 0.5, 0.3, 0.1, 0.1, 0.0])


def test_thresholds_are_the_largest_that_keep_each_recall() -> None:
    found = [threshold_at_recall(LABEL, SCORE, r) for r in (0.5, 0.51, 0.75, 0.9, 1.0)]
    assert found == [0.8, 0.5, 0.5, 0.2, 0.2]


def test_threshold_is_the_largest_that_keeps_recall() -> None:
    rng = np.random.default_rng(1)
    label, score = rng.integers(0, 2, 200), np.round(rng.random(200), 2)
    threshold = threshold_at_recall(label, score, 0.95)
    assert sk.recall_score(label, score >= threshold) >= 0.95
    higher = score[score > threshold].min()
    assert sk.recall_score(label, score >= higher) < 0.95


def test_threshold_at_the_exact_fraction_of_positives() -> None:
    label, score = np.ones(20, int), np.arange(20) / 20
    assert threshold_at_recall(label, score, 0.95) == 1 / 20  # 19 of 20
    assert threshold_at_recall(label, score, 1.0) == 0


def test_thresholds_in_draws_are_those_of_the_repeated_images() -> None:
    rng = np.random.default_rng(3)
    label, score = rng.integers(0, 2, 60), np.round(rng.random(60), 1)  # with ties
    weights = rng.multinomial(60, np.full(60, 1 / 60), size=200).astype(float)
    for recall in (0.5, 0.9, 0.95, 1.0):
        found = thresholds_in_draws(label, score, weights, recall)
        for weight, threshold in zip(weights, found, strict=True):
            drawn = np.repeat(np.arange(60), weight.astype(int))
            assert threshold == threshold_at_recall(label[drawn], score[drawn], recall)

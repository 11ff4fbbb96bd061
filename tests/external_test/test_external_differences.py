from __future__ import annotations

import numpy as np
import pytest

from benchmarks.external_test.external_differences import difference_interval, draws_of
from benchmarks.statistics.method_rows import Estimate
from benchmarks.statistics.split_scores import SplitScores


def split_of(label: list[int], score: list[float]) -> SplitScores:
    n = len(label)
    names = np.array([f"p{k}" for k in range(n)], dtype=object)
    empty = np.array([""] * n, dtype=object)
    zero = np.zeros(n, dtype=np.int64)
    return SplitScores(names, names, empty, np.array(label), zero, {"a": np.array(score)})


def test_variances_of_independent_sets_add_up() -> None:
    rng = np.random.default_rng(0)
    internal, external = 0.9 + 0.03 * rng.standard_normal(20_001), rng.normal(0.8, 0.04, 20_001)
    internal[0], external[0] = 0.9, 0.8
    low, high = difference_interval(internal, external)
    assert (low, high) == pytest.approx((-0.1 - 1.96 * 0.05, -0.1 + 1.96 * 0.05), abs=0.003)


def test_all_right_in_one_set_and_none_in_the_other() -> None:
    """Newcombe 1998, table II, method 10: 10 of 10 minus 0 of 10 has the interval 0.6075 to 1."""
    bound = 1.959964**2 / (10 + 1.959964**2)  # Wilson's
    sides = [Estimate(0.0, 0.0, bound, np.nan), Estimate(1.0, 1 - bound, 1.0, np.nan)]
    drawn = [np.full(11, one.value) for one in sides]
    assert difference_interval(*drawn) == (1.0, 1.0)
    assert difference_interval(*drawn, sides) == pytest.approx((0.6075, 1.0), abs=1e-4)


def test_a_metric_that_most_draws_lack_has_no_interval() -> None:
    drawn = np.array([0.5, np.nan, np.nan, 0.4])
    assert np.isnan(difference_interval(drawn, drawn)).all()


def test_each_draw_is_the_metric_of_resampled_patients() -> None:
    split = split_of([0, 0, 1, 1, 1, 0], [0.1, 0.7, 0.6, 0.8, 0.9, 0.2])
    draws = len(split.bootstrap(2).weights)
    cut = {"0.5": {"a": np.full(1 + draws, 0.5)}}
    found = draws_of(split, cut, 2, prevalence=0.1)
    weights = split.bootstrap(2).weights
    score, label = split.scores["a"], split.label
    for k in (0, 1, 2):
        rows = np.repeat(np.arange(6), weights[k].astype(int))
        own_label, own_score = label[rows], score[rows]
        positive, negative = own_score[own_label == 1], own_score[own_label == 0]
        pairs = positive[:, None] - negative[None]
        auc = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
        assert found["a", "auc", ""][1 + k] == pytest.approx(auc)
        recall, false = (positive >= 0.5).mean(), (negative >= 0.5).mean()
        assert found["a", "recall", "0.5"][1 + k] == pytest.approx(recall)
        expected = recall * 0.1 / (recall * 0.1 + false * 0.9)
        adjusted = found["a", "precision_internal_prevalence", "0.5"][1 + k]
        assert adjusted == pytest.approx(expected)


def test_internal_and_external_patients_are_drawn_independently() -> None:
    """Two copies of one set: with the same draws, every difference would be 0."""
    rng = np.random.default_rng(1)
    label = np.arange(60) % 2
    split = split_of(label.tolist(), rng.random(60).tolist())
    draws = len(split.bootstrap().weights)
    cut = {"0.5": {"a": np.full(1 + draws, 0.5)}}
    one, other = (draws_of(split, cut, seed, 0.5)["a", "auc", ""] for seed in (0, 2))
    assert abs(np.corrcoef(one[1:], other[1:])[0, 1]) < 0.1
    low, high = difference_interval(one, other)
    assert low < 0 < high


def test_the_error_of_seeds_counts_once() -> None:
    draws = np.array([1.0, 1.0, 1.0, 1.0])
    sides = [Estimate(1.0, 0.8, 1.0, np.nan), Estimate(1.0, 0.9, 1.0, np.nan)]
    bounds = [difference_interval(draws, draws, sides, error) for error in (0.0, 0.01)]
    assert bounds[0] == bounds[1] == (pytest.approx(-0.1), pytest.approx(0.2))
    assert difference_interval(draws, draws, (), 0.01) == pytest.approx((-0.0196, 0.0196), abs=1e-4)

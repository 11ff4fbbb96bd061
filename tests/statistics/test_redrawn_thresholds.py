"""Intervals in which validation patients, and with them the threshold, are drawn again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from benchmarks.io.results import Results
from benchmarks.metrics.binary import evaluate
from benchmarks.metrics.bootstrap import PatientBootstrap
from benchmarks.metrics.operating_points import (
    RedrawnThreshold,
    threshold_at_recall,
    thresholds_in_draws,
)
from benchmarks.metrics.ranking import ranking_metrics
from benchmarks.statistics import comparisons
from benchmarks.statistics.comparisons import Scored, compare_pairs

DRAWS = 400


def made(
    seed: int, patients: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    group = np.arange(patients).repeat(rng.integers(1, 4, patients)).astype(object)
    label = (group.astype(int) % 3 > 0).astype(int)
    return group, label, np.clip(0.3 * label + 0.7 * rng.random(len(group)), 0, 1), rng


def test_precision_by_a_loop_over_validation_and_test_patients() -> None:
    group_v, label_v, score_v, _ = made(0, 50)
    group, label, score, _ = made(1, 60)
    validation = PatientBootstrap.draw(group_v, label_v, 1, DRAWS)
    test = PatientBootstrap.draw(group, label, 0, DRAWS)
    cut = thresholds_in_draws(label_v, score_v, validation.weights)
    threshold = threshold_at_recall(label_v, score_v)
    row = evaluate(label, score, threshold, np.full(len(label), ""), test,
                   redrawn=RedrawnThreshold(cut[:, None], other_patients=True))  # fmt: skip
    found = []
    for weight_v, weight in zip(validation.weights, test.weights, strict=True):
        drawn_v = np.repeat(np.arange(len(label_v)), weight_v.astype(int))
        drawn = np.repeat(np.arange(len(label)), weight.astype(int))
        own = score[drawn] >= threshold_at_recall(label_v[drawn_v], score_v[drawn_v])
        found.append(label[drawn][own].mean())
    expected = np.quantile(found, [0.025, 0.975])
    bounds = [row["precision_lo_threshold"], row["precision_hi_threshold"]]
    assert bounds == pytest.approx(expected.tolist())
    for name in ("recall", "specificity", "precision", "f1"):
        fixed = row[f"{name}_hi"] - row[f"{name}_lo"]
        assert row[f"{name}_hi_threshold"] - row[f"{name}_lo_threshold"] > fixed


def test_a_given_threshold_has_one_interval() -> None:
    group, label, score, _ = made(1, 60)
    row = evaluate(label, score, 0.5, np.full(len(label), ""),
                   PatientBootstrap.draw(group, label, 0, 50))  # fmt: skip
    for name in ("precision", "recall", "specificity", "accuracy"):
        assert row[f"{name}_lo_threshold"] == row[f"{name}_lo"]


def test_on_the_images_where_it_is_chosen_the_recall_hardly_varies() -> None:
    """Each draw chooses its threshold on the same images as it evaluates."""
    group, label, score, _ = made(2, 80)
    bootstrap = PatientBootstrap.draw(group, label, 0, DRAWS)
    cut = thresholds_in_draws(label, score, bootstrap.weights)
    row = evaluate(
        label, score, threshold_at_recall(label, score), np.full(len(label), ""), bootstrap,
        redrawn=RedrawnThreshold(cut[:, None], other_patients=False),
    )  # fmt: skip
    assert row["recall_lo_threshold"] >= 0.95


def test_differences_share_the_draws_of_validation_patients() -> None:
    """A method does not differ from itself, though both thresholds are uncertain."""
    group, label, score, rng = made(3, 60)
    bootstrap = PatientBootstrap.draw(group, label, 0, DRAWS)
    cut = np.concatenate([[0.4], rng.normal(0.4, 0.1, DRAWS)])
    points = {"0.5": np.full((2, 1 + DRAWS), 0.5), "recall95": np.stack([cut, cut])}
    scored = Scored(["a", "b"], label, group, np.stack([score, score]), points, bootstrap)
    table = compare_pairs(scored, [(0, 1)])
    own = table[(table["test"] == "bootstrap") & (table["operating_point"] == "recall95")]
    assert own[["difference", "lo", "hi"]].eq(0).all(axis=None)
    assert own.loc[own["metric"] == "specificity", "p"].tolist() == [1]


def test_differences_over_seeds_include_the_variance_between_seeds() -> None:
    group, label, score, _ = made(3, 60)
    bootstrap = PatientBootstrap.draw(group, label, 0, DRAWS)
    cuts = {point: np.full((2, 1 + DRAWS), 0.5) for point in ("0.5", "recall95")}

    def scored(shift: float) -> Scored:
        scores = np.stack([np.clip(score + shift, 0, 1), score])
        return Scored(["a", "b"], label, group, scores, cuts, bootstrap)

    def row(*seeds: Scored) -> pd.Series:
        table = compare_pairs(seeds[0], [(0, 1)], seeds[1:])
        own = (table["test"] == "bootstrap") & (table["metric"] == "specificity")
        return table[own & (table["operating_point"] == "recall95")].iloc[0]

    one, other = row(scored(0.05)), row(scored(0.3))
    both = row(scored(0.05), scored(0.3))
    assert both["difference"] == pytest.approx((one["difference"] + other["difference"]) / 2)
    error = np.std([one["difference"], other["difference"]], ddof=1) / np.sqrt(2)
    assert both["hi"] - both["difference"] > 1.95 * error
    same = row(scored(0.05), scored(0.05), scored(0.05))
    assert (same["lo"], same["hi"]) == pytest.approx((one["lo"], one["hi"]))


def test_delong_of_several_seeds_is_that_of_their_mean_auc() -> None:
    group, label, score, rng = made(5, 150)
    bootstrap = PatientBootstrap.draw(group, label, 0, 1000)
    cuts = {point: np.full((2, 1001), 0.5) for point in ("0.5", "recall95")}
    noise = rng.normal(size=(3, 2, len(score))) * np.array([[0.4], [0.2]])
    seeds = [Scored(["a", "b"], label, group, score + one, cuts, bootstrap) for one in noise]

    def row(*own: Scored) -> pd.Series:
        table = compare_pairs(own[0], [(0, 1)], own[1:])
        return table[table["test"] == "clustered_delong"].iloc[0]

    # Independent: the variance of the mean difference over bootstrap draws of patients.
    weights = bootstrap.with_original()
    draws = np.array([
        [ranking_metrics(label, method, weights).auc for method in one.scores] for one in seeds
    ])  # fmt: skip
    by_seed = draws[:, 0] - draws[:, 1]
    error = np.hypot(by_seed.mean(axis=0)[1:].std(), by_seed[:, 0].std(ddof=1) / np.sqrt(3))
    found = row(*seeds)
    assert found["value_a"] == pytest.approx(draws[:, 0, 0].mean())
    assert found["difference"] == pytest.approx(by_seed[:, 0].mean())
    assert (found["hi"] - found["lo"]) / 2 == pytest.approx(1.96 * error, rel=0.1)
    ratio = found["difference"] / ((found["hi"] - found["lo"]) / 2 / 1.959964)
    assert found["p"] == pytest.approx(2 * ndtr(-abs(ratio)), abs=1e-7)
    columns = ["value_a", "value_b", "difference", "lo", "hi", "p", "p_holm"]
    one, same = row(seeds[0]), row(seeds[0], seeds[0])
    assert same[columns].tolist() == pytest.approx(one[columns].tolist(), rel=1e-6, abs=1e-12)


def test_delong_of_equal_methods_over_seeds() -> None:
    group, label, score, _ = made(6, 60)
    bootstrap = PatientBootstrap.draw(group, label, 0, 10)
    cuts = {point: np.full((2, 11), 0.5) for point in ("0.5", "recall95")}
    seeds = [
        Scored(["a", "b"], label, group, np.stack([one, one]), cuts, bootstrap)
        for one in (score, -score)
    ]
    table = compare_pairs(seeds[0], [(0, 1)], seeds[1:])
    own = table[table["test"].isin(["delong", "clustered_delong"])]
    assert own[["difference", "lo", "hi"]].to_numpy().tolist() == [[0, 0, 0]] * 2
    assert own["p"].tolist() == [1, 1]


def test_an_external_model_is_compared_with_the_mean_over_seeds(tmp_path: Path) -> None:
    group, label, score, rng = made(4, 60)
    cells = {"hog/svm/seed0": 0, "hog/svm/seed1": 1, "external/x": 0}
    predictions, scores = [], []
    for cell, seed in cells.items():
        features, model = cell.split("/")[:2]
        own = np.clip(score + 0.1 * rng.normal(size=len(score)), 0, 1)
        known = {"cell": cell, "features": features, "model": model, "seed": seed, "split": "test"}
        predictions.append(pd.DataFrame({
            **known, "fold": 0, "image": [f"{k:03d}" for k in range(len(label))], "group": group,
            "subtype": "", "label": label, "score": own,
        }))  # fmt: skip
        scores += [{**known, "status": "ok", "operating_point": point, "threshold": 0.5}
                   for point in ("0.5", "recall95")]  # fmt: skip
    empty = pd.DataFrame()
    results = Results(tmp_path, {}, empty, empty, pd.concat(predictions), pd.DataFrame(scores),
                      empty, empty)  # fmt: skip
    table = comparisons.tabulate(results)["comparisons"]
    line = table[(table["test"] == "bootstrap") & (table["metric"] == "auc")].iloc[0]
    areas = [roc_auc_score(label, part["score"]) for part in predictions]
    assert (line["cell_a"], line["cell_b"]) == ("hog/svm/seed0", "external/x")
    assert line["value_a"] == pytest.approx(np.mean(areas[:2]))
    assert line["value_b"] == pytest.approx(areas[2])

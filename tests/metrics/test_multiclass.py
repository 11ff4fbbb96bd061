"""Metrics of several classes, by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from benchmarks.metrics.bootstrap import PatientBootstrap
from benchmarks.metrics.multiclass import confusion_counts, decide, evaluate, rates

# Two images of class 0, three of 1, one of 2; predicted 0, 1 | 1, 1, 2 | 2.
LABEL = np.array([0, 0, 1, 1, 1, 2])
PROBA = np.array(
    [[.8, .1, .1], [.3, .6, .1], [.2, .7, .1], [.1, .5, .4], [.2, .3, .5], [.1, .1, .8]]
)  # fmt: skip


def drawn(label: np.ndarray, patients: np.ndarray | None = None) -> PatientBootstrap:
    groups = np.arange(len(label)) if patients is None else patients
    return PatientBootstrap.draw(groups.astype(object), label, seed=0, draws=400)


def test_counts_and_rates_by_hand() -> None:
    counts = confusion_counts(LABEL, decide(PROBA), 3)
    assert counts[0].tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]
    values = rates(counts)
    np.testing.assert_allclose(values["precision"][0], [1, 2 / 3, 1 / 2])
    np.testing.assert_allclose(values["recall"][0], [1 / 2, 2 / 3, 1])
    np.testing.assert_allclose(values["specificity"][0], [1, 2 / 3, 4 / 5])
    np.testing.assert_allclose(values["f1"][0], [2 / 3, 2 / 3, 2 / 3])
    assert values["accuracy"].tolist() == [4 / 6]


def test_rows_are_classes_then_their_macro_average() -> None:
    rows = evaluate(LABEL, PROBA, drawn(LABEL))
    assert [row["n"] for row in rows] == [2, 3, 1, 6]
    macro = rows[-1]
    assert macro["precision"] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)
    assert macro["recall"] == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert macro["f1"] == pytest.approx(2 / 3)
    assert macro["accuracy"] == pytest.approx(4 / 6)
    # Class 0: .8, .3 | .2 .1 .2 .1; class 1: .7 .5 .3 | .1 .6 .1, 7 of 9; class 2: .8 over all.
    assert [row["auc"] for row in rows] == pytest.approx([1, 7 / 9, 1, 25 / 27])
    assert "accuracy" not in rows[0]


def test_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, 200)
    proba = rng.dirichlet(np.ones(4), 200).round(2) + 0.5 * np.eye(4)[label] * rng.random((200, 1))
    predicted = proba.argmax(axis=1)
    rows = evaluate(label, proba, drawn(label))
    for name, function in (("precision", sk.precision_score), ("recall", sk.recall_score),
                           ("f1", sk.f1_score)):  # fmt: skip
        np.testing.assert_allclose(
            [row[name] for row in rows[:4]], function(label, predicted, average=None)
        )
        assert rows[-1][name] == pytest.approx(function(label, predicted, average="macro"))
    target = np.eye(4)[label]
    assert rows[-1]["auc"] == pytest.approx(sk.roc_auc_score(target, proba, average="macro"))
    expected = sk.average_precision_score(target, proba, average="macro")
    assert rows[-1]["average_precision"] == pytest.approx(expected)
    assert rows[-1]["accuracy"] == pytest.approx(sk.accuracy_score(label, predicted))
    assert rows[-1]["recall"] == pytest.approx(sk.balanced_accuracy_score(label, predicted))


def test_two_classes_equal_the_binary_metrics() -> None:
    label, score = np.array([0, 1, 1, 0, 1]), np.array([0.2, 0.9, 0.4, 0.6, 0.8])
    rows = evaluate(label, np.column_stack([1 - score, score]), drawn(label))
    assert rows[1]["recall"] == pytest.approx(2 / 3)
    assert rows[0]["recall"] == rows[1]["specificity"] == pytest.approx(1 / 2)
    assert rows[1]["auc"] == pytest.approx(5 / 6)


def test_a_class_never_predicted_has_precision_0() -> None:
    rows = evaluate(LABEL, PROBA - [0, 0, 1], drawn(LABEL))
    assert (rows[2]["precision"], rows[2]["recall"], rows[2]["f1"]) == (0, 0, 0)


def test_interval_resamples_whole_patients() -> None:
    """All images of a patient are right, or all wrong: accuracy is a mean over patients."""
    label = np.repeat(np.arange(3), 20)
    proba = np.eye(3)[np.where(np.arange(60) % 20 < 10, label, (label + 1) % 3)]
    patients = np.arange(60) // 10  # six patients of ten images, three of them all wrong
    by_image, by_patient = (
        evaluate(label, proba, drawn(label, groups))[-1] for groups in (np.arange(60), patients)
    )
    assert by_patient["accuracy"] == by_image["accuracy"] == 0.5
    width = [row["accuracy_hi"] - row["accuracy_lo"] for row in (by_image, by_patient)]
    assert width[1] > 2 * width[0]


def test_every_draw_has_every_class() -> None:
    label = np.array([0] * 20 + [1] * 20 + [2] * 2)
    bootstrap = drawn(label)
    assert len(bootstrap.weights) == 400
    assert 20 < bootstrap.dropped < 120  # (1 - 2/42)**42, about 13 % of draws, lack class 2
    counts = np.stack([bootstrap.weights @ (label == k) for k in range(3)])
    assert (counts > 0).all()


def test_ranking_is_within_folds() -> None:
    """The ranking is perfect in each fold, but not over both, as one model scores higher."""
    label = np.array([0, 1, 2, 0, 1, 2])
    proba = np.r_[np.eye(3) * 0.3, np.eye(3) * 0.3 + 0.5]
    fold = np.repeat([1, 2], 3)
    assert evaluate(label, proba, drawn(label), fold)[-1]["auc"] == 1
    assert evaluate(label, proba, drawn(label))[-1]["auc"] < 1

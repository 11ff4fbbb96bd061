from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from models.platt import PlattScaled


def data(n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.75).astype(int)
    return rng.normal(size=(n, 2)) + 1.5 * y[:, None], y


def test_probabilities_match_prevalence_unless_balanced() -> None:
    X, y = data()
    plain = PlattScaled(SVC(), balanced=False).fit(X, y).predict_proba(X)[:, 1]
    balanced = PlattScaled(SVC(), balanced=True).fit(X, y).predict_proba(X)[:, 1]
    assert plain.mean() == pytest.approx(y.mean(), abs=0.04)
    assert balanced.mean() < plain.mean() - 0.05


def test_ranking_equals_that_of_decision_values() -> None:
    X, y = data()
    scaled = PlattScaled(SVC()).fit(X, y)
    order = np.argsort(scaled.decision_function(X))
    assert (np.diff(scaled.predict_proba(X)[order, 1]) >= 0).all()


def test_a_patient_is_never_in_two_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data(60)
    X[:, 0] = patients = np.arange(60) // 4
    y = (patients % 3 > 0).astype(int)
    seen: list[set[float]] = []
    fit = SVC.fit
    monkeypatch.setattr(SVC, "fit", lambda self, X, y: seen.append(set(X[:, 0])) or fit(self, X, y))
    PlattScaled(SVC()).fit(X, y, groups=patients)
    folds, whole = seen[:3], seen[3]
    assert whole == set(patients)
    held_out = [whole - fold for fold in folds]
    assert sum(map(len, held_out)) == len(whole)  # so no patient is in two of them
    assert set.union(*held_out) == whole


def test_separated_classes_keep_a_finite_slope() -> None:
    X, y = data()
    proba = PlattScaled(SVC()).fit(X + 50 * y[:, None], y).predict_proba(X + 50 * y[:, None])[:, 1]
    assert 0.9 < proba[y == 1].min() < proba.max() < 1
    assert 0 < proba.min() < proba[y == 0].max() < 0.1


def test_too_few_patients_is_a_clear_error() -> None:
    X, y = data(20)
    with pytest.raises(ValueError, match="2 patients of one class"):
        PlattScaled(SVC()).fit(X, y, groups=y * 10 + np.arange(20) % 2)

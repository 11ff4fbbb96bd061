"""Uncertainty over repetitions: means, learning curves and inflation with planted spreads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from benchmarks.io.columns import MORE_TABLES
from benchmarks.metrics.bootstrap import percentile_interval
from benchmarks.report.sections import leakage
from benchmarks.report.sections.learning import gains_texts
from benchmarks.studies.leaky import inflation
from benchmarks.studies.learning import gains
from benchmarks.studies.repeats import mean_over_repeats
from tests.helpers import results_of, words_of

PATIENTS = {0.25: 100, 0.5: 200, 1.0: 400}
B = 400


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_without_patient_noise_the_interval_is_that_of_student() -> None:
    values = np.array([0.2, 0.5, 0.6, 0.9])
    draws = mean_over_repeats(np.tile(values[:, None], 4001), generator())
    expected = t.interval(0.95, 3, values.mean(), values.std(ddof=1) / 2)
    assert draws[0] == pytest.approx(values.mean())
    np.testing.assert_allclose(percentile_interval(draws[1:]), expected, atol=0.003)


def test_one_repeat_has_the_draws_of_patients_only() -> None:
    one = generator().random((1, 50))
    np.testing.assert_array_equal(mean_over_repeats(one, generator()), one[0])


def test_intervals_cover_the_truth_with_both_sources_of_spread() -> None:
    """Estimates = 0 + error of the patients (shared) + error of each repetition."""
    rng, inside = generator(), 0
    for _ in range(600):
        patients = rng.normal(scale=1.0)
        values = patients + rng.normal(scale=2.0, size=5)
        draws = np.column_stack([values, values[:, None] + rng.normal(size=(1, B))])
        low, high = percentile_interval(mean_over_repeats(draws, rng)[1:])
        inside += low <= 0 <= high
    assert 0.93 <= inside / 600 <= 0.99


def curve(slope: float, spread: float, draws: int = 4) -> tuple[dict, dict]:
    """Scores that rise by ``slope`` per doubling; the series differ by ``spread``."""
    keys = [(fraction, draw) for fraction in PATIENTS for draw in range(1, draws + 1)]
    keys = [key for key in keys if key[0] < 1 or key[1] == 1]
    scored = {
        (fraction, draw): {
            "auc": np.full(
                1 + B,
                0.8 + slope * np.log2(PATIENTS[fraction] / 100)
                + (spread * (draw - (draws + 1) / 2) if fraction < 1 else 0),
            )
        }
        for fraction, draw in keys
    }  # fmt: skip
    return scored, {key: PATIENTS[key[0]] for key in keys}


def effects(scored: dict, patients: dict) -> pd.DataFrame:
    table = pd.DataFrame([{"cell": "a", **line} for line in gains(scored, patients)])
    return table[MORE_TABLES["learning_gains"]]


def test_the_slope_of_a_logarithmic_curve_is_exact() -> None:
    table = effects(*curve(0.01, 0.0)).set_index(["kind", "fraction_from", "fraction"])
    for key in (("doubling", 0.25, 1.0), ("doubling", 0.5, 1.0), ("step", 0.25, 0.5)):
        line = table.loc[key, ["value", "value_lo", "value_hi"]]
        np.testing.assert_allclose(line.to_numpy(float), 0.01, atol=1e-12)
    assert table.loc[("mean", 1.0, 1.0), "value"] == pytest.approx(0.82)
    assert (table["draws"] == 4).all()


def test_a_spread_between_subsets_larger_than_the_gain_hides_it() -> None:
    table = effects(*curve(0.002, 0.02))
    slopes = table[table["kind"] == "doubling"]
    assert ((slopes["value_lo"] < 0) & (slopes["value_hi"] > 0)).all()
    text = " ".join(gains_texts(table))
    assert "not shown to differ (difference 0.002" in text
    assert "equivalent" not in text
    steady = " ".join(gains_texts(effects(*curve(0.002, 0.0))))
    assert "higher, but by less than 0.02" in steady


def test_only_complete_series_count() -> None:
    scored, patients = curve(0.01, 0.0)
    del scored[0.5, 2]
    assert (effects(scored, patients)["draws"] == 3).all()
    del scored[1.0, 1]
    assert list(gains(scored, patients)) == []


def assignments(values: dict[str, list[float]]) -> dict:
    return {
        (kind, k): {"auc": np.full(1 + B, value)}
        for kind, own in values.items() for k, value in enumerate(own, start=1)
    }  # fmt: skip


def test_inflation_includes_the_spread_between_assignments() -> None:
    (sure,) = inflation(assignments({"patient": [0.90] * 3, "image": [0.93] * 3}))
    assert (sure["worth_lo"], sure["worth_hi"]) == pytest.approx((0.03, 0.03))
    (unsure,) = inflation(assignments({"patient": [0.88, 0.90, 0.92], "image": [0.91, 0.93, 0.95]}))
    assert unsure["worth"] == pytest.approx(0.03)
    assert unsure["worth_lo"] < 0 < unsure["worth_hi"]
    assert unsure["worth_hi"] - unsure["worth"] > 0.05  # wider than either kind alone (t: 4.3)


def test_leakage_is_worded_by_margin_and_number_of_assignments() -> None:
    base = {"cell": "a", "folds": 5, "images": 10, "patients": 5, "mixed": 0.5, "status": "ok"}
    bounds = {"grouped": (0.9, 0.8, 1), "leaky": (0.9, 0.8, 1), "worth": (0.001, -0.004, 0.006)}
    values = {n + end: v for n, own in bounds.items() for end, v in zip(("", "_lo", "_hi"), own,
              strict=True)}  # fmt: skip
    lines = [{**base, "metric": m, **values} for m in ("auc", "average_precision", "specificity")]
    several = [{"cell": "a", "kind": kind, "assignment": k, "metric": "auc", "value": 0.9}
               for kind in ("patient", "image") for k in (1, 2, 3)]  # fmt: skip
    table = pd.DataFrame(lines).reindex(columns=MORE_TABLES["leaky"])
    text = words_of(
        leakage.render(results_of({"leaky": table, "leaky_assignments": pd.DataFrame(several)}))
    )
    assert "assigned 3 times at random" in text
    assert "the one interval lies within ± 0.02" in text
    assert "assigned once" in words_of(leakage.render(results_of({"leaky": table})))

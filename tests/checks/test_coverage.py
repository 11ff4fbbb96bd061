"""The simulation of interval coverage, and its committed table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.checks.coverage import COLUMNS, SCENARIOS, Scenario, check, simulate, truths


@pytest.mark.parametrize("classes", ["one", "both"])
def test_simulated_patients_have_the_given_auc_and_correlation(classes: str) -> None:
    """20,000 patients: the AUC of the binormal model, and the given correlation."""
    scenario = Scenario("as the test set", classes, 20_000, 0.6)
    label, scores, group = simulate(scenario, np.random.default_rng(0))
    assert roc_auc_score(label, scores[0]) == pytest.approx(truths(scenario)["auc"], abs=0.005)
    pair = (group[1:] == group[:-1]) & (label[1:] == label[:-1]) & (label[1:] == 1)
    correlation = np.corrcoef(scores[0, 1:][pair], scores[0, :-1][pair])[0, 1]
    assert correlation == pytest.approx(0.6, abs=0.03)
    mixed = pd.Series(label).groupby(group).nunique().max() == 2
    assert mixed == (classes == "both")


def test_coverage_check_has_one_row_per_quantity_and_method() -> None:
    table = check(SCENARIOS[0], repetitions=4, bootstraps=2, seed=0)
    assert list(table.columns) == COLUMNS
    assert table.groupby("method")["repetitions"].agg(["count", "max"]).to_dict("index") == {
        "bootstrap": {"count": 4, "max": 2}, "clustered_delong": {"count": 2, "max": 4},
        "delong": {"count": 2, "max": 4},
    }  # fmt: skip
    assert ((table["lo"] <= table["coverage"]) & (table["coverage"] <= table["hi"])).all()


def test_committed_coverage_of_the_clustered_intervals() -> None:
    """On patients like those of the test set, 95 % intervals cover the truth in 93 to 97 %."""
    file = Path(__file__).parents[2] / "docs" / "checks" / "coverage.csv"
    table = pd.read_csv(file)
    assert list(table.columns) == COLUMNS
    assert len(table) == 8 * len(SCENARIOS)
    rows = table[(table["method"] == "clustered_delong") & (table["sizes"] == "as the test set")]
    assert len(rows) == 12
    assert rows["coverage"].between(0.93, 0.97).all()
    clustered = table[table["method"] == "clustered_delong"]
    assert clustered["variance_ratio"].between(0.9, 1.1).all()

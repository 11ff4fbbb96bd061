"""Sentences about class balancing: they follow from the intervals of the table."""

from __future__ import annotations

import pandas as pd

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.report.sections import balancing
from tests.helpers import results_of, words_of

Gain = tuple[float, float, float]
ALIKE = (0.001, -0.004, 0.006)


def ablation(auc: dict[str, list[Gain]], brier: Gain = ALIKE) -> Results:
    """Make an ablation of one feature set on the test set: gains of each method by classifier."""
    lines = []
    for balance, gains in {"none": [(0.0, 0.0, 0.0)] * 2, **auc}.items():
        for model, own in zip(("svm", "forest"), gains, strict=True):
            line = dict.fromkeys(MORE_TABLES["ablation"], 0.5) | {
                "features": "hog", "model": model, "balance": balance, "split": "test",
                "status": "ok", "reason": "",
            }  # fmt: skip
            for metric, gain in (("auc", own), ("brier", brier)):
                line |= {f"{metric}_gain{e}": v for e, v in zip(("", "_lo", "_hi"), gain,
                         strict=True)}  # fmt: skip
            lines.append(line)
    manifest = pd.DataFrame({"split": ["train", "test"], "label": [1, 0]})
    return results_of({"ablation": pd.DataFrame(lines)}, manifest=manifest)


def test_losses_are_counted_and_the_largest_is_named() -> None:
    text = words_of(balancing.render(ablation({
        "smote": [ALIKE, ALIKE],
        "undersample": [(-0.03, -0.04, -0.02), (-0.005, -0.01, -0.0005)],
    })))  # fmt: skip
    assert "of 4 intervals, 2 lie below 0, 0 lie above 0 and 3 lie within ± 0.02" in text
    assert "(corrected for looking at 4: 1, 0 and 3)" in text
    assert "largest loss is −0.0300 (95 % interval −0.0400 to −0.0200; corrected −0.0427" in text
    assert "of hog + svm with undersample" in text
    assert "undersample loses most on average: −0.0175, with 2 of 2 intervals" in text
    for claim in ("no consistent effect", "Most methods", "moving the threshold"):
        assert claim not in text


def test_no_loss_is_named_where_there_is_none() -> None:
    text = words_of(balancing.render(ablation({"smote": [ALIKE, ALIKE]})))
    assert "No comparison is worse than no balancing." in text
    assert "2 lie within ± 0.02" in text


def test_no_largest_loss_where_its_corrected_interval_includes_0() -> None:
    text = words_of(balancing.render(ablation({
        "smote": [ALIKE, ALIKE], "undersample": [(-0.02, -0.039, -0.001), ALIKE],
    })))  # fmt: skip
    assert "1 lies below 0" in text
    assert "largest loss" not in text
    assert "Corrected, no loss is shown; the largest estimate is −0.0200 (95 %" in text


def test_a_higher_brier_score_is_a_loss() -> None:
    text = words_of(balancing.render(ablation({"smote": [ALIKE, ALIKE]}, (0.02, 0.015, 0.025))))
    assert "largest loss is 0.0200 (95 % interval 0.0150–0.0250" in text
    assert "smote loses most on average: 0.0200, with 2 of 2 intervals" in text

"""Methods at matched recall: rates on the validation and the test set."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.metrics.bootstrap import with_interval
from benchmarks.metrics.operating_points import thresholds_in_draws
from benchmarks.metrics.proportions import wilson_over_thresholds
from benchmarks.metrics.rates import MAIN_RATES, confusion_in_draws
from benchmarks.statistics.split_scores import SplitScores, methods, read_split

TARGETS = (0.90, 0.95, 0.98)


def tabulate(results: Results) -> dict[str, pd.DataFrame]:
    """Tabulate the rates of every method at thresholds for three recalls.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of DataFrame
        ``matched``: one row per method, target and split, at thresholds chosen on the validation
        set. ``matched_on_test``: one row per method and target, at thresholds chosen on the test
        set itself; these describe the test scores and are no result. Each bootstrap draw chooses
        the thresholds again, so intervals include their uncertainty.
    """
    cells = methods(results)
    validation, test = (read_split(results, name, cells) for name in ("validation", "test"))
    lines: list[dict[str, Any]] = []
    for cell in validation.scores:
        for split, data in (("validation", validation), ("test", test)):
            found = _lines(cell, validation, data)
            lines += [{"cell": cell, "split": split, **line} for line in found]
    on_test = [{"cell": cell, **line} for cell in test.scores for line in _lines(cell, test, test)]
    return {
        "matched": pd.DataFrame(lines, columns=MORE_TABLES["matched"]),
        "matched_on_test": pd.DataFrame(on_test, columns=MORE_TABLES["matched_on_test"]),
    }


def _lines(cell: str, source: SplitScores, data: SplitScores) -> list[dict[str, Any]]:
    """Rates on ``data`` at thresholds chosen on ``source``."""
    bootstrap, score, same = data.bootstrap(), data.scores[cell], source is data
    weights = bootstrap.with_original()
    lines = []
    for target in TARGETS:
        if same:
            cut = thresholds_in_draws(data.label, score, weights, target)
        else:
            cut = source.chosen_thresholds(cell, target)
        predicted = score >= cut[:, None]
        counts = confusion_in_draws(data.label, predicted, weights)
        line: dict[str, Any] = {"target_recall": target, "threshold": cut[0]}
        for name in MAIN_RATES:
            line |= with_interval(name, getattr(counts, name))
        for name, hit, of in (("recall", predicted, 1), ("specificity", ~predicted, 0)):
            if not same:
                bounds = wilson_over_thresholds(hit[1:], data.label == of, bootstrap.patient)
                line |= dict(zip((f"{name}_lo", f"{name}_hi"), bounds, strict=True))
        lines.append(line)
    return lines

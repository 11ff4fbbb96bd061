"""The table of published results, and its section of the report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets import kermany
from benchmarks.datasets.kermany import KERMANY
from benchmarks.io.columns import SCORE_COLUMNS
from benchmarks.io.results import Results
from benchmarks.paper.published import (
    COLUMNS,
    MEDMNIST,
    METRICS,
    OFFICIAL,
    OTHER,
    PRIVATE,
    ledger,
    which_test_set,
)
from benchmarks.report.sections import published
from benchmarks.statistics.method_rows import rows


def test_every_row_is_complete() -> None:
    found = ledger()
    assert found.columns.tolist() == COLUMNS
    assert set(found["test_set"]) == {OFFICIAL, MEDMNIST, PRIVATE, OTHER}
    assert set(found["comparable"]) <= {"yes", "partly", "no"}
    assert set(found["read"]) <= {"primary", "abstract", "secondhand"}
    assert found["address"].str.startswith("https://").all()
    assert (found["why"].str.len() > 20).all()
    values = found[METRICS].to_numpy()
    assert ((values > 0.5) & (values <= 1) | np.isnan(values)).all()  # fractions, not percent
    assert found[METRICS].notna().any(axis=1).all()


def test_private_splits_and_other_pixels_are_not_fully_comparable() -> None:
    found = ledger()
    others = found["test_set"].isin([PRIVATE, OTHER])
    assert set(found.loc[others, "comparable"]) == {"no"}
    assert set(found.loc[others, "read"]) <= {"abstract", "secondhand"}
    assert "yes" not in set(found.loc[found["test_set"] == MEDMNIST, "comparable"])


def test_kermanys_accuracy_contradicts_recall_and_specificity() -> None:
    found = ledger()
    one = found[found["test_set"] == OFFICIAL].iloc[0]
    implied = (one["recall"] * 390 + one["specificity"] * 234) / 624
    assert one["accuracy"] == 0.928
    assert f"{implied:.3f}"[1:] == ".920"
    assert ".920, not the .928" in one["why"]


def run(folder: Path, citation: str = KERMANY.citation, positives: int = 390) -> Results:
    """Two methods on 624 test images; svm is better on validation, forest on test."""
    label = (np.arange(624) < positives).astype(int)
    manifest = pd.DataFrame({"image": [f"i{k}" for k in range(624)], "split": "test",
                             "label": label, "group": np.arange(624)})  # fmt: skip
    lines = [
        {"cell": f"hog/{model}/seed0", "features": "hog", "model": model, "seed": 0,
         "split": split, "operating_point": point, "status": "ok", "reason": "",
         "average_precision": chosen, "auc": auc, "auc_lo": auc - 0.01, "auc_hi": auc + 0.01,
         "accuracy": 0.9}
        for model, chosen, auc in (("svm", 0.99, 0.97), ("forest", 0.98, 0.99))
        for split in ("validation", "test")
        for point in ("0.5", "recall95")
    ]  # fmt: skip
    scores = pd.DataFrame(lines).reindex(columns=SCORE_COLUMNS)
    empty = pd.DataFrame()
    return Results(folder, {"data": {"citation": citation}}, manifest, empty, empty, scores, empty,
                   empty)  # fmt: skip


@pytest.mark.parametrize(
    ("citation", "positives", "expected"),
    [
        (KERMANY.citation, 390, OFFICIAL),
        (kermany.MEDMNIST.citation, 390, MEDMNIST),
        (KERMANY.citation, 389, ""),
        ("", 390, ""),
    ],
)
def test_published_test_set_is_identified_by_citation_and_counts(
    tmp_path: Path, citation: str, positives: int, expected: str
) -> None:
    assert which_test_set(run(tmp_path, citation, positives)) == expected


def test_another_task_has_no_published_results(tmp_path: Path) -> None:
    results = run(tmp_path)
    results.run["config"] = {"task": "subtype"}
    assert which_test_set(results) == ""


def test_other_data_are_not_compared(tmp_path: Path) -> None:
    section = published.render(run(tmp_path, positives=100))
    (block,) = section.blocks
    assert "its results are not comparable with them" in "".join(
        map(str, getattr(block, "parts", ()))
    )


def small_ledger() -> pd.DataFrame:
    """Three results on the same images, with AUC below, inside and above 0.96–0.98; one private."""
    return pd.DataFrame({
        "source": ["A", "B", "C", "D"], "address": "https://x", "year": [2018.0] * 4, "method": "m",
        "test_set": [OFFICIAL, MEDMNIST, MEDMNIST, PRIVATE],
        "accuracy": [0.9, 0.8, 0.95, 0.999], "recall": np.nan, "specificity": np.nan,
        "precision": np.nan, "auc": [0.9599, 0.96, 0.991, 0.999],
        "comparable": ["yes", "partly", "partly", "no"], "why": "w", "read": "primary",
    })  # fmt: skip


def test_text_counts_results_inside_the_interval(tmp_path: Path) -> None:
    results = run(tmp_path)
    best = [row for row in rows(results) if row.model == "svm"]
    text = published.text(small_ledger(), best, OFFICIAL)
    assert (
        "hog + svm, selected on the validation set, has a test AUC of 0.970 (0.960–0.980)" in text
    )
    assert "from 0.960 to 0.991: 1 of 3 lie within this interval, 1 above and 1 below" in text
    assert "Comparability of these 3 results with this run: 1 full, 2 partial" in text
    assert "accuracies of 0.999–0.999" in text
    assert "MedMNIST's pixels" not in text
    assert "MedMNIST's pixels" in published.text(small_ledger(), best, MEDMNIST)


def test_other_protocols_are_not_beside_this_run(tmp_path: Path) -> None:
    section = published.render(run(tmp_path))
    tables = {block.name: block for block in section.blocks if block.kind == "table"}
    beside = {row[2].text for row in tables["published"].rows}
    apart = {row[2].text for row in tables["published-other"].rows}
    assert (beside, apart) == ({OFFICIAL, MEDMNIST}, {PRIVATE, OTHER})
    (figure,) = (block for block in section.blocks if block.kind == "figure")
    found = ledger()
    own = int(found["test_set"].isin([OFFICIAL, MEDMNIST]).sum())
    assert len(tables["published"].rows) == own + 1  # this run's best method
    assert "another test set" not in figure.svg


def test_leaders_are_selected_on_validation(tmp_path: Path) -> None:
    section = published.render(run(tmp_path))
    text = "".join(map(str, section.blocks))
    assert "hog + svm" in text
    assert "hog + forest" not in text
    assert len(re.findall(r"<svg ", text)) == 1

"""Recall by kind of pneumonia and false positives by series, checked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.io.columns import MORE_TABLES, PREDICTION_COLUMNS, SCORE_COLUMNS
from benchmarks.io.results import Results, read_results, write_table
from benchmarks.metrics.proportions import clustered_wilson
from benchmarks.report.sections import subgroups as section
from benchmarks.statistics import subgroups
from tests.report.test_report import make_run

# (patient, kind, score) of 16 test images.
IMAGES = [
    *((f"IM/{k}", "", s) for k, s in enumerate([0.9, 0.1, 0.1, 0.1, 0.1])), ("IM/0", "", 0.9),
    *((f"NORMAL2/{k}", "", s) for k, s in enumerate([0.3, 0.3, 0.9, 0.1, 0.1])),
    ("bacteria/1", "bacteria", 0.4), ("bacteria/1", "bacteria", 0.8),
    ("virus/1", "virus", 0.8), ("virus/2", "virus", 0.8), ("virus/3", "virus", 0.8),
]  # fmt: skip


def made(images: list[tuple[str, str, float]] = IMAGES, chosen: float = 0.25) -> Results:
    group, kind, score = zip(*images, strict=True)
    predictions = pd.DataFrame({
        "cell": "hog/svm/seed0", "split": "test", "fold": 0, "group": group, "subtype": kind,
        "image": [f"{k}.png" for k in range(len(group))], "score": score,
        "label": [int(one != "") for one in kind],
    }).reindex(columns=PREDICTION_COLUMNS)  # fmt: skip
    scores = pd.DataFrame({
        "cell": "hog/svm/seed0", "features": "hog", "model": "svm", "split": "test",
        "status": "ok", "operating_point": ["0.5", "recall95"], "threshold": [0.5, chosen],
    }).reindex(columns=SCORE_COLUMNS)  # fmt: skip
    empty = pd.DataFrame()
    return Results(Path(), {}, empty, empty, predictions, scores, empty, empty)


def test_values_by_hand() -> None:
    table = subgroups.tabulate(made())["subgroups"]
    assert table.columns.tolist() == MORE_TABLES["subgroups"]
    found = {
        (line["operating_point"], line["name"]): (line["n"], line["patients"], line["value"])
        for line in table.to_dict("records")
    }
    assert found == {
        ("0.5", "bacteria"): (2, 1, 1 / 2), ("recall95", "bacteria"): (2, 1, 1),
        ("0.5", "virus"): (3, 3, 1), ("recall95", "virus"): (3, 3, 1),
        ("0.5", "bacteria − virus"): (5, 4, -1 / 2), ("recall95", "bacteria − virus"): (5, 4, 0),
        ("0.5", "IM"): (6, 5, 2 / 6), ("recall95", "IM"): (6, 5, 2 / 6),
        ("0.5", "NORMAL2"): (5, 5, 1 / 5), ("recall95", "NORMAL2"): (5, 5, 3 / 5),
        ("0.5", "IM − NORMAL2"): (11, 10, pytest.approx(2 / 6 - 1 / 5)),
        ("recall95", "IM − NORMAL2"): (11, 10, pytest.approx(2 / 6 - 3 / 5)),
    }  # fmt: skip
    assert set(table.loc[table["kind"] == "series", "metric"]) == {
        "false_positive_rate", "false_positive_rate_difference",
    }  # fmt: skip


def test_intervals_know_patients() -> None:
    """IM has 6 images of 5 patients, and both images of one patient are predicted positive."""
    table = subgroups.tabulate(made())["subgroups"].set_index(["operating_point", "name"])
    im = table.loc[("0.5", "IM")]
    hit, patient = np.array([1, 1, 0, 0, 0, 0], dtype=bool), np.array([0, 0, 1, 2, 3, 4])
    expected = clustered_wilson(hit, np.ones(6, dtype=bool), patient)
    assert (im["lo"], im["hi"]) == pytest.approx(expected)
    virus = table.loc[("0.5", "virus")]
    assert virus["value"] == virus["hi"] == 1
    assert virus["lo"] < 0.9


@pytest.mark.parametrize(
    "images",
    [
        IMAGES[:9] + IMAGES[11:],  # three patients of NORMAL2
        [(group.replace("NORMAL2", "IM"), *rest) for group, *rest in IMAGES],
        [(group.replace("/", "-"), *rest) for group, *rest in IMAGES],
    ],
    ids=["few patients", "one series", "names without series"],
)
def test_series_need_two_with_five_patients(images: list[tuple[str, str, float]]) -> None:
    assert set(subgroups.tabulate(made(images))["subgroups"]["kind"]) == {"subtype"}


def test_a_method_without_selected_threshold_has_rows_at_0_5_only() -> None:
    table = subgroups.tabulate(made(chosen=float("nan")))["subgroups"]
    assert set(table["operating_point"]) == {"0.5"}


def test_section_says_what_the_table_holds(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", n=200)
    plain = " ".join(str(b.parts) for b in section.render(read_results(folder)).blocks
                     if b.kind == "paragraph")  # fmt: skip
    assert "no two series" in plain
    write_table(folder, "subgroups", subgroups.tabulate(made())["subgroups"])
    shown = section.render(read_results(folder))
    text = " ".join(str(b.parts) for b in shown.blocks if b.kind == "paragraph")
    assert "IM (6 images of 5 patients), NORMAL2 (5 images of 5 patients)" in text
    assert "The difference (IM − NORMAL2) at the threshold for recall ≥ 0.95 on the validation " \
        "set is −0.267: the one interval contains 0." in text  # fmt: skip
    (table,) = [b for b in shown.blocks if b.kind == "table" and b.name == "series"
                and "html" in b.formats]  # fmt: skip
    row = next(row for row in table.rows if [c.text for c in row[:2]] == ["hog", "svm"])
    assert [c.text for c in row[2:]] == ["0.333", "0.200", "0.133", "0.333", "0.600", "−0.267"]

"""Comparisons of methods within a run and between two runs, and what the report says of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.commands.compare import compare, readable
from benchmarks.io.columns import METRICS, TABLES
from benchmarks.io.results import RunError, read_tables, write_run, write_table
from benchmarks.metrics.bootstrap import PatientBootstrap
from benchmarks.report.blocks import Bullets, Figure, Paragraph, Section, Table
from benchmarks.report.sections import differences
from benchmarks.statistics.comparisons import COLUMNS, Scored, compare_pairs

# Seven images of six patients; the fourth and the fifth are of one.
LABEL = np.array([1, 1, 1, 1, 0, 0, 0])
GROUP = np.array(["p1", "p2", "p3", "p4", "p4", "p5", "p6"], dtype=object)
SURE = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2])
UNSURE = np.array([0.9, 0.3, 0.7, 0.35, 0.8, 0.6, 0.2])
DRAWS = PatientBootstrap.draw(GROUP, LABEL, seed=0)
EACH = np.ones(1 + len(DRAWS.weights))
CUTS = {"0.5": np.outer([0.5, 0.5], EACH), "recall95": np.outer([0.6, 0.3], EACH)}


def write(folder: Path, scores: dict[str, np.ndarray], cuts: dict[str, float]) -> Path:
    """A run folder with these cells' scores of the seven images, the last image first."""
    folder.mkdir()
    images = [f"test/{k}.jpeg" for k in range(len(LABEL))]
    manifest = pd.DataFrame({
        "image": images, "label": LABEL, "class": "x", "subtype": "", "group": GROUP,
        "split": "test", "sha256": [f"{k:064x}" for k in range(len(LABEL))], "width": 9,
        "height": 9, "frames": 1,
    })  # fmt: skip
    write_table(folder, "manifest", manifest.reindex(columns=TABLES["manifest"]))
    parts = [
        pd.DataFrame({"cell": cell, "split": "test", "image": images, "group": GROUP,
                      "label": LABEL, "score": values, "seed": 0, "fold": 0})[::-1]
        for cell, values in scores.items()
    ]  # fmt: skip
    write_table(folder, "predictions", pd.concat(parts).reindex(columns=TABLES["predictions"]))
    lines = [
        {"cell": cell, "split": "test", "operating_point": point, "status": "ok", "seed": 0,
         "threshold": 0.5 if point == "0.5" else cuts[cell]}
        for cell in scores for point in ("0.5", "recall95")
    ]  # fmt: skip
    lines.append({"cell": "lbp/svm/seed0", "status": "failed", "reason": "why"})
    write_table(folder, "scores", pd.DataFrame(lines).reindex(columns=TABLES["scores"]))
    for name in ("features", "training", "intensity"):
        write_table(folder, name, pd.DataFrame(columns=TABLES[name]))
    write_run(folder, {})
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    first = write(tmp_path / "a", {"hog/svm/seed0": SURE, "hog/forest/seed0": UNSURE},
                  {"hog/svm/seed0": 0.6, "hog/forest/seed0": 0.3})  # fmt: skip
    second = write(tmp_path / "b", {"hog/svm/seed0": UNSURE, "pixels/cnn/seed0": SURE},
                   {"hog/svm/seed0": 0.3, "pixels/cnn/seed0": 0.6})  # fmt: skip
    return first, second


def only(table: pd.DataFrame, test: str, metric: str, point: str) -> pd.Series:
    rows = table[
        (table["test"] == test) & (table["metric"] == metric) & (table["operating_point"] == point)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_pair_by_hand() -> None:
    """What each method gets right is counted in the comments."""
    scored = Scored(["a", "b"], LABEL, GROUP, np.array([SURE, UNSURE]), CUTS, DRAWS)
    table = compare_pairs(scored, [(0, 1)])
    assert list(table.columns) == COLUMNS
    assert table["test"].value_counts().to_dict() == {
        "bootstrap": 2 * (len(METRICS) - 3) + 3, "clustered_delong": 1, "delong": 1,
        "sign_flip": 3, "mcnemar": 3,
    }  # fmt: skip
    # b's negatives .8 .6 .2: its .9 beats three, .3 one, .7 two, .35 one: 7 of 12.
    area = only(table, "clustered_delong", "auc", "")
    assert area["value_a"] == 1
    assert area["value_b"] == pytest.approx(7 / 12)
    assert area["difference"] == pytest.approx(5 / 12)
    # At their thresholds (.6 and .3) a is right on all, b calls all positive but the last.
    right = only(table, "mcnemar", "accuracy", "recall95")
    assert (right["only_a"], right["only_b"]) == (2, 0)
    assert right["p"] == pytest.approx(0.5)
    assert only(table, "mcnemar", "specificity", "recall95")["only_a"] == 2
    assert only(table, "sign_flip", "recall", "recall95")["p"] == 1
    assert right["difference"] == pytest.approx(2 / 7)
    # At 0.5 b calls .9 .7 .8 .6: two right, two false alarms.
    assert only(table, "bootstrap", "recall", "0.5")["difference"] == pytest.approx(1 - 2 / 4)
    assert only(table, "bootstrap", "precision", "0.5")["difference"] == pytest.approx(1 - 2 / 4)
    assert only(table, "bootstrap", "specificity", "recall95")["value_b"] == pytest.approx(1 / 3)


def test_bootstrap_interval_is_of_paired_differences() -> None:
    """By an explicit loop over the shared draws; only the recall needs no library."""
    scored = Scored(["a", "b"], LABEL, GROUP, np.array([SURE, UNSURE]), CUTS, DRAWS)
    row = only(compare_pairs(scored, [(1, 0)]), "bootstrap", "recall", "0.5")
    differences = []
    for weight in DRAWS.weights:
        drawn = np.repeat(np.arange(7), weight.astype(int))
        drawn = drawn[LABEL[drawn] == 1]
        differences.append((UNSURE[drawn] >= 0.5).mean() - (SURE[drawn] >= 0.5).mean())
    expected = np.quantile(differences, [0.025, 0.975])
    assert [row["lo"], row["hi"]] == pytest.approx(expected.tolist())
    assert expected[0] < -0.5 < expected[1]


def test_holm_is_over_the_pairs_of_a_test() -> None:
    rng = np.random.default_rng(0)
    label, group = np.repeat([1, 0], 100), np.arange(200).astype(object)
    scores = np.array([label * shift for shift in (2.0, 1.0, 0.9)]) + rng.normal(size=(3, 200))
    cuts = {point: np.full((3, 21), 0.5) for point in ("0.5", "recall95")}
    draws = PatientBootstrap.draw(group, label, seed=0, draws=20)
    scored = Scored(list("abc"), label, group, scores, cuts, draws)
    table = compare_pairs(scored, [(0, 1), (0, 2), (1, 2)])
    for test, metric in (("clustered_delong", "auc"), ("delong", "auc"), ("mcnemar", "recall"),
                         ("sign_flip", "specificity"), ("bootstrap", "specificity")):  # fmt: skip
        rows = table[(table["test"] == test) & (table["metric"] == metric)]
        rows = rows[rows["operating_point"] != "0.5"].sort_values("p")
        p, adjusted = rows["p"].to_numpy(), rows["p_holm"].to_numpy()
        assert adjusted[0] == pytest.approx(min(1, 3 * p[0]))
        assert adjusted[1] == pytest.approx(max(adjusted[0], min(1, 2 * p[1])))
    tested = table.loc[(table["test"] == "bootstrap") & table["p"].notna(), "metric"]
    assert set(tested) == {"specificity", "precision"}


def test_runs_are_compared_cell_by_cell(runs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    table = compare(*runs, out=out)
    assert set(table["cell_a"]) == set(table["cell_b"]) == {"hog/svm/seed0"}
    area = only(table, "clustered_delong", "auc", "")
    assert (area["value_a"], area["value_b"]) == (1, pytest.approx(7 / 12))
    assert only(table, "mcnemar", "accuracy", "recall95")["only_a"] == 2
    assert list(pd.read_csv(out).columns) == COLUMNS
    assert "0.417" in readable(table)


def test_chosen_cells_are_compared(runs: tuple[Path, Path]) -> None:
    table = compare(*runs, ["hog/forest/seed0=hog/svm/seed0", "hog/svm/seed0=pixels/cnn/seed0"])
    areas = table[table["test"] == "clustered_delong"]
    assert areas["cell_b"].tolist() == ["hog/svm/seed0", "pixels/cnn/seed0"]
    assert areas["difference"].tolist() == [0, 0]
    assert areas["p_holm"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("image", "test/9.jpeg", "'test/6.jpeg' is in the first only"),
        ("sha256", "f" * 64, "'test/6.jpeg' has the sha256 0{63}6"),
        ("group", "p7", "'test/6.jpeg' has the group p6"),
        ("label", 1, "'test/6.jpeg' has the label 0"),
    ],
)
def test_other_images_are_refused(
    runs: tuple[Path, Path], column: str, value: object, message: str
) -> None:
    manifest = read_tables(runs[1], ("manifest",))["manifest"]
    manifest[column] = [*manifest[column][:-1], value]
    write_table(runs[1], "manifest", manifest)
    predictions = read_tables(runs[1], ("predictions",))["predictions"]
    if column in predictions:
        predictions.loc[predictions["image"] == "test/6.jpeg", column] = value
        write_table(runs[1], "predictions", predictions)
    with pytest.raises(RunError, match=message):
        compare(*runs)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["lbp/svm/seed0"], "a has no finished cell 'lbp/svm/seed0'; it has hog/svm/seed0, hog"),
        (["hog/svm/seed0=hog"], "b has no finished cell 'hog'; it has hog/svm/seed0, pixels"),
    ],
)
def test_unknown_cells_are_refused(runs: tuple[Path, Path], cells: list[str], message: str) -> None:
    with pytest.raises(RunError, match=message):
        compare(*runs, cells)


def test_no_common_cell_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = write(tmp_path / "c", {"lbp/forest/seed0": SURE}, {"lbp/forest/seed0": 0.6})
    with pytest.raises(RunError, match="--cells A=B"):
        compare(runs[0], other)


def test_missing_score_is_refused(runs: tuple[Path, Path]) -> None:
    predictions = pd.read_csv(runs[0] / "predictions.csv")
    write_table(runs[0], "predictions", predictions.iloc[1:])
    with pytest.raises(RunError, match=r"no score of hog/svm/seed0 for 'test/6\.jpeg'"):
        compare(*runs)


def line(
    a: str, b: str, difference: float, p: float, p_holm: float, width: float = 0.1
) -> list[dict]:
    """A pair's three tests; plain DeLong has half the width and says that all differ."""
    values = {"cell_a": a, "cell_b": b, "value_a": 0.9, "value_b": 0.9 - difference,
              "difference": difference, "operating_point": ""}  # fmt: skip
    bounds = {"lo": difference - width / 2, "hi": difference + width / 2}
    half = {"lo": difference - width / 4, "hi": difference + width / 4}
    return [
        {**values, **bounds, "test": "clustered_delong", "metric": "auc", "p": p, "p_holm": p_holm},
        {**values, **half, "test": "delong", "metric": "auc", "p": 0.001, "p_holm": 0.003},
        *({**values, "test": test, "metric": metric, "only_a": 12, "only_b": 4, "p": 0.08,
           "p_holm": 0.2, "operating_point": "recall95"}
          for test in ("sign_flip", "mcnemar") for metric in ("accuracy", "recall", "specificity")),
        *({**values, **bounds, "test": "bootstrap", "metric": metric, "p": 0.01, "p_holm": 0.03,
           "operating_point": "recall95"} for metric in ("specificity", "precision")),
    ]  # fmt: skip


def results_of(table: list[dict]) -> SimpleNamespace:
    """Three methods; on validation the forest is better than the SVM."""
    precision = {"hog/svm/seed0": 0.8, "hog/forest/seed0": 0.9, "pixels/cnn/seed0": 0.7}
    scores = pd.DataFrame([
        {"cell": cell, "features": cell.split("/")[0], "model": cell.split("/")[1], "seed": 0,
         "split": split, "operating_point": "0.5", "status": "ok", "reason": "",
         "average_precision": value}
        for cell, value in precision.items() for split in ("validation", "test")
    ])  # fmt: skip
    comparisons = pd.DataFrame(table, columns=COLUMNS)
    return SimpleNamespace(
        tables={"comparisons": comparisons}, scores=scores, run={}, manifest=pd.DataFrame()
    )


def words(section: Section) -> str:
    blocks = [block.parts for block in section.blocks if isinstance(block, Paragraph)]
    for block in section.blocks:
        blocks += block.items if isinstance(block, Bullets) else ()
    return "\n".join("".join(map(str, parts)) for parts in blocks)


@pytest.mark.parametrize(
    ("seeds", "said"), [(1, ""), (2, "means over seeds, with the variance between them; decisions")]
)
def test_report_says_which_comparisons_average_seeds(seeds: int, said: str) -> None:
    results = results_of(line("hog/svm/seed0", "hog/forest/seed0", 0.02, 0.3, 0.6))
    more = results.scores.assign(seed=1, cell=results.scores["cell"].str.replace("seed0", "seed1"))
    results.scores = pd.concat([results.scores, more][:seeds], ignore_index=True)
    text = words(differences.render(results))
    assert "The tests compare these fitted methods" in text
    assert ("the first seed of each" in text) == (seeds > 1)
    assert said in text


def test_report_names_the_significant_differences() -> None:
    """The classical method is stored first, but the sentence is about the CNN."""
    section = differences.render(results_of([
        *line("hog/svm/seed0", "hog/forest/seed0", 0.02, 0.3, 0.6),
        *line("hog/svm/seed0", "pixels/cnn/seed0", -0.04, 0.2, 0.6),
        *line("hog/forest/seed0", "pixels/cnn/seed0", -0.06, 0.0001, 0.0003),
    ]))  # fmt: skip
    text = words(section)
    assert "Of 3 pairs of methods, 1 differs significantly in AUC" in text
    assert (
        "CNN, end to end, versus hog + forest, the classical method with the highest average "
        "precision on the validation set: AUC 0.960 versus 0.900, difference 0.060 (0.010–0.110); "
        "p < 0.001, < 0.001 after Holm’s correction: significant." in text
    )
    assert "versus the 1 other: it has a significantly higher AUC than none" in text
    assert "Classifiers on the same feature set differ significantly in 0 of 1 pairs." in text
    assert "It would find 3 significant differences" in text
    assert "50 % narrower" in text
    figure = next(block for block in section.blocks if isinstance(block, Figure))
    assert "1 of 3 pairs are marked" in figure.alt
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert len(table.rows) == 1  # the forest leads its feature set, and the CNN
    assert [cell.text for cell in table.rows[0]] == [
        "hog + forest", "CNN, end to end", "−0.060", "< 0.001", "< 0.001", "−0.060", "0.030",
        "−0.060", "0.030",
    ]  # fmt: skip
    assert [cell.best for cell in table.rows[0]] == [False] * 4 + [True, False, True, False, True]
    shown = [b for b in section.blocks if isinstance(b, Table) and "html" in b.formats]
    decisions = shown[1]
    assert [cell.text for cell in decisions.rows[0][2:6]] == ["12", "4", "0.200", "0.200"]


def test_report_of_a_pair_that_could_not_be_tested() -> None:
    nan = float("nan")
    section = differences.render(
        results_of(line("hog/forest/seed0", "pixels/cnn/seed0", 0.5, nan, nan, nan))
    )
    text = words(section)
    assert "Of 1 pair of methods, none differs significantly in AUC" in text
    assert "1 of them could not be tested" in text
    assert "difference −0.500; the difference could not be tested." in text


def test_report_without_comparisons() -> None:
    section = differences.render(results_of([]))
    assert len(section.blocks) == 1
    assert "no table of comparisons" in words(section)

"""The gap between cross-validation and test, checked by hand and against the scores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from benchmarks.fitting.cell import Cell
from benchmarks.fitting.cell_result import CellResult
from benchmarks.fitting.cross_validation import CV, cross_fitted_thresholds_in_draws
from benchmarks.fitting.split_indices import SplitIndices
from benchmarks.io import results
from benchmarks.io.columns import MORE_TABLES, TABLES
from benchmarks.io.results import Results, read_results, write_table
from benchmarks.metrics.bootstrap import PatientBootstrap, metric_interval
from benchmarks.report.sections import gap as section
from benchmarks.report.sections.gap import from_cross_validation, recall_text
from benchmarks.run.result_tables import ResultTables
from benchmarks.statistics import gap
from benchmarks.statistics.method_rows import finished
from benchmarks.statistics.split_scores import SplitScores, read_split
from tests.report.test_report import make_run


@dataclass(frozen=True, eq=False)
class Drawn(SplitScores):
    """A split with given bootstrap weights of patients."""

    weights: np.ndarray = field(default_factory=lambda: np.ones((1, 4)))

    def bootstrap(self) -> PatientBootstrap:
        return PatientBootstrap(self.weights, np.arange(4))


def test_metrics_of_draws_by_hand() -> None:
    names = np.array(list("abcd"), dtype=object)
    label, score = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.6, 0.2])
    weights = np.array([[1.0, 1, 1, 1], [2, 0, 1, 1]])
    split = Drawn(names, names, names, label, np.zeros(4, int), {"x": score}, weights)
    drawn = gap.draws_of(split, [
        ("x", "0.5", np.full((1, 1), 0.5)), ("x", "recall95", np.array([[1, 0.4, 1, 0]])),
    ])  # fmt: skip
    expected = {
        ("precision", "0.5"): [1 / 2, 2 / 3], ("recall", "0.5"): [1 / 2, 1],
        ("specificity", "0.5"): [1 / 2, 1 / 2],
        # Predicted positive: the second positive and the second negative.
        ("precision", "recall95"): [1 / 2, 0], ("recall", "recall95"): [1 / 2, 0],
        ("specificity", "recall95"): [1 / 2, 1 / 2],
        ("auc", ""): [3 / 4, 1], ("average_precision", ""): [5 / 6, 1],
        ("brier", ""): [0.77 / 4, 0.42 / 4],
    }  # fmt: skip
    assert {key[1:] for key in drawn} == set(expected)
    for (metric, point), values in expected.items():
        assert drawn["x", metric, point] == pytest.approx(values, abs=1e-12)


def test_splits_of_equal_size_are_resampled_independently() -> None:
    """The variance of a difference of independent resamples is the sum of their variances."""
    rng = np.random.default_rng(5)
    patients = np.array([f"p{k:03d}" for k in range(80)], dtype=object)
    label = (np.arange(80) % 2).astype(np.int64)
    split = SplitScores(patients, patients, patients, label, np.zeros(80, int),
                        {"x": rng.random(80)})  # fmt: skip
    drawn = gap.draws_of(split, [])["x", "brier", ""]
    assert gap.gap_draws(drawn, drawn).var() == pytest.approx(2 * drawn.var(), rel=0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Three methods on 60 training, 40 validation and 40 test patients of 1 to 3 images."""
    return make(tmp_path_factory.mktemp("gap"), seeds=1)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The same with three seeds of each method; the first method's are equal."""
    return make(tmp_path_factory.mktemp("seeds"), seeds=3)


def make(folder: Path, seeds: int) -> Results:
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(140), rng.integers(1, 4, 140))
    split = np.select([group < 60, group < 100], ["train", "validation"], "test")
    label = (group % 5 > 1).astype(np.int64)
    manifest = pd.DataFrame({
        "image": [f"{k:03d}.png" for k in range(len(group))], "label": label, "split": split,
        "group": [f"p{g:03d}" for g in group], "subtype": "",
    }).reindex(columns=TABLES["manifest"])  # fmt: skip
    parts = {name: np.flatnonzero(split == name) for name in ("train", "validation", "test")}
    rows = SplitIndices(label, manifest["group"].to_numpy(dtype=object), parts.pop("train"), parts)
    fold = group[rows.train] % 3 + 1
    models = ("svm", "forest", "logistic")
    cells = [Cell("hog", model, "none", seed) for model in models for seed in range(seeds)]
    tables = ResultTables(folder, cells, manifest, rows, fold)
    noise = rng.random(len(label))
    for cell in cells:
        k = models.index(cell.model)
        if k:
            noise = rng.random(len(label))
        score = np.round((0.3 * label + 0.7 * noise) ** (1 + k / 2), 2)
        outcome = CellResult(cell, scores={name: score[part] for name, part in parts.items()})
        if k < 2:  # the third was not cross-validated
            outcome.folds = {n: score[rows.train][fold == n] for n in (1, 2, 3)}
        tables.add(outcome)
    for name in ("features", "intensity"):
        write_table(folder, name, pd.DataFrame(columns=TABLES[name]))
    write_table(folder, "manifest", manifest)
    results.write_run(folder, {})
    return read_results(folder)


def test_cross_validation_and_test_values_equal_the_scores(run: Results) -> None:
    table = gap.tabulate(run)["gap"]
    assert table.columns.tolist() == MORE_TABLES["gap"]
    assert table["cell"].unique().tolist() == ["hog/svm/seed0", "hog/forest/seed0"]
    assert len(table) == 2 * (2 * 3 + 3)
    scores = run.scores.set_index(["cell", "split", "operating_point"])
    for line in table.to_dict("records"):
        for name, split in (("cv", "cv"), ("official", "test")):
            row = scores.loc[line["cell"], split, line["operating_point"] or "0.5"]
            for end in ("", "_lo", "_hi"):
                more = "_threshold" if end and line["operating_point"] else ""
                assert line[name + end] == row[line["metric"] + end + more]
        assert line["gap"] == line["cv"] - line["official"]
        assert line["gap_lo"] < line["gap"] < line["gap_hi"]


def test_resamples_equal_those_of_the_intervals_in_the_scores(run: Results) -> None:
    """The interval of a gap uses the same patients, folds and thresholds as the scores."""
    cell = "hog/forest/seed0"
    split = read_split(run, CV, [cell])
    weights, score = split.bootstrap().weights, split.scores[cell]
    chosen = cross_fitted_thresholds_in_draws(split.label, score, split.fold, weights)
    drawn = gap.draws_of(split, [(cell, "recall95", chosen)])
    table = gap.tabulate(run)["gap"]
    for line in table[(table["cell"] == cell) & (table["operating_point"] != "0.5")].to_dict(
        "records"
    ):
        values = drawn[cell, line["metric"], line["operating_point"]]
        found = metric_interval(line["metric"], np.append(line["cv"], values))
        assert found == pytest.approx((line["cv_lo"], line["cv_hi"]), abs=1e-12)


def test_gap_of_several_seeds_is_that_of_their_mean(seeds: Results) -> None:
    table = gap.tabulate(seeds)["gap"]
    assert table["cell"].unique().tolist() == ["hog/svm/seed0", "hog/forest/seed0"]
    scores = seeds.scores.set_index(["model", "split", "operating_point"])
    auc = table[table["metric"] == "auc"].set_index("cell").loc["hog/forest/seed0"]
    cv, official = (
        scores.loc[("forest", split, "0.5"), "auc"].to_numpy(float) for split in ("cv", "test")
    )
    assert auc["cv"] == pytest.approx(cv.mean())
    assert auc["official"] == pytest.approx(official.mean())
    assert auc["gap"] == pytest.approx((cv - official).mean())
    # By hand: the means over seeds in each draw, widened by the standard error over seeds.
    cells = [f"hog/forest/seed{k}" for k in range(3)]
    drawn = [gap.draws_of(read_split(seeds, split, cells), []) for split in (CV, "test")]
    means = [np.mean([one[cell, "auc", ""] for cell in cells], axis=0) for one in drawn]
    low, high = np.nanquantile(means[0] - means[1][::-1], [0.025, 0.975])
    error = 1.959964 * np.std(cv - official, ddof=1) / np.sqrt(3)
    assert auc["gap_lo"] == pytest.approx(auc["gap"] - np.hypot(auc["gap"] - low, error))
    assert auc["gap_hi"] == pytest.approx(auc["gap"] + np.hypot(high - auc["gap"], error))


def test_equal_seeds_give_the_gap_of_one_seed(run: Results, seeds: Results) -> None:
    one, three = (
        table[table["cell"] == "hog/svm/seed0"].drop(columns=["cell", "metric", "operating_point"])
        for table in (gap.tabulate(run)["gap"], gap.tabulate(seeds)["gap"])
    )
    np.testing.assert_allclose(three.to_numpy(float), one.to_numpy(float), atol=1e-12)


def test_seed_without_cross_validation_is_left_out(seeds: Results) -> None:
    scores = seeds.scores
    gone = (scores["cell"] == "hog/forest/seed2") & (scores["split"] == "cv")
    table = gap.tabulate(replace(seeds, scores=scores[~gone]))["gap"]
    auc = table[(table["metric"] == "auc") & (table["cell"] == "hog/forest/seed0")].iloc[0]
    own = scores[(scores["operating_point"] == "0.5") & (scores["seed"] < 2)]
    for name, split in (("cv", "cv"), ("official", "test")):
        values = own[(own["model"] == "forest") & (own["split"] == split)]["auc"]
        assert len(values) == 2
        assert auc[name] == pytest.approx(values.astype(float).mean())


def test_without_cross_validation_there_is_no_row(run: Results) -> None:
    scores = run.scores[run.scores["split"] != "cv"]
    alone = Results(run.folder, {}, run.manifest, run.features, run.predictions, scores,
                    run.training, run.intensity)  # fmt: skip
    assert gap.tabulate(alone)["gap"].empty


def lines(values: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Make a table of gaps with intervals of ± 0.1, the same for AUC and specificity."""
    return pd.DataFrame([
        {"cell": cell, "metric": metric, "operating_point": point, "cv": cv, "cv_lo": cv,
         "cv_hi": cv, "official": test, "official_lo": test, "official_hi": test,
         "gap": cv - test, "gap_lo": cv - test - 0.1, "gap_hi": cv - test + 0.1}
        for cell, (cv, test) in values.items()
        for metric, point in (("auc", ""), ("specificity", "recall95"))
    ])  # fmt: skip


def test_sentence_says_what_the_tables_hold() -> None:
    ranks = pd.DataFrame([{"metric": "auc", "methods": 4, "rho": -1, "rho_lo": -0.9, "rho_hi": 0}])
    text = from_cross_validation(
        lines({"a": (0.99, 0.6), "b": (0.9, 0.7), "c": (0.8, 0.75), "d": (0.7, 0.85)}), ranks
    )
    assert "In AUC, it is 0.125 in the median of 4 methods (−0.150 to 0.390)" in text
    assert "of 4 intervals, 1 lies below 0, 2 lie above 0 and 0 lie within ± 0.02" in text
    assert "corrected for looking at 4: 1, 2 and 0" in text
    assert "is −1.00 (4 methods; 95 % interval −0.90 to 0.00" in text
    assert "not fitted again" in text
    assert "The intervals are over patients. " in text
    assert "over patients and seeds. " in from_cross_validation(
        lines({"a": (0.9, 0.6)}), ranks[:0], several_seeds=True
    )
    one = from_cross_validation(lines({"a": (0.9, 0.6)}), ranks[:0])
    assert "In AUC, it is 0.300; the one interval lies above 0. In specificity" in one
    assert "Spearman" not in one


def test_rank_correlation_equals_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    cv, official = rng.integers(0, 6, (2, 8, 50)) / 10  # with ties
    expected = [spearmanr(a, b).statistic for a, b in zip(cv.T, official.T, strict=True)]
    np.testing.assert_allclose(gap.rank_correlation(cv, official), expected, atol=1e-12)


def test_rank_correlation_has_an_interval_from_independent_draws(run: Results) -> None:
    table = gap.tabulate(run)["gap_ranks"]
    methods = run.scores.loc[run.scores["split"] == "cv", "cell"].nunique()
    if methods < gap.FEWEST:
        assert table.empty
    rng = np.random.default_rng(0)
    true = np.linspace(0.6, 0.9, 5)
    draws = true[:, None] + rng.normal(scale=0.02, size=(2, 5, 500))
    (line,) = gap._ranks(true, true, *draws)
    assert line["rho"] == pytest.approx(1)
    assert -1 <= line["rho_lo"] < line["rho_hi"] <= 1
    for cv, official in (([0.9, 0.8], [0.7, 0.8]), ([0.9] * 3, [0.7, 0.8, 0.9])):
        one, other = np.array(cv), np.array(official)
        assert gap._ranks(one, other, one[:, None], other[:, None]) == []


def test_recall_is_counted_on_both_sides_of_its_target(tmp_path: Path) -> None:
    results = read_results(make_run(tmp_path / "run", n=200))
    scores = results.scores
    place = (scores["split"] == "test") & (scores["operating_point"] == "recall95")
    given = {"hog/svm/seed0": (0.99, 0.98, 1.0), "hog/forest/seed0": (0.9, 0.85, 0.93)}
    for cell, bounds in given.items():
        at = place & (scores["cell"] == cell)
        scores.loc[at, ["recall", "recall_lo_threshold", "recall_hi_threshold"]] = bounds
    chosen = [row for row in finished(results) if row.cells()[0] in given]
    assert len(chosen) == 2
    text = recall_text(chosen)
    assert "above 0.95 for 1 and below it for 1 of 2 methods, from 0.900 to 0.990" in text
    assert "1 lies below 0.95, 1 lies above 0.95 and 0 lie within 0.95 ± 0.05" in text


def test_section_shows_the_gap_where_there_is_one(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", n=200)
    without = section.render(read_results(folder))
    assert without.title == "Validation set versus test split"
    write_table(folder, "gap", lines({"hog/svm/seed0": (0.99, 0.9)}))
    shown = section.render(read_results(folder))
    assert "Cross-validation" in shown.title
    (table,) = [b for b in shown.blocks if b.kind == "table" and "html" in b.formats]
    row = next(row for row in table.rows if [c.text for c in row[:2]] == ["hog", "svm"])
    assert (row[5].text, row[5].detail) == ("0.090", "−0.010 to 0.190")
    other = next(row for row in table.rows if row[0].text == "CNN")
    assert other[5].text == "–"

"""Phantoms to phantoms:other: in a run, afterwards, and on the run's own test split."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError, take
from benchmarks.external_test import external_differences
from benchmarks.external_test.external_set import audit_external, read_external, shared_reading
from benchmarks.external_test.score_external import score_external
from benchmarks.io.columns import METRICS
from benchmarks.io.formatting import number
from benchmarks.io.results import Results, read_results
from benchmarks.report.sections import methods, other_hospitals
from benchmarks.report.writers import marks
from benchmarks.saved.stored_config import stored_config
from benchmarks.statistics.method_rows import rows
from run_benchmark import main
from tests.conftest import MakeOnce
from tests.helpers import words_of

pytestmark = pytest.mark.slow

CLASSES = ("NORMAL", "PNEUMONIA")
RUN = ["--features", "intensity", "--models", "logistic,xgboost", "--image-size", "48",
       "--limit", "150", "--study", "none", "--folds", "0", "--combine", "mean", "--views", "2",
       "--jobs", "1", "--test-data", "other=phantoms:other", "--quiet"]  # fmt: skip


def invoke(*arguments: str) -> str:
    """Run a command that renders no report, which would take longer than all else."""
    with pytest.MonkeyPatch.context() as patch:
        for command in ("run", "evaluate"):
            name = f"benchmarks.commands.{command}.render_report"
            patch.setattr(name, lambda folder: (folder / "report.html").touch())
        done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def section_text(folder: Path) -> str:
    """Render the section from the tables of a run folder."""
    results = read_results(folder)
    section = other_hospitals.render(results)
    assert other_hospitals.render(read_results(folder)) == section
    return "\n".join([words_of(section), *(str(block) for block in section.blocks)])


@pytest.fixture(scope="module")
def folder(make_once: MakeOnce) -> Path:
    """A run on phantoms that scored phantoms:other. Read only."""

    def make(out: Path) -> None:
        invoke(*RUN, "--out", str(out))

    return make_once("external_run", make)


@pytest.fixture(scope="module")
def run(folder: Path) -> Results:
    return read_results(folder)


@pytest.fixture(scope="module")
def evaluated(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run that scored its own test split, too."""
    copy = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(folder, copy)
    invoke("evaluate", str(copy), "--data", "own=phantoms", "--only-test", "--limit", "150",
           "--quiet")  # fmt: skip
    return copy


def test_every_image_is_scored_by_every_cell(run: Results) -> None:
    found = run.table("external_predictions")
    manifest = run.table("external_manifest")
    assert set(found["split"]) == {"external:other"}
    assert (found.groupby("cell")["image"].nunique() == len(manifest)).all()
    assert set(found["cell"]) == set(run.scores["cell"])
    assert len(set(manifest["image"]) | set(run.manifest["image"])) == len(manifest) + len(
        run.manifest
    )
    assert set(run.predictions["split"]) == {"validation", "test"}


def test_scores_follow_from_predictions_at_the_thresholds_of_the_run(run: Results) -> None:
    ours = run.scores[run.scores["split"] == "test"].set_index(["cell", "operating_point"])
    table = run.table("external_scores")
    assert len(table) == 2 * run.scores["cell"].nunique()
    for one in table.to_dict("records"):
        own = run.table("external_predictions").query("cell == @one['cell']")
        label, score = own["label"].to_numpy(), own["score"].to_numpy(dtype=float)
        threshold = ours.loc[(one["cell"], one["operating_point"]), "threshold"]
        assert one["threshold"] == threshold
        decision = score >= threshold
        assert one["auc"] == pytest.approx(roc_auc_score(label, score))
        assert one["recall"] == pytest.approx(recall_score(label, decision))
        assert one["specificity"] == pytest.approx(recall_score(1 - label, ~decision))
        assert one["precision"] == pytest.approx(precision_score(label, decision, zero_division=0))
        assert one["n_positive"] == label.sum()
        assert one["auc_lo"] <= one["auc"] <= one["auc_hi"]


def test_differences_are_between_the_scores_of_both_sets(run: Results) -> None:
    table = run.table("external_differences").set_index(["cell", "metric", "operating_point"])
    external = run.table("external_scores").set_index(["cell", "operating_point"])
    internal = run.scores[run.scores["split"] == "test"].set_index(["cell", "operating_point"])
    for cell in run.scores["cell"].unique():
        for metric, point in (("auc", ""), ("brier", ""), ("recall", "recall95"),
                              ("precision", "0.5")):  # fmt: skip
            one = table.loc[(cell, metric, point)]
            key = (cell, point or "0.5")
            assert one["internal"] == pytest.approx(internal.loc[key, metric])
            assert one["external"] == pytest.approx(external.loc[key, metric])
            assert one["difference"] == pytest.approx(one["external"] - one["internal"])
            assert one["difference_lo"] <= one["difference"] <= one["difference_hi"]


def test_thresholds_chosen_again_are_the_same_for_both_sets(
    run: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watched(split: Any, thresholds: Any, seed: int, prevalence: float) -> Any:
        seen.append(thresholds)
        return original(split, thresholds, seed, prevalence)

    original = external_differences.draws_of
    monkeypatch.setattr(external_differences, "draws_of", watched)
    external_differences.tabulate_differences(run, "other")
    assert seen[0] is seen[1]
    cut = next(iter(seen[0]["recall95"].values()))
    assert len(cut) == 2001
    assert len(set(cut)) > 2


def test_the_own_test_split_has_exactly_the_scores_of_the_internal_test(evaluated: Path) -> None:
    run = read_results(evaluated)
    found = run.table("external_predictions").query("split == 'external:own'")
    own = run.predictions.query("split == 'test'")
    merged = found.merge(own, on=["cell", "image"], suffixes=("", "_run"))
    assert len(merged) == len(found) == len(own)
    assert (merged["score"] == merged["score_run"]).all()
    columns = [name + end for name in METRICS for end in ("", "_lo", "_hi")]
    columns += [f"{name}{end}" for name in ("recall", "specificity", "precision")
                for end in ("_lo_threshold", "_hi_threshold")]  # fmt: skip
    index = ["cell", "operating_point"]
    scores = run.table("external_scores").query("split == 'external:own'").set_index(index)
    ours = run.scores.query("split == 'test'").set_index(index)
    pd.testing.assert_frame_equal(scores[columns], ours.loc[scores.index, columns])
    differences = run.table("external_differences").query("data == 'own'")
    assert np.allclose(differences["difference"].dropna(), 0, atol=1e-12)
    assert (differences["difference_lo"].dropna() <= 0).all()
    for name in ("comparisons", "calibration", "decision"):
        other = run.table(f"external_{name}").query("data == 'own'").drop(columns="data")
        pd.testing.assert_frame_equal(
            other.reset_index(drop=True), run.table(name), check_dtype=False
        )


def test_copies_of_test_images_are_shown_and_the_other_set_is_kept(evaluated: Path) -> None:
    run = read_results(evaluated)
    copies = run.table("external_copies")
    tests = run.manifest.query("split == 'test'")["image"]
    exact = copies[copies["kind"] == "exact"]
    assert set(exact["data"]) == {"own"}
    assert sorted(exact["image"]) == sorted(exact["copy_of"]) == sorted(tests)
    assert set(run.table("external_scores")["split"]) == {"external:other", "external:own"}
    assert set(run.run["test_data"]) == {"other", "own"}
    assert "Copy of a run" in section_text(evaluated)
    assert not any(one["leakage"] for one in run.run["test_data"].values())


def test_training_images_stop_the_test_or_mark_the_report(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    arguments = ["evaluate", str(copy), "--data", "all=phantoms", "--limit", "150", "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "identical to train and validation images of the run" in done.output
    assert "external:all" not in (copy / "external_predictions.csv").read_text()
    invoke(*arguments, "--allow-leakage")
    sentence = "The external test set all has findings that stop a test"
    assert sentence in section_text(copy)
    assert [mark.name for mark in marks(read_results(copy))] == [
        "SYNTHETIC DATA", "LEAKAGE ALLOWED",
    ]  # fmt: skip


def test_the_section_is_rendered_from_tables_alone(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    shutil.rmtree(copy / "models")
    text = section_text(copy)
    for words in ("Internal test set and external test set “other”", "0 near duplicates",
                  "about 150 of its images", "Nothing is fitted or chosen"):  # fmt: skip
        assert words in text


def test_main_results_and_methods_name_the_external_test(run: Results) -> None:
    row = next(one for one in rows(run) if one.label == "intensity + logistic")
    one = run.table("external_differences").query("cell == @row.cells()[0] and metric == 'auc'")
    (text,) = other_hospitals.headline_elsewhere(run, row)
    for column in ("internal", "external", "difference"):
        assert number(one[column].iloc[0]) in text
    (words,) = other_hospitals.tested_elsewhere(run)
    manifest = run.table("external_manifest")
    patients = manifest["group"].nunique()
    assert f"other (phantoms:other; {len(manifest)} images of {patients} patients)" in words
    assert words in words_of(methods.render(run))


def test_a_run_without_external_sets_says_how_to_score_one(quick_run: Path) -> None:
    assert "--test-data NAME=DATA" in str(other_hospitals.render(read_results(quick_run)))


def test_order_of_files_and_jobs_change_no_score(run: Results, folder: Path) -> None:
    config = stored_config(folder, {"jobs": 2, "quiet": True}).model_copy(
        update={"use_cache": False}
    )
    dataset = read_external(config, "phantoms:other", {}, CLASSES)
    order = np.random.default_rng(0).permutation(len(dataset.manifest))[:40]
    some = audit_external("other", take(dataset, order), run.manifest, None)
    keys = ["cell", "image"]
    found = score_external(run, config, some).set_index(keys)["score"]
    known = run.table("external_predictions").set_index(keys)["score"]
    assert (found == known.loc[found.index]).all()


def test_scoring_again_gives_the_same_tables(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    tables = sorted(path.name for path in copy.glob("external_*.csv"))
    before = {name: (copy / name).read_bytes() for name in tables}
    assert len(before) == 10
    invoke("evaluate", str(copy), "--data", "other=phantoms:other", "--limit", "150", "--quiet")
    assert {name: (copy / name).read_bytes() for name in tables} == before


def test_without_the_data_of_the_run_near_duplicates_are_not_looked_for(
    folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    record = json.loads((copy / "run.json").read_text())
    record["config"]["data"] = str(tmp_path / "gone")
    (copy / "run.json").write_text(json.dumps(record))
    text = invoke("evaluate", str(copy), "--data", "other=phantoms:other", "--limit", "150")
    assert "CAUTION: the run's data can't be read" in text
    assert "near duplicates were not looked for" in section_text(copy)


def test_classes_of_other_names_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = datasets.load(RunConfig(data="phantoms:other", quiet=True), 48)
    names = ("No Finding", "COVID")
    manifest = whole.manifest.assign(**{"class": np.take(names, whole.manifest["label"])})
    renamed = replace(whole, classes=names, manifest=manifest)
    monkeypatch.setattr(datasets, "load", lambda config, size: renamed)
    config = RunConfig(quiet=True, image_size=48)
    with pytest.raises(DataError, match="got the classes No Finding .* and COVID"):
        read_external(config, "phantoms:other", {}, CLASSES)
    with pytest.raises(DataError, match="got the classes"):
        read_external(config, "phantoms:other", {"positive": ("flu",)}, CLASSES)
    found = read_external(config, "phantoms:other", {"positive": ("covid",)}, CLASSES)
    assert found.classes == names
    # A known spelling of the negative class needs no word.
    assert read_external(config, "phantoms:other", {}, ("Normal", "Covid")).classes == names


def test_a_set_without_both_classes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = datasets.load(RunConfig(data="phantoms:other", quiet=True), 48)
    healthy = take(whole, np.flatnonzero(whole.manifest["label"] == 0))
    monkeypatch.setattr(datasets, "load", lambda config, size: healthy)
    with pytest.raises(DataError, match="expected images of NORMAL and PNEUMONIA"):
        read_external(RunConfig(quiet=True, image_size=48), "phantoms:other", {}, CLASSES)


def test_settings_on_reading_are_shared_by_sets_of_one_kind() -> None:
    config = RunConfig(data="phantoms", positive="1", test_fraction=0.2)
    assert shared_reading(config, "phantoms")["positive"] == ("1",)
    assert "test_fraction" not in shared_reading(config, "phantoms")
    assert shared_reading(config, "phantoms:other") == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-models"], "saved models score"),
        (["--task", "subtype"], "two classes"),
        (["--test-data", "nowhere=no/such/data"], "no/such/data"),
        (["--test-data", "other=phantoms"], "expected every name once"),
        (["--test-data", "phantoms"], "expected name=data"),
        (["--test-data", "a b=phantoms"], "expected letters, digits"),
    ],
)
def test_unusable_arguments(arguments: list[str], message: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kept = [one for one in RUN if one not in ("--combine", "mean")]
    done = CliRunner().invoke(main, [*kept, *arguments, "--out", str(out)])
    assert done.exit_code == 2
    assert message in done.output
    assert not out.exists()


def test_a_name_is_needed(folder: Path) -> None:
    done = CliRunner().invoke(main, ["evaluate", str(folder), "--data", "phantoms:other"])
    assert done.exit_code == 2
    assert "expected name=data" in done.output

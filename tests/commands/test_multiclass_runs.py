"""Runs of more than two classes: data in, tables and report out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn import metrics as sk

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets import splits
from benchmarks.datasets.dataset import DataError, Dataset, by_subtype
from benchmarks.io.columns import PREDICTION_COLUMNS
from run_benchmark import main
from tests.datasets.test_npz import arrays

pytestmark = pytest.mark.slow

SUBTYPES = ("NORMAL", "bacteria", "virus")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def load(data: Path | str, task: str = "subtype", **options: object) -> Dataset:
    config = RunConfig(data=str(data), task=task, quiet=True, jobs=1, **options)
    return datasets.load(config, 32)


@pytest.fixture
def three(radiograph_folder: Path) -> Path:
    """A folder of three classes, the viral pneumonias apart."""
    for split in ("train", "test"):
        (radiograph_folder / split / "VIRUS").mkdir()
        for file in (radiograph_folder / split / "PNEUMONIA").glob("*_virus_*"):
            file.rename(radiograph_folder / split / "VIRUS" / file.name)
    return radiograph_folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "first"
    done = invoke(
        "--task", "subtype", "--limit", 150, "--features", "hog", "--models",
        "svm,forest,xgboost,logistic", "--image-size", 48, "--folds", 2, "--study", "none",
        "--jobs", 1, "--quiet", "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.usefixtures("empty_report")
def test_two_workers_predict_as_one(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "second"
    done = invoke(
        "--task", "subtype", "--limit", 150, "--features", "hog", "--models", "svm,xgboost",
        "--image-size", 48, "--folds", 2, "--study", "none", "--jobs", 2, "--quiet", "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    one, two = (pd.read_csv(folder / "predictions.csv") for folder in (run, out))
    one = one[one["cell"].isin(two["cell"])]
    keys = ["cell", "split", "image"]
    assert set(two["split"]) == {"validation", "test", "cv"}
    pd.testing.assert_frame_equal(
        one.sort_values(keys, ignore_index=True), two.sort_values(keys, ignore_index=True),
        check_exact=True,
    )  # fmt: skip


def test_subtypes_come_from_file_names(radiograph_folder: Path) -> None:
    dataset = load(radiograph_folder)
    assert dataset.classes == SUBTYPES
    table = dataset.manifest
    assert (np.asarray(SUBTYPES)[table["label"]] == table["class"]).all()
    named = table["image"].str.extract("(bacteria|virus)")[0].fillna("NORMAL")
    assert (named == table["class"]).all()


def test_patients_are_split_as_in_two_classes(radiograph_folder: Path) -> None:
    two, more = (load(radiograph_folder, task) for task in ("binary", "subtype"))
    first, _ = splits.assign(two.manifest)
    second, _ = splits.assign(more.manifest, classes=more.classes)
    assert first.tolist() == second.tolist()
    np.testing.assert_array_equal(
        splits.folds(two.manifest[first == "train"], 3),
        splits.folds(more.manifest[second == "train"], 3),
    )


def test_a_pneumonia_without_subtype_is_named(radiograph_folder: Path) -> None:
    known = next((radiograph_folder / "test" / "PNEUMONIA").iterdir())
    shutil.copy(known, known.with_name("scan_1.jpeg"))
    with pytest.raises(DataError, match="1 images .* no subtype.*test/PNEUMONIA/scan_1.jpeg"):
        load(radiograph_folder)


def test_one_subtype_is_no_task() -> None:
    table = pd.DataFrame({"image": ["a", "b"], "label": [0, 1], "class": ["NORMAL", "PNEUMONIA"],
                          "subtype": ["", "virus"]})  # fmt: skip
    with pytest.raises(DataError, match="the subtypes virus, but .* at least two"):
        by_subtype(table, ("NORMAL", "PNEUMONIA"), "here")


def test_folders_are_classes(three: Path) -> None:
    dataset = load(three)
    assert dataset.classes == ("NORMAL", "PNEUMONIA", "VIRUS")
    folder = dataset.manifest["image"].str.split("/").str[1]
    assert (np.asarray(dataset.classes)[dataset.manifest["label"]] == folder).all()
    with pytest.raises(DataError, match="NORMAL, PNEUMONIA, VIRUS.*use --task subtype"):
        load(three, "binary")


def test_all_splits_need_the_same_classes(three: Path) -> None:
    shutil.rmtree(three / "test" / "VIRUS")
    with pytest.raises(
        DataError, match="found the folders NORMAL, PNEUMONIA, but expected .*VIRUS"
    ):
        load(three)


def test_an_empty_class_is_an_error(three: Path) -> None:
    shutil.rmtree(three / "test" / "VIRUS")
    (three / "test" / "VIRUS").mkdir()
    dataset = load(three)
    with pytest.raises(DataError, match="Split test has .* NORMAL and PNEUMONIA and VIRUS"):
        splits.assign(dataset.manifest, classes=dataset.classes)


@pytest.mark.parametrize("name", ["macro", "a.b"])
def test_class_names_that_tables_cannot_have(three: Path, name: str) -> None:
    for split in ("train", "test"):
        (three / split / "VIRUS").rename(three / split / name)
    with pytest.raises(DataError, match=f"the class '{name}', but expected names of letters"):
        load(three)


def test_labels_of_a_file_are_classes(tmp_path: Path) -> None:
    parts = arrays()
    for name in ("train", "val", "test"):
        parts[f"{name}_labels"] = np.arange(len(parts[f"{name}_labels"])) % 3
    np.savez(tmp_path / "organs.npz", **parts)
    dataset = load(tmp_path / "organs.npz")
    assert dataset.classes == ("0", "1", "2")
    assert dataset.manifest.set_index("image")["class"]["train/00005"] == "2"
    with pytest.raises(DataError, match="use --task subtype"):
        load(tmp_path / "organs.npz", "binary")
    assert load(tmp_path / "organs.npz", class_names="a,b,c").classes == ("a", "b", "c")
    with pytest.raises(DataError, match="got 2 names, but expected 3"):
        load(tmp_path / "organs.npz", class_names="a,b")
    np.savez(tmp_path / "two.npz", **arrays())
    with pytest.raises(DataError, match="have no subtype"):
        load(tmp_path / "two.npz", positive="1")


def test_tables_follow_from_predictions(run: Path) -> None:
    predictions = pd.read_csv(run / "predictions.csv")
    names = [f"score_{name}" for name in SUBTYPES]
    assert predictions.columns.tolist() == [*PREDICTION_COLUMNS, *names]
    assert predictions["score"].isna().all()
    np.testing.assert_allclose(predictions[names].sum(axis=1), 1, atol=1e-6)
    classes, confusions = (
        pd.read_csv(run / f"{name}.csv").groupby(["cell", "split"])
        for name in ("classes", "confusions")
    )
    assert len(classes) == 4 * 3  # cells, splits
    for (cell, split), part in predictions.groupby(["cell", "split"]):
        predicted = part[names].to_numpy().argmax(axis=1)
        rows = classes.get_group((cell, split)).set_index("class")
        assert rows.index.tolist() == [*SUBTYPES, "macro"]
        recall = sk.recall_score(part["label"], predicted, average=None)
        np.testing.assert_allclose(rows["recall"].iloc[:3], recall)
        assert rows.loc["macro", "recall"] == pytest.approx(recall.mean())
        # A class with one patient has no interval.
        assert not (rows["recall_lo"] > rows["recall"]).any()
        assert not (rows["recall"] > rows["recall_hi"]).any()
        assert rows.loc["macro", ["recall_lo", "recall_hi"]].notna().all()
        counts = confusions.get_group((cell, split))["n"].to_numpy().reshape(3, 3)
        np.testing.assert_array_equal(counts, sk.confusion_matrix(part["label"], predicted))
    assert not list(run.glob("calibration.csv"))


def test_cross_validated_auc_is_a_mean_over_folds(run: Path) -> None:
    predictions = pd.read_csv(run / "predictions.csv")
    part = predictions[(predictions["cell"] == "hog/svm/seed0") & (predictions["split"] == "cv")]
    expected = np.mean([
        sk.roc_auc_score(fold["label"] == 1, fold["score_bacteria"])
        for _, fold in part.groupby("fold")
    ])  # fmt: skip
    table = pd.read_csv(run / "classes.csv").set_index(["cell", "split", "class"]).sort_index()
    assert table.loc[("hog/svm/seed0", "cv", "bacteria"), "auc"] == pytest.approx(expected)


def test_report_is_rendered_again_from_tables_alone(run: Path) -> None:
    before = {
        name: (run / name).read_bytes() for name in ("report.html", "report.md", "tables.tex")
    }
    assert invoke("report", run).exit_code == 0
    assert {name: (run / name).read_bytes() for name in before} == before
    text = before["report.md"].decode()
    assert "random guessing has a macro recall of 0.333" in text
    for name in SUBTYPES:
        assert f"{name} against all other classes" in text
    assert "recall95" not in text


@pytest.mark.usefixtures("draft_figures")
def test_an_interrupted_run_goes_on_to_the_same_bytes(run: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shutil.copytree(run, part)
    lost = "hog/svm/seed0"
    for name in ("predictions", "classes", "confusions", "scores"):
        table = pd.read_csv(part / f"{name}.csv", dtype=str, keep_default_na=False)
        table[table["cell"] != lost].to_csv(part / f"{name}.csv", index=False, lineterminator="\n")
    done = invoke("--resume", part, "--quiet")
    assert done.exit_code == 0, done.output
    assert (part / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()
    timed = ["fit_seconds", "predict_seconds"]
    for name in ("classes", "confusions"):
        first, second = (
            pd.read_csv(folder / f"{name}.csv").drop(columns=timed, errors="ignore")
            for folder in (run, part)
        )
        pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_predict_refuses_more_than_two_classes(run: Path, radiograph_folder: Path) -> None:
    done = invoke("predict", run, radiograph_folder / "test")
    assert done.exit_code == 2
    assert "predict works with runs of two" in " ".join(done.output.split())


@pytest.mark.usefixtures("draft_figures")
def test_a_folder_with_a_network_and_a_cell_that_fails(three: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "run"
    done = invoke(
        "--data", three, "--task", "subtype", "--features", "hog,intensity", "--models",
        "logistic,cnn", "--backbone", "resnet10t", "--epochs", 1, "--image-size", 28, "--balance",
        "none", "--folds", 0, "--jobs", 1, "--allow-leakage", "--out", out, "--quiet",
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    table = pd.read_csv(out / "classes.csv").set_index("cell")
    assert set(table["class"]) == {"NORMAL", "PNEUMONIA", "VIRUS", "macro"}
    assert (table.loc["hog/logistic/seed0", "status"] == "failed").all()
    assert table.loc["hog/logistic/seed0", "recall"].isna().all()
    assert (table.loc[["intensity/logistic/seed0", "pixels/cnn/seed0"], "status"] == "ok").all()
    assert table.loc["pixels/cnn/seed0", "recall"].notna().all()
    assert "the end-to-end CNN" in (out / "report.md").read_text()


@pytest.mark.real
@pytest.mark.usefixtures("draft_figures")
def test_real_subtypes_beat_guessing(real_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = invoke(
        "--data", real_data, "--task", "subtype", "--limit", 600, "--features", "hog",
        "--models", "logistic", "--image-size", 96, "--folds", 0, "--quiet", "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out / "classes.csv")
    macro = table[(table["split"] == "test") & (table["class"] == "macro")]
    assert (macro["recall_lo"] > 0.4).all()

"""Feature sets joined by +, one of them from a table, in a run and the commands that open it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import Dataset
from benchmarks.extraction.prepare import reading_size
from benchmarks.saved.model_files import load_cell, saved_cells
from run_benchmark import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

OWN, MIXED = "lbp+intensity", "net+intensity"


def done(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def phantoms(name: str) -> Dataset:
    config = RunConfig(data=name, limit=120, image_size=48)
    return datasets.load(config, reading_size(config))


def table(dataset: Dataset, path: Path) -> Path:
    features = np.random.default_rng(0).normal(size=(len(dataset.manifest), 3))
    features[:, 0] += dataset.manifest["label"]
    np.savez(path, image=dataset.manifest["image"].to_numpy(dtype=str), features=features)
    return path


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return phantoms("phantoms")


@pytest.fixture(scope="module")
def net(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table(dataset, tmp_path_factory.mktemp("elsewhere") / "net.npz")


@pytest.fixture(scope="module")
def run(net: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    done("--limit", 120, "--image-size", 48, "--features", f"{OWN}, net + intensity",
         "--features-from", f"net={net}", "--models", "logistic", "--folds", 0, "--augment", 1,
         "--combine", "mean", "--study", "ablation", "--test-data", "other=phantoms:other",
         "--quiet", "--no-cache", "--jobs", 1, "--out", out)  # fmt: skip
    return out


def test_a_joined_set_has_the_columns_of_all_its_families(run: Path) -> None:
    scores = pd.read_csv(run / "scores.csv")
    names = [f"{OWN}/logistic/seed0", f"{MIXED}/logistic/seed0"]
    assert list(dict.fromkeys(scores["cell"])) == [*names, "combined/mean/seed0"]
    assert set(scores["status"]) == {"ok"}
    assert saved_cells(run) == names
    assert (run / "models" / f"{MIXED}-logistic-seed0.json").is_file()
    counts = pd.read_csv(run / "features.csv").set_index("family")["dimension"]
    for name in names:
        columns = sum(counts[family] for family in name.split("/")[0].split("+"))
        assert load_cell(run, name).n_features_in_ == columns
    assert set(pd.read_csv(run / "ablation.csv")["features"]) <= {OWN, MIXED}


def test_papers_tell_computed_columns_from_those_of_a_table(run: Path) -> None:
    checklist = (run / "checklist_tripod_ai.md").read_text()
    assert f"Computed from the image only: {OWN}, intensity;" in checklist
    assert "Read from the table net.npz, whose origin this program does not know" in checklist
    report = (run / "report.md").read_text()
    assert f"{OWN} (LBP, Intensity), {MIXED} (net, Intensity)." in report
    assert f"The classifiers on {MIXED} were fitted on and scored the images alone." in report


def test_other_data_are_scored_with_the_tables_that_are_given(run: Path, tmp_path: Path) -> None:
    first = pd.read_csv(run / "external_predictions.csv")
    assert set(first["cell"]) == {f"{OWN}/logistic/seed0"}
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    other = table(phantoms("phantoms:other"), tmp_path / "other.npz")
    done("evaluate", copy, "--data", "again=phantoms:other", "--limit", 120, "--features-from",
         f"net={other}", "--quiet")  # fmt: skip
    scored = pd.read_csv(copy / "external_predictions.csv")
    scored = scored[scored["split"] == "external:again"]
    assert set(scored["cell"]) == set(pd.read_csv(run / "scores.csv")["cell"])
    same = scored[scored["features"] == OWN]["score"].to_numpy()
    np.testing.assert_array_equal(same, first["score"])


def test_new_images_have_the_scores_of_the_run(
    run: Path, net: Path, dataset: Dataset, tmp_path: Path
) -> None:
    manifest = pd.read_csv(run / "manifest.csv")
    k = int(np.flatnonzero(manifest["split"] == "test")[0])
    name = manifest["image"].iloc[k]
    Image.fromarray(np.asarray(dataset.images[k])).save(image := tmp_path / Path(name).name)
    given = ("--features-from", f"net={net}")
    done("predict", run, image, *given, "--out", tmp_path / "p.csv")
    known = pd.read_csv(run / "predictions.csv")
    known = known[(known["image"] == name) & (known["split"] == "test")].set_index("cell")["score"]
    scores = pd.read_csv(tmp_path / "p.csv").set_index("cell")["score"]
    assert set(scores.index) == set(known.index)
    np.testing.assert_array_equal(scores, known[scores.index])
    done("predict", run, image, "--cells", OWN)  # which needs no table
    for cells in (OWN, MIXED):
        own = given if cells == MIXED else ()
        done("explain", run, image, "--cells", cells, *own, "--out", out := tmp_path / cells,
             "--quiet")  # fmt: skip
        numbers = pd.read_csv(out / "explain.csv")
        assert (numbers["what"] == "neighbour").any()
        # No image can be covered for columns of a table, but those of its other families have maps.
        assert set(numbers[numbers["what"] == "map_largest"]["name"]) == (
            {"intensity"} if cells == MIXED else {"lbp", "intensity", "occlusion"}
        )
        page = (out / "explain.html").read_text()
        assert ("When a part is covered" in page) == (cells == OWN)


def test_importance_resume_and_report_open_the_run(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    done("importance", copy, "--cells", MIXED, "--quiet")
    table = pd.read_csv(copy / "importance.csv")
    families = table[(table["level"] == "family") & (table["method"] == "permutation")]
    assert set(families["group"]) == {"net", "intensity"}
    refits = table[table["method"].isin(["family_alone", "family_left_out"])]
    assert set(refits["group"]) == {"net", "intensity"}
    before = (copy / "predictions.csv").read_bytes()
    done("--resume", copy, "--quiet")
    assert (copy / "predictions.csv").read_bytes() == before
    assert json.loads((copy / "run.json").read_text())["config"]["features"] == [OWN, MIXED]
    done("report", copy)

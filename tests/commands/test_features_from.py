"""A feature set from a table in a whole run, and in every command that opens the run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import Dataset
from benchmarks.extraction.prepare import reading_size
from run_benchmark import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

DATA = {"data": "phantoms", "limit": 150, "image_size": 48}


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    config = RunConfig(**DATA)
    return datasets.load(config, reading_size(config))


@pytest.fixture(scope="module")
def table(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    manifest = dataset.manifest
    features = np.random.default_rng(0).normal(size=(len(manifest), 6))
    features[:, 0] += manifest["label"]
    path = tmp_path_factory.mktemp("elsewhere") / "net.npz"
    np.savez(path, image=manifest["image"].to_numpy(dtype=str), features=features)
    return path


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    done("--data", "phantoms", "--limit", 150, "--image-size", 48, "--features", "intensity,my-net",
         "--features-from", f"my-net={table}", "--models", "svm,logistic", "--folds", 2,
         "--augment", 1, "--views", 2, "--combine", "mean", "--study", "importance,learning",
         "--quiet", "--no-cache", "--jobs", 1, "--out", out)  # fmt: skip
    return out


@pytest.fixture(scope="module")
def image(
    dataset: Dataset, run: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A test image of the run as a file of its own, and its name in the run."""
    manifest = pd.read_csv(run / "manifest.csv")
    k = int(np.flatnonzero(manifest["split"] == "test")[0])
    name = str(manifest["image"].iloc[k])
    path = tmp_path_factory.mktemp("new") / Path(name).name
    Image.fromarray(np.asarray(dataset.images[k])).save(path)
    return name, path


def test_the_run_records_the_table_and_makes_no_claim_of_it(run: Path) -> None:
    scores = pd.read_csv(run / "scores.csv")
    assert {"my-net/svm/seed0", "my-net/logistic/seed0"} <= set(scores["cell"])
    assert set(scores["status"]) == {"ok"}
    record = json.loads((run / "run.json").read_text())
    known = record["features_from"]["my-net"]
    assert known["file"] == "net.npz"
    assert known["columns"] == [f"{k:04d}" for k in range(6)]
    assert len(known["sha256"]) == 64
    assert "my-net/logistic/seed0" in record["cells"]["combined/mean/seed0"]["members"]
    [note] = [one for one in record["data"]["notes"] if one.startswith("Features of my-net")]
    assert "--augment and --views do not apply to them" in note
    report = (run / "report.md").read_text()
    assert f"6 columns read from the file net.npz (SHA-256 {known['sha256']})" in report
    assert "whose origin is not known to this program" in report
    assert "The classifiers on my-net were fitted on and scored the images alone." in report
    checklist = (run / "checklist_tripod_ai.md").read_text()
    assert "Computed from the image only: intensity" in checklist
    assert "Read from the table net.npz, whose origin this program does not know" in checklist
    measured = pd.read_csv(run / "importance.csv")
    own = measured[measured["cell"].str.startswith("my-net/") & (measured["level"] == "subfamily")]
    assert set(own["group"]) == {f"my-net/{k:04d}" for k in range(6)}
    assert "my-net" in {cell.split("/")[0] for cell in pd.read_csv(run / "learning.csv")["cell"]}


def test_scores_are_those_of_a_run_without_copies_and_views(
    run: Path, table: Path, tmp_path: Path
) -> None:
    done("--data", "phantoms", "--limit", 150, "--image-size", 48, "--features", "my-net",
         "--features-from", f"my-net={table}", "--models", "logistic", "--folds", 0,
         "--study", "none", "--quiet", "--out", tmp_path / "plain")  # fmt: skip
    plain, several = (pd.read_csv(f / "predictions.csv") for f in (tmp_path / "plain", run))
    own = several[(several["cell"] == "my-net/logistic/seed0") & (several["split"] != "cv")]
    np.testing.assert_array_equal(plain["score"], own["score"])


def test_predict_needs_a_table_and_gives_the_scores_of_the_run(
    run: Path, table: Path, image: tuple[str, Path], tmp_path: Path
) -> None:
    name, path = image
    lacking = invoke("predict", run, path)
    assert lacking.exit_code == 2
    assert "--features-from my-net=TABLE" in lacking.output
    done("predict", run, path, "--cells", "intensity")  # which needs none
    done("predict", run, path, "--features-from", f"my-net={table}", "--out", tmp_path / "p.csv")
    known = pd.read_csv(run / "predictions.csv")
    known = known[(known["image"] == name) & (known["split"] == "test")].set_index("cell")["score"]
    scores = pd.read_csv(tmp_path / "p.csv").set_index("cell")["score"]
    assert set(scores.index) == set(known.index)
    np.testing.assert_array_equal(scores, known[scores.index])
    other = tmp_path / "other.csv"
    other.write_text("image,0000\nelsewhere.png,1\n", encoding="utf-8")
    result = invoke("predict", run, path, "--features-from", f"my-net={other}")
    assert "5 missing (0001, 0002, 0003, …)" in result.output
    result = invoke("predict", run, path, "--features-from", f"net={table}")
    assert "expected feature sets that the run read from tables (my-net)" in result.output


@pytest.mark.parametrize("cells", ["my-net", "intensity,my-net"])
def test_explain_has_no_maps_of_a_table(
    cells: str, run: Path, table: Path, image: tuple[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "page"
    done("explain", run, image[1], "--cells", cells, "--features-from", f"my-net={table}",
         "--out", out, "--quiet")  # fmt: skip
    numbers = pd.read_csv(out / "explain.csv")
    own = numbers[numbers["cell"] == "my-net/logistic/seed0"]
    assert "feature" in set(own["what"])
    assert "occlusion" in set(own.loc[own["what"] == "no_map", "name"])
    assert not list(out.glob("my-net-*.png"))
    assert bool(list(out.glob("intensity-*-occlusion.png"))) == ("intensity" in cells)
    assert (
        "No occlusion map: the features were read from a table"
        in (out / "explain.html").read_text()
    )
    assert (numbers["what"] == "neighbour").any()


def test_importance_and_resume_need_the_same_table(run: Path, table: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    moved = shutil.copy(table, tmp_path / "moved.npz")
    done("importance", copy, "--cells", "my-net", "--no-refits", "--quiet", "--features-from",
         f"my-net={moved}")  # fmt: skip
    done("--resume", copy, "--features-from", f"my-net={moved}", "--quiet")
    with np.load(table) as held:
        np.savez(moved, image=held["image"], features=held["features"] + 1)
    for command in (["importance", copy], ["--resume", copy]):
        result = invoke(*command, "--features-from", f"my-net={moved}", "--quiet")
        assert result.exit_code == 2
        assert "sha256" in result.output
    done("report", copy)

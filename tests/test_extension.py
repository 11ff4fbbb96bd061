"""A feature family, a classifier and a data set from outside the package work in every command.

Each is one file (see ``tests/made_up``) and one entry in a registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from benchmarks.config import RunConfig
from benchmarks.datasets import DATASETS
from features import FEATURES
from models import MODELS
from run_benchmark import main
from tests.made_up import grains, knn
from tests.made_up.zernike import Zernike

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

CELLS = ["zernike/knn/seed0", "zernike/logistic/seed0"]


def invoke(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """One line each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURES, "zernike", Zernike)
        patch.setitem(MODELS, "knn", knn)
        patch.setitem(DATASETS, "grains", grains)
        yield


def run_into(out: Path, *options: object) -> Path:
    invoke("--data", "grains", "--features", "zernike", "--models", "knn,logistic", "--quiet",
           "--folds", 2, "--out", out, *options)  # fmt: skip
    return out


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    studies = "importance,leaky,learning"
    return run_into(tmp_path_factory.mktemp("runs") / "run", "--study", studies, "--jobs", 1)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("new") / "new.png"
    images = grains.load(RunConfig(data="grains"), grains.IMAGE_SIZE).images
    Image.fromarray(np.asarray(images[100])).save(path)
    return path


def test_all_choices_are_listed() -> None:
    text = invoke("list").output
    for name in ("zernike", "knn", "grains"):
        assert name in text


def test_every_cell_finishes_and_is_saved(run: Path) -> None:
    scores = pd.read_csv(run / "scores.csv")
    assert set(scores["cell"]) == set(CELLS)
    assert set(scores["status"]) == {"ok"}
    features = pd.read_csv(run / "features.csv")
    assert features["family"].tolist() == ["zernike"]
    assert sorted(file.name for file in (run / "models").glob("*.skops")) == [
        "zernike-knn-seed0.skops", "zernike-logistic-seed0.skops",
    ]  # fmt: skip


def test_report_names_and_cites_them(run: Path) -> None:
    text = (run / "report.md").read_text(encoding="utf-8")
    assert "described by Zernike (Teague, 1980)" in text
    assert "k nearest neighbours (Cover and Hart, 1967)" in text
    assert "Grains" in text
    bibtex = (run / "references.bib").read_text(encoding="utf-8")
    assert "@article{teague1980," in bibtex
    assert "@article{cover1967," in bibtex
    assert "lam2015" not in bibtex  # nothing here is compiled by Numba


@pytest.mark.usefixtures("empty_report")
def test_workers_compute_the_same(run: Path, tmp_path: Path) -> None:
    """Other processes know of the entries, and the second run reads the features stored before."""
    again = run_into(tmp_path / "run", "--study", "none", "--jobs", 2)
    tables = [pd.read_csv(folder / "predictions.csv") for folder in (run, again)]
    pd.testing.assert_frame_equal(*tables)
    assert pd.read_csv(again / "features.csv")["from_store"].tolist() == [grains.N_IMAGES]


@pytest.mark.usefixtures("empty_report")
def test_class_weights_are_not_for_a_classifier_without(tmp_path: Path) -> None:
    out = run_into(tmp_path / "run", "--study", "none", "--jobs", 1, "--balance", "class_weight")
    scores = pd.read_csv(out / "scores.csv").drop_duplicates("cell").set_index("cell")
    assert scores["status"].to_dict() == {CELLS[0]: "not_run", CELLS[1]: "ok"}
    assert "takes no class weights" in scores.loc[CELLS[0], "reason"]


def test_predict(run: Path, image: Path, tmp_path: Path) -> None:
    invoke("predict", run, image, "--out", tmp_path / "new.csv", "--quiet")
    table = pd.read_csv(tmp_path / "new.csv")
    assert table["cell"].tolist() == CELLS
    known = pd.read_csv(run / "predictions.csv")
    known = known[(known["image"] == "grain100.png") & (known["split"] == "test")]
    assert table["score"].tolist() == known.set_index("cell").loc[CELLS, "score"].tolist()


def test_explain(run: Path, image: Path, tmp_path: Path) -> None:
    pytest.importorskip("shap")
    out = tmp_path / "page"
    invoke("explain", run, image, "--out", out, "--cells", ",".join(CELLS), "--quiet")
    page = (out / "explain.html").read_text(encoding="utf-8")
    assert "Zernike in the region at row 1, column 1 (upper left)" in page  # of the neighbours
    assert "Zernike: n" in page  # single columns of the linear model


def test_importance(run: Path) -> None:
    pytest.importorskip("shap")
    invoke("importance", run, "--quiet", "--jobs", 1)
    table = pd.read_csv(run / "importance.csv")
    assert set(table["cell"]) == set(CELLS)
    groups = set(table["group"])
    assert {"zernike/n2m0", "zernike/cell03"} <= groups
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["features"] == {"zernike": {"grid": 2}}

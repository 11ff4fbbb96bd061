"""Importance in a run and by the command, on small made-up data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.commands.importance import importance
from benchmarks.commands.run import run_benchmark
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.importance import measure
from benchmarks.io import results
from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import RunError
from benchmarks.studies.stage import selected_studies
from features.backbone import MissingExtra
from tests.conftest import figures_drafted
from tests.helpers import textured

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

CELLS = {"texture/svm/seed0", "texture/xgboost/seed0", "intensity/svm/seed0",
         "intensity/xgboost/seed0"}  # fmt: skip
HERE = {"jobs": 1, "quiet": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grain separates the classes weakly, a bright patch in the upper left corner completely."""
    folder = tmp_path_factory.mktemp("data")
    images, label = textured(150, 48, seed=1)
    noise = np.random.default_rng(2).integers(0, 256, images.shape)
    mixed = (0.25 * images + 0.75 * noise).astype(np.uint8)
    mixed[label == 1, 2:10, 2:10] = 255
    for number, (pixels, positive) in enumerate(zip(mixed, label, strict=True)):
        split = "train" if number < 105 else "test"
        name = f"person{number}_virus_1.png" if positive else f"IM-{number:04d}-0001.png"
        path = folder / split / ("PNEUMONIA" if positive else "NORMAL") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    config = RunConfig(
        data=str(data), out=out, features="texture,intensity", models="svm,xgboost",
        image_size=48, folds=2, study="importance", contrast=False, **HERE,
    )  # fmt: skip
    assert run_benchmark(config) == 0
    return out


@contextmanager
def no_report() -> Iterator[None]:
    """The command renders no report: its text is that of other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.commands.importance.render_report", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def full(run: Path, tmp_path_factory: pytest.TempPathFactory) -> results.Results:
    """A copy of the run after the command, so that the run stays as it was."""
    folder = Path(shutil.copytree(run, tmp_path_factory.mktemp("full") / "run"))
    with figures_drafted():
        importance(folder, HERE, None)
    return results.read_results(folder)


def test_a_run_measures_its_best_cells(run: Path) -> None:
    table = results.read_results(run).tables["importance"]
    assert set(table["cell"]) <= CELLS
    assert {"permutation", "shap", "gain"} == set(table["method"])
    assert (table["status"] == "ok").all()
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "## Feature importance" in report
    assert "SHAP values add up to the score" in report
    assert "SHAP values (Lundberg" in report
    assert "lundberg2020" in (run / "references.bib").read_text(encoding="utf-8")
    swarm = results.read_results(run).tables["importance_swarm"]
    images = swarm.groupby(["cell", "feature"]).size()
    assert (images == images.iloc[0]).all()
    assert swarm["percentile"].between(0, 1).all()
    assert (run / "figures" / "importance-swarm.svg").is_file()


def test_the_planted_patch_is_found_where_it_is(full: results.Results) -> None:
    table = full.tables["importance"]
    regions = table[
        (table["level"] == "region") & (table["metric"].isin(["auc", "mean_abs", "sum"]))
        & table["split"].isin(["test", "train"]) & (table["cell"] == "intensity/xgboost/seed0")
    ]  # fmt: skip
    for method in ("permutation", "shap", "gain"):
        own = regions[regions["method"] == method]
        assert own.loc[own["rank"] == 1, "group"].tolist()[0] == "intensity/cell00", method
    box = full.tables["importance_regions"].set_index("region").loc["intensity/cell00"]
    assert box[["top", "bottom", "left", "right"]].tolist() == [0, 12, 0, 12]


def test_the_command_writes_every_table(full: results.Results) -> None:
    table = full.tables["importance"]
    assert set(table["cell"]) == CELLS
    assert set(table["split"]) == {"test", "train", "cv"}
    several = table[table["cell"].str.startswith("texture") & (table["level"] == "family")]
    assert {"family_alone", "family_left_out", "family_shap"} <= set(several["method"])
    assert set(several["group"]) == {"glcm", "gabor", "intensity"}
    for name in ("importance", "importance_stability", "importance_clusters", "importance_checks",
                 "importance_regions"):  # fmt: skip
        assert len(full.tables[name]), name
        assert list(full.tables[name].columns) == MORE_TABLES[name]
    keys = ["cell", "method", "level", "group", "split", "metric"]
    assert not table.duplicated(keys).any()


def test_ranks_follow_values(full: results.Results) -> None:
    table = full.tables["importance"]
    keys = ["cell", "method", "level", "split", "metric"]
    for _, part in table[table["level"] != "feature"].groupby(keys):
        expected = part["value"].rank(method="min", ascending=False)
        assert part["rank"].tolist() == expected.tolist()


def test_stability_counts_every_fit(full: results.Results) -> None:
    table = full.tables["importance_stability"].set_index("kind")
    fits = table["fits"].groupby(level=0).first()
    assert fits.to_dict() == {"all": 11, "bootstraps": 6, "folds": 3, "seeds": 4}
    assert table["w"].dropna().between(0, 1 + 1e-9).all()  # none where nothing matters
    assert (table["trusted"] <= table["k"]).all()


def test_clusters_have_columns_and_single_drops(full: results.Results) -> None:
    table = full.tables["importance_clusters"]
    assert (table["columns"] > 1).all()
    assert table["alone"].notna().any()


def test_a_second_call_writes_equal_files(full: results.Results) -> None:
    run = full.folder
    names = ("importance", "importance_stability", "importance_clusters")
    before = {name: (run / f"{name}.csv").read_bytes() for name in names}
    with no_report():
        importance(run, {"jobs": 2, "quiet": True}, None)
    assert before == {name: (run / f"{name}.csv").read_bytes() for name in names}


def test_other_data_are_refused(run: Path, data: Path, tmp_path: Path) -> None:
    other = shutil.copytree(data, tmp_path / "other")
    first = min((other / "train" / "NORMAL").iterdir())
    Image.fromarray(np.full((48, 48), 7, np.uint8)).save(first)
    with pytest.raises(DataError, match=rf"expected its .*differ.*{first.name}"):
        importance(run, {**HERE, "data": str(other)}, None)


def test_bad_arguments_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected some of"):
        importance(run, HERE, ["hog"])
    with pytest.raises(RunError):
        importance(tmp_path, HERE, None)


def test_without_models_a_run_has_no_importance() -> None:
    assert "importance" in selected_studies(RunConfig(study="importance"))
    assert selected_studies(RunConfig(study="importance", save_models=False)) == ()


def test_every_value_is_a_number(full: results.Results) -> None:
    table = full.tables["importance"]
    numbers = table[["value", "lo", "hi"]]
    assert isinstance(numbers, pd.DataFrame)
    assert np.isfinite(table.loc[table["status"] == "ok", "value"]).all()


def test_missing_importance_is_reported(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtra("shap is missing: pip install '.[importance]'")

    monkeypatch.setattr("benchmarks.importance.shap_values.require_shap", missing)
    monkeypatch.setattr("benchmarks.commands.importance.require_shap", missing)
    folder = shutil.copytree(run, tmp_path / "run")
    with pytest.raises(ConfigError, match="shap is missing.*--no-refits"):
        importance(folder, HERE, None)
    (folder / "models" / "intensity-svm-seed0.skops").write_bytes(b"damaged")
    importance(folder, HERE, None, refits=False)
    table = results.read_results(folder).tables["importance"]
    lost = table[table["status"] != "ok"].set_index("cell")
    assert lost.loc["intensity/svm/seed0", "status"] == "failed"
    assert "sha256" in lost.loc["intensity/svm/seed0", "reason"]
    assert lost.loc["texture/xgboost/seed0", ["method", "status"]].tolist() == ["shap", "not_run"]
    assert (table[table["cell"] == "texture/xgboost/seed0"]["method"] == "permutation").any()
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "Unavailable: " in report
    assert "shap is missing" in report


def test_a_failure_is_reported_until_the_cell_is_measured_again(
    full: results.Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(full.folder, tmp_path / "run")
    failed = pd.DataFrame([{"cell": "intensity/svm/seed0", "method": "shap", "status": "failed",
                            "reason": "it rained"}])  # fmt: skip

    def rainy(*given: object) -> dict[str, pd.DataFrame]:
        made = measure(*given)  # type: ignore[arg-type]
        return {**made, "importance": pd.concat([made["importance"], failed])}

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.commands.importance.measure", rainy)
        importance(folder, HERE, ["intensity/svm"])  # new fits of the same cell come after
    assert "it rained" in (folder / "report.md").read_text(encoding="utf-8")
    importance(folder, HERE, ["intensity/svm"], refits=False)
    assert "it rained" not in (folder / "report.md").read_text(encoding="utf-8")


def test_rows_of_other_cells_remain(full: results.Results, tmp_path: Path) -> None:
    folder = shutil.copytree(full.folder, tmp_path / "run")
    with no_report():
        importance(folder, HERE, ["intensity/xgboost"], refits=False)
    for name in ("importance", "importance_swarm", "importance_regions", "importance_stability"):
        before, after = full.tables[name], results.read_results(folder).tables[name]
        order = list(before.columns)
        pd.testing.assert_frame_equal(
            before.sort_values(order, ignore_index=True),
            after.sort_values(order, ignore_index=True),
        )

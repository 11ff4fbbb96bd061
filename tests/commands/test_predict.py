"""New images are scored as the run scored its own, to the last bit."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from benchmarks.commands import predict as predict_module
from benchmarks.commands.predict import COLUMNS, predict
from benchmarks.commands.run import run_benchmark
from benchmarks.config import ConfigError, RunConfig
from benchmarks.errors import OutOfMemory
from benchmarks.extraction.extract import make_descriptor
from benchmarks.extraction.prepare import load_preparation, reading_size
from benchmarks.fitting.cell import Cell
from benchmarks.fitting.scoring import score
from benchmarks.io import results
from benchmarks.io.results import RunError
from benchmarks.saved.model_files import ModelFileError, save_cell, saved_cells
from features.reading.images import read_image
from features.reading.preprocess import resize
from models import MODELS, declaration
from tests.conftest import report_left_empty
from tests.helpers import textured, write_radiographs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

CELLS = [f"{f}/{m}/seed0" for f in ("intensity", "lbp") for m in ("svm", "logistic", "xgboost")]
SETTINGS: dict[str, Any] = {
    "features": "intensity,lbp", "models": "svm,logistic,xgboost", "image_size": 48, "crop": 0.9,
    "jobs": 1, "quiet": True,
}  # fmt: skip


def keep_models(run: Path, data: Path, config: RunConfig) -> None:
    """Fit the cells of a run again and save them."""
    manifest = results.read_tables(run, ("manifest",))["manifest"]
    train = manifest[manifest["split"] == "train"]
    size = reading_size(config)
    pixels = [resize(read_image(data / image).pixels, size) for image in train["image"]]
    images = load_preparation(run, config)(np.stack(pixels))
    y, groups = train["label"].to_numpy(), train["group"].to_numpy(dtype=object)
    for family in config.features:
        X = make_descriptor(family, config).transform(images)
        for name in config.models:
            cell = Cell(family, name, config.balance, 0)
            wanted = {"classify__groups": groups} if name == "svm" else {}
            with threadpool_limits(1):
                model = MODELS[name].build(cell.random_state, cell.balance, 1).fit(X, y, **wanted)
            save_cell(run, cell.name, model, columns=X.shape[1])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_radiographs(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    config = RunConfig(data=str(data), out=out, **SETTINGS)
    with report_left_empty():
        assert run_benchmark(config) == 0
    keep_models(out, data, config)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def change_record(run: Path, **values: Any) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **values}))


def test_scores_are_the_runs_own_to_the_last_bit(finished: Path, data: Path) -> None:
    assert saved_cells(finished) == sorted(CELLS)
    table, left_out = predict(finished, [data / "test", data / "train"], quiet=True)
    assert left_out.empty
    assert len(table) == 120 * len(CELLS)
    table["image"] = [Path(image).relative_to(data).as_posix() for image in table["image"]]
    own = results.read_tables(finished, ("predictions",))["predictions"]
    own = own[own["split"] != "cv"]  # whose models are not kept
    both = own.merge(table, on=["image", "cell", "features", "model", "seed"], how="left")
    assert len(both) == len(own)
    np.testing.assert_array_equal(both["score_x"], both["score_y"])
    assert both["score_x"].nunique() > 100


def test_decisions_are_those_of_the_runs_operating_points(finished: Path, data: Path) -> None:
    table, _ = predict(finished, [data / "test"], quiet=True)
    table["positive"] = table["image"].str.contains("PNEUMONIA")
    scores = results.read_tables(finished, ("scores",))["scores"]
    for row in scores[scores["split"] == "test"].itertuples():
        part = table[table["cell"] == row.cell]
        called = part[f"decision_{row.operating_point}"] == "PNEUMONIA"
        assert (called & part["positive"]).sum() == row.tp
        assert (called & ~part["positive"]).sum() == row.fp
        if row.operating_point == "recall95":
            assert set(part["threshold_recall95"]) == {row.threshold}


def test_other_images_change_no_score(
    finished: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do their order, batches, names or a folder in place of files."""
    files = sorted((data / "test").rglob("*.png"))
    all_at_once, _ = predict(finished, [data / "test"], quiet=True)
    moved = tmp_path / "moved.png"
    shutil.copy(files[3], moved)
    monkeypatch.setattr(predict_module, "BATCH", 7)
    batches, _ = predict(finished, [*files[::-1], moved, files[0]], quiet=True)
    assert len(batches) == (len(files) + 1) * len(CELLS)  # each file once
    keys = ["image", "cell"]
    pd.testing.assert_frame_equal(
        all_at_once.sort_values(keys, ignore_index=True),
        batches[batches["image"] != moved.as_posix()].sort_values(keys, ignore_index=True),
        check_exact=True,
    )
    again = batches[batches["image"] == moved.as_posix()].drop(columns="image")
    first = all_at_once[all_at_once["image"] == files[3].as_posix()].drop(columns="image")
    assert again.to_numpy().tolist() == first.to_numpy().tolist()


def test_rows_go_image_by_image_through_all_cells(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    folder = data / "test" / "NORMAL"
    table, _ = predict(finished, [folder], out, cells=["lbp", "intensity/svm"], quiet=True)
    chosen = [c for c in sorted(CELLS) if c.startswith(("lbp/", "intensity/svm/"))]
    assert table.columns.tolist() == COLUMNS
    assert table["cell"].tolist() == chosen * 12
    names = [path.as_posix() for path in sorted(folder.iterdir()) for _ in chosen]
    assert table["image"].tolist() == names
    pd.testing.assert_frame_equal(pd.read_csv(out), table, check_exact=True, check_dtype=False)


def test_unreadable_images_are_told_and_the_others_go_on(
    finished: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new"
    shutil.copytree(data / "test" / "NORMAL", folder / "sub")
    (folder / "broken.png").write_bytes(b"no image")
    (folder / "empty.png").touch()
    (folder / ".hidden").touch()
    os.symlink(folder, folder / "sub" / "circle")
    table, left_out = predict(finished, [folder], cells=["lbp/xgboost"], quiet=True)
    assert len(table) == 12
    names = [str(folder / name) for name in ("broken.png", "empty.png", "sub/circle")]
    assert left_out["image"].tolist() == names
    assert left_out["reason"].str.contains("but expected").all()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("CAUTION: for research only, not for clinical use")
    assert all(reason in said.err for reason in left_out["reason"])


def test_memory_that_runs_out_stops_the_command(
    finished: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_image(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("benchmarks.commands.predict.read_image", read_image)
    with pytest.raises(OutOfMemory, match=r"while reading .*test/.* Use --jobs 1, smaller images"):
        predict(finished, [data / "test"])


def test_no_readable_image_gives_an_empty_table(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    table, left_out = predict(finished, [tmp_path / "a.png"], tmp_path / "out.csv", quiet=True)
    assert table.empty
    assert len(left_out) == 1
    assert (tmp_path / "out.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_images_that_the_models_know_are_told(
    finished: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(finished, [data / "test"], cells=["lbp/xgboost"], quiet=True)
    assert "validation" not in capsys.readouterr().err
    known = tmp_path / "renamed.png"
    shutil.copy(next((data / "train" / "NORMAL").iterdir()), known)
    predict(finished, [known, data / "test"], cells=["lbp/xgboost"], quiet=True)
    assert "CAUTION: 1 of the images are among" in capsys.readouterr().err


def test_other_versions_are_told(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    versions = json.loads((run / "run.json").read_text())["versions"]
    change_record(run, versions={**versions, "pillow": "1.0"})
    predict(run, [data / "test"], cells=["lbp/xgboost"], quiet=True)
    assert "CAUTION: the run was made with pillow 1.0 (here " in capsys.readouterr().err


def test_models_of_other_columns_are_refused(run: Path, data: Path) -> None:
    change_record(run, config={**json.loads((run / "run.json").read_text())["config"],
                               "features": ["hog"]})  # fmt: skip
    path = run / "models" / "lbp-xgboost-seed0.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "columns": record["columns"] + 1}))
    with pytest.raises(RunError, match=r"lbp/xgboost/seed0 was fitted on \d+ columns, but lbp"):
        predict(run, [data / "test"], cells=["lbp/xgboost"], quiet=True)
    path.write_text(json.dumps({**record, "families": ["lbp", "hog"]}))
    with pytest.raises(RunError, match=r"of lbp \+ hog, but in this version lbp consists of lbp"):
        predict(run, [data / "test"], cells=["lbp/xgboost"], quiet=True)


@pytest.mark.parametrize("name", ["svm", "logistic", "xgboost"])
def test_a_model_of_another_run_is_refused(run: Path, data: Path, name: str) -> None:
    """The record has the right number of columns, but the model expects fewer."""
    X, y = np.random.default_rng(0).normal(size=(60, 5)), np.arange(60) % 2
    model = MODELS[name].build(0, "none", 1).fit(X, y)
    columns = json.loads((run / "models" / f"lbp-{name}-seed0.json").read_text())["columns"]
    save_cell(run, f"lbp/{name}/seed0", model, columns=columns)
    with pytest.raises(RunError, match=f"lbp/{name}/seed0: the saved model can't score"):
        predict(run, [data / "test"], cells=[f"lbp/{name}"], quiet=True)


def test_other_parameters_of_a_family_are_refused(run: Path, data: Path) -> None:
    features = json.loads((run / "run.json").read_text())["features"]
    changed = {**features, "lbp": {**features["lbp"], "radii": [1, 2]}}
    change_record(run, features=changed)
    with pytest.raises(RunError, match=r"run\.json: lbp had radii=\[1, 2\] \(here"):
        predict(run, [data / "test"], cells=["lbp/xgboost"], quiet=True)


def test_a_damaged_model_is_refused(run: Path, data: Path) -> None:
    path = run / "models" / "lbp-xgboost-seed0.booster.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelFileError, match=r"booster\.json: found the sha256"):
        predict(run, [data / "test"], quiet=True)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (None, "run.json: config: got None, but expected another value: it should be a valid dict"),
        ({"image_size": 3}, "--image-size: got 3"),
        ({"tta": 4}, "unknown key"),
    ],
)
def test_other_settings_are_refused(run: Path, data: Path, config: object, found: str) -> None:
    change_record(run, config=config)
    with pytest.raises(RunError, match=found):
        predict(run, [data / "test"], quiet=True)


def test_a_run_without_models_thresholds_or_record_is_refused(run: Path, data: Path) -> None:
    scores = results.read_tables(run, ("scores",))["scores"]
    results.write_table(run, "scores", scores[scores["operating_point"] != "recall95"])
    with pytest.raises(RunError, match=r"scores\.csv: got no row of intensity/svm/seed0 with"):
        predict(run, [data / "test"], quiet=True)
    results.write_table(run, "scores", scores)
    shutil.rmtree(run / "models")
    with pytest.raises(RunError, match="expected fitted models in its folder models"):
        predict(run, [data / "test"], quiet=True)
    (run / "run.json").unlink()
    with pytest.raises(RunError, match=r"run\.json"):
        predict(run, [data / "test"], quiet=True)


def test_paths_and_cells_that_are_not_there_are_refused(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for path, found in (("nothing.png", "found nothing"), ("empty", "found an empty folder")):
        with pytest.raises(ConfigError, match=found):
            predict(finished, [tmp_path / path], quiet=True)
    for out in (tmp_path, tmp_path / "nowhere" / "out.csv"):
        with pytest.raises(ConfigError, match="--out .*expected a file in an existing folder"):
            predict(finished, [data / "test"], out, quiet=True)
    with pytest.raises(ConfigError, match="--cells: got ''"):
        predict(finished, [data / "test"], cells=[], quiet=True)
    with pytest.raises(ConfigError, match="--cells: got 'hog', expected some of: intensity/"):
        predict(finished, [data / "test"], cells=["lbp", "hog"], quiet=True)


@pytest.mark.parametrize("name", [name for name in MODELS if not declaration(name).on_images])
def test_a_score_is_the_same_alone_and_among_others(name: str) -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(150) % 3 > 0).astype(np.int64)
    X = (rng.normal(size=(150, 400)) + 0.2 * y[:, None]).astype(np.float32)
    model = MODELS[name].build(0, "smote", 1)
    if name in ("forest", "xgboost"):
        model.set_params(classify__n_estimators=30)
    model.fit(X[:100], y[:100])
    together = score(name, model, X)
    assert together.dtype == np.float64
    alone = np.concatenate([score(name, model, X[i : i + 1]) for i in range(150)])
    np.testing.assert_array_equal(alone, together)
    order = rng.permutation(150)
    np.testing.assert_array_equal(score(name, model, X[order]), together[order])
    np.testing.assert_allclose(together, model.predict_proba(X)[:, 1], atol=1e-6)
    assert score(name, model, X[:0]).shape == (0,)


@pytest.mark.parametrize("name", [name for name in MODELS if declaration(name).on_images])
def test_a_networks_score_is_the_same_alone_and_among_others(name: str) -> None:
    pytest.importorskip("torch")
    images, label = textured(40, 32)
    build: Any = MODELS[name].build
    network = build(0, "none", backbone="mobilenetv2_050", epochs=1, batch_size=16)
    network.set_params(pretrained=False, n_jobs=1)
    network.fit(images[:24], label[:24], validation=(images[24:], label[24:]))
    together = score(name, network, images)
    chosen = [5, 39]
    alone = [score(name, network, images[i : i + 1])[0] for i in chosen]
    np.testing.assert_array_equal(alone, together[chosen])
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(score(name, network, images[order]), together[order])


def add_random_embedding(run: Path, data: Path, source: str) -> None:
    """Make a run look as if it had one more cell, of embeddings."""
    tables = results.read_tables(run, ("features", "scores"))
    row = tables["features"].iloc[[0]].assign(family="embedding_random", weights=source)
    results.write_table(run, "features", pd.concat([tables["features"], row]))
    rows = tables["scores"][tables["scores"]["cell"] == "lbp/logistic/seed0"]
    rows = rows.assign(cell="embedding_random/logistic/seed0")
    results.write_table(run, "scores", pd.concat([tables["scores"], rows]))
    config = RunConfig(**{**SETTINGS, "features": "embedding_random", "models": "logistic"})
    keep_models(run, data, config)


def test_other_weights_than_the_runs_are_refused(run: Path, data: Path) -> None:
    pytest.importorskip("torch")
    add_random_embedding(run, data, "random (seed 0)")
    table, _ = predict(run, [data / "test"], cells=["embedding_random"], quiet=True)
    assert len(table) == 36
    features = results.read_tables(run, ("features",))["features"]
    other = features.replace({"weights": {"random (seed 0)": "file a (sha256 0123)"}})
    results.write_table(run, "features", other)
    with pytest.raises(ConfigError, match=r"the run used file a \(sha256 0123\)"):
        predict(run, [data / "test"], cells=["embedding_random"], quiet=True)

"""Saved cells load unchanged; damaged and harmful files are refused."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from imblearn.pipeline import Pipeline
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer

from benchmarks.io import provenance
from benchmarks.saved import pipeline_file
from benchmarks.saved.model_files import (
    ModelVersionWarning,
    _fingerprint,
    load_cell,
    read_saved,
    remove_unfinished,
    save_cell,
    saved_cells,
)
from benchmarks.saved.pipeline_file import ModelFileError, pack, unpack
from models import MODELS, declaration
from models.balance import BALANCES
from tests.helpers import textured
from tests.models.test_common_models import blobs

ON_FEATURES = [name for name in MODELS if not declaration(name).on_images]
CELL = "hog/logistic/seed0"


def fitted(name: str, balance: str = "smote") -> Pipeline:
    X, y, groups = blobs()
    wanted = {"classify__groups": groups} if name == "svm" else {}
    model = MODELS[name].build(3, balance, 1)
    if name in ("forest", "xgboost"):
        model.set_params(classify__n_estimators=20)
    return model.fit(X, y, **wanted)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with one saved logistic cell."""
    save_cell(tmp_path, CELL, fitted("logistic"), columns=12)
    return tmp_path


def forge(run: Path, content: bytes, cell: str = CELL) -> Path:
    """Replace a model and its hash, as anyone who can write to the folder could."""
    stem = cell.replace("/", "-")
    record = json.loads((run / "models" / f"{stem}.json").read_text())
    record["files"][f"{stem}.skops"] = _fingerprint(content)
    (run / "models" / f"{stem}.json").write_text(json.dumps(record))
    path = run / "models" / f"{stem}.skops"
    path.write_bytes(content)
    return path


def change(run: Path, **values: Any) -> None:
    path = run / "models" / "hog-logistic-seed0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("name", ON_FEATURES)
def test_scores_are_identical_after_loading(name: str, balance: str, tmp_path: Path) -> None:
    X, _, _ = blobs(seed=1)
    model = fitted(name, balance)
    before = model.predict_proba(X)
    save_cell(tmp_path, f"hog/{name}/seed3", model, columns=12)
    loaded = load_cell(tmp_path, f"hog/{name}/seed3")
    assert loaded.predict_proba(X).tobytes() == before.tobytes()
    assert model.predict_proba(X).tobytes() == before.tobytes()  # saving changed nothing
    assert loaded.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.slow
def test_single_rows_of_many_columns_score_the_same(name: str, tmp_path: Path) -> None:
    """The memory layout of arrays changes the last bit of products, so saving must keep it."""
    X, y, _ = blobs(90, 2000)
    model = MODELS[name].build(3, "smote", 1).fit(X, y)
    save_cell(tmp_path, f"hog/{name}/seed3", model, columns=2000)
    loaded = load_cell(tmp_path, f"hog/{name}/seed3")
    for row in X[:10, None]:
        assert loaded.predict_proba(row).tobytes() == model.predict_proba(row).tobytes()


def test_deep_trees_load(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = (
        rng.normal(size=(600, 5)).astype(np.float32),
        np.arange(600) % 2,
    )  # noise, so that the trees are deep
    model = MODELS["forest"].build(0, "none", 1)
    model.set_params(classify__n_estimators=20).fit(X, y)
    assert max(tree.get_depth() for tree in model[-1].estimators_) > 12
    save_cell(tmp_path, "hog/forest/seed0", model, columns=5)
    again = load_cell(tmp_path, "hog/forest/seed0").predict_proba(X)
    assert again.tobytes() == model.predict_proba(X).tobytes()


@pytest.mark.parametrize("name", ON_FEATURES)
def test_a_tuned_pipeline_loads(name: str, tmp_path: Path) -> None:
    X, y, _ = blobs()
    model = MODELS[name].build(3, "smote", 1)
    model.set_params(**{key: values[-1] for key, values in MODELS[name].GRID.items()}).fit(X, y)
    save_cell(tmp_path, f"hog/{name}/seed3", model, columns=12)
    again = load_cell(tmp_path, f"hog/{name}/seed3").predict_proba(X)
    assert again.tobytes() == model.predict_proba(X).tobytes()


if importlib.util.find_spec("models.network_file"):

    def test_a_network_loads(tmp_path: Path) -> None:
        pytest.importorskip("torch")
        images, label = textured(48, 32)
        network = MODELS["cnn"].build(0, "smote", backbone="mobilenetv2_050", epochs=1)
        network.set_params(pretrained=False, batch_size=16, n_jobs=1)
        network.fit(images[:36], label[:36], validation=(images[36:], label[36:]))
        save_cell(tmp_path, "pixels/cnn/seed0", network)
        again = load_cell(tmp_path, "pixels/cnn/seed0").predict_proba(images)
        assert again.tobytes() == network.predict_proba(images).tobytes()
        path = tmp_path / "models" / "pixels-cnn-seed0.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ModelFileError, match="found the sha256"):
            load_cell(tmp_path, "pixels/cnn/seed0")


def test_files_are_named_and_recorded(run: Path) -> None:
    names = ["hog-logistic-seed0.json", "hog-logistic-seed0.skops"]
    assert sorted(path.name for path in (run / "models").iterdir()) == names
    record = read_saved(run, CELL)
    assert record["columns"] == 12
    assert record["families"] == ["hog"]
    assert record["versions"]["scikit-learn"] == provenance.versions()["scikit-learn"]
    assert saved_cells(run) == [CELL]
    save_cell(run, "lbp/xgboost/seed1", fitted("xgboost"), columns=12)
    assert saved_cells(run) == [CELL, "lbp/xgboost/seed1"]
    assert set(read_saved(run, "lbp/xgboost/seed1")["files"]) == {
        "lbp-xgboost-seed1.skops", "lbp-xgboost-seed1.booster.json",
    }  # fmt: skip


def test_xgboost_trees_are_in_a_file_of_their_own() -> None:
    parts = pack(fitted("xgboost"))
    assert "xgboost.core.Booster" not in skops.io.get_untrusted_types(data=parts["skops"])
    assert len(parts["booster.json"]) > 10_000


def test_an_interrupted_save_keeps_the_previous_cell(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        save_cell(run, CELL, fitted("logistic", "none"), columns=12)
    monkeypatch.undo()
    assert len(list((run / "models").iterdir())) == 2
    X, _, _ = blobs()
    assert load_cell(run, CELL).predict_proba(X).tobytes() == (
        fitted("logistic").predict_proba(X).tobytes()
    )


def test_a_type_that_is_not_listed_is_refused_when_saving(tmp_path: Path) -> None:
    X, y, _ = blobs()
    model = Pipeline([("log", FunctionTransformer(np.linalg.norm)),
                      ("trees", GradientBoostingClassifier(n_estimators=2))])  # fmt: skip
    model[-1].fit(X, y)
    with pytest.raises(ModelFileError, match=r"holds numpy\.linalg\.norm, but .*trusted_types"):
        save_cell(tmp_path, CELL, model, columns=12)
    assert list((tmp_path / "models").iterdir()) == []


def test_code_in_an_archive_is_refused_and_not_run(run: Path) -> None:
    touched = run / "touched"
    harmful = functools.partial(os.system, f"touch {touched}")
    archive = skops.io.dumps(Pipeline([("scale", FunctionTransformer(harmful))]))
    path = forge(run, archive)
    with pytest.raises(ModelFileError, match=r"found the types \[.*'functools\.partial'") as e:
        load_cell(run, CELL)
    assert str(path) in str(e.value)
    assert "load no models from people you don't trust" in str(e.value)
    assert not touched.exists()
    trusting = skops.io.loads(archive, trusted=skops.io.get_untrusted_types(data=archive))
    trusting[0].func()
    assert touched.exists()  # the same archive does harm if it is trusted


def test_a_pickle_is_refused_and_not_run(run: Path) -> None:
    touched = run / "touched"

    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {touched}",)

    forge(run, pickle.dumps(Harmful()))
    with pytest.raises(ModelFileError, match="found no skops archive"):
        load_cell(run, CELL)
    assert not touched.exists()


def test_an_array_of_objects_is_refused(run: Path) -> None:
    """A pickle in the archive instead of an array."""
    touched = run / "touched"

    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {touched}",)

    pickled = io.BytesIO()
    np.save(pickled, np.array([Harmful()], dtype=object), allow_pickle=True)
    source = zipfile.ZipFile(io.BytesIO(pack(fitted("logistic"))["skops"]))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name in source.namelist():
            array = name.endswith(".npy")
            target.writestr(name, pickled.getvalue() if array else source.read(name))
    forge(run, archive.getvalue())
    with pytest.raises(ModelFileError, match="nothing that loads .an array of pickled Python"):
        load_cell(run, CELL)
    assert not touched.exists()


@pytest.mark.parametrize("place", [0, 100, -30])
def test_a_flipped_byte_is_noticed(run: Path, place: int) -> None:
    path = run / "models" / "hog-logistic-seed0.skops"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"seed0\.skops: found the sha256 .* but expected"):
        load_cell(run, CELL)


@pytest.mark.parametrize("suffix", ["skops", "booster.json"])
def test_broken_parts_with_their_own_hash_are_refused(suffix: str) -> None:
    parts = pack(fitted("xgboost"))
    for content in (b"", b"{}", parts[suffix][: len(parts[suffix]) // 2]):
        with pytest.raises(ModelFileError, match="found no"):
            unpack({**parts, suffix: content}, "a.skops")


def test_another_object_is_refused(run: Path) -> None:
    forge(run, skops.io.dumps({"a": 1}))
    with pytest.raises(ModelFileError, match=r"it holds a dict.*expected a pipeline"):
        load_cell(run, CELL)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", b" " * 10**7)
    assert len(bomb.getvalue()) < 20_000
    forge(run, bomb.getvalue())
    monkeypatch.setattr(pipeline_file, "MAX_UNPACKED", 10**6)
    with pytest.raises(ModelFileError, match=r"found 10,000,000 bytes when unpacked"):
        load_cell(run, CELL)


@pytest.mark.parametrize("column", ["left_child", "right_child", "feature"])
def test_trees_that_point_out_of_their_arrays_are_refused(
    column: str,
) -> None:
    parts = pack(fitted("forest"))
    source = zipfile.ZipFile(io.BytesIO(parts["skops"]))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content))
                if column in (array.dtype.names or ()):
                    array[column][0] = 10**6
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    content = buffer.getvalue()
            target.writestr(name, content)
    with pytest.raises(ModelFileError, match="a tree points out of its nodes or columns"):
        unpack({"skops": archive.getvalue()}, "a.skops")
    assert isinstance(unpack(parts, "a.skops")[-1], RandomForestClassifier)


@pytest.mark.parametrize(
    ("key", "value"), [("left_children", 10**6), ("right_children", -7), ("left_children", 0),
                       ("split_indices", 12)],
)  # fmt: skip
def test_boosted_trees_that_point_out_of_their_arrays_are_refused(key: str, value: int) -> None:
    parts = pack(fitted("xgboost"))
    booster = json.loads(parts["booster.json"])
    booster["learner"]["gradient_booster"]["model"]["trees"][-1][key][0] = value
    with pytest.raises(ModelFileError, match="a tree points out of its nodes or columns"):
        unpack({**parts, "booster.json": json.dumps(booster).encode()}, "a.skops")


@pytest.mark.parametrize(
    "name", ["../hog-logistic-seed0.skops", "/etc/passwd", "other.skops", "a\\b.skops", ""]
)
def test_a_record_that_points_to_another_file_is_refused(run: Path, name: str) -> None:
    (run / "hog-logistic-seed0.skops").write_bytes(pack(fitted("logistic"))["skops"])
    change(run, files={name: {"sha256": "0", "bytes": 1}})
    with pytest.raises(ModelFileError, match=r"seed0\.json: found the files .* beside it"):
        load_cell(run, CELL)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"format": 2}, "'format': 2"),
        ({"cell": "lbp/logistic/seed0"}, "'cell': 'lbp/logistic/seed0'"),
        ({"files": ["a"]}, "the files"),
        ({"versions": None}, "missing keys"),
        ({"columns": "12"}, "missing keys"),
    ],
)
def test_a_record_with_wrong_values_is_refused(
    run: Path, values: dict[str, Any], found: str
) -> None:
    change(run, **values)
    with pytest.raises(ModelFileError, match=found):
        load_cell(run, CELL)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '"a"'])
def test_a_record_that_is_no_json_object_is_refused(run: Path, text: str) -> None:
    (run / "models" / "hog-logistic-seed0.json").write_text(text)
    for read in (saved_cells, lambda folder: load_cell(folder, CELL)):
        with pytest.raises(ModelFileError, match=r"seed0\.json: found .*expected the record"):
            read(run)


def test_a_missing_model_is_refused(run: Path) -> None:
    (run / "models" / "hog-logistic-seed0.skops").unlink()
    with pytest.raises(ModelFileError, match=r"seed0\.skops: found no such file"):
        load_cell(run, CELL)
    with pytest.raises(ModelFileError, match=r"hog-svm-seed0\.json: found no such file"):
        load_cell(run, "hog/svm/seed0")


@pytest.mark.parametrize(
    "name", ["../x", "hog/svm", "hog/../seed0", "hog/svm-a/seed0", "-a/svm/seed0", "", "/a/b"]
)
def test_other_cell_names_are_refused(tmp_path: Path, name: str) -> None:
    for use in (load_cell, read_saved, functools.partial(save_cell, model=None)):
        with pytest.raises(ValueError, match="expected features/model/seedN"):
            use(tmp_path, name)


def test_a_folder_without_models_has_no_cells(tmp_path: Path) -> None:
    assert saved_cells(tmp_path) == []


def test_other_versions_raise_a_warning(run: Path) -> None:
    change(run, versions={**provenance.versions(), "scikit-learn": "1.8.0", "pandas": "0"})
    here = provenance.versions()["scikit-learn"]
    with pytest.warns(ModelVersionWarning, match=rf"with scikit-learn 1\.8\.0 \(here {here}\);"):
        load_cell(run, CELL)
    load_cell(run, CELL, warn=False)  # warnings are errors in tests


def test_an_older_archive_warns_once_through_the_record(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scikit-learn's own warning, one per estimator, is suppressed: the record causes one."""
    monkeypatch.setattr("sklearn.base.__version__", "1.8.0")
    archive = pack(fitted("logistic"))["skops"]
    monkeypatch.undo()
    forge(run, archive)
    assert load_cell(run, CELL).predict_proba(blobs()[0]).shape == (90, 2)


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".hog-svm-seed0.x1y2.skops").touch()
    (tmp_path / "models" / "hog-svm-seed0.skops").touch()
    remove_unfinished(tmp_path)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["hog-svm-seed0.skops"]

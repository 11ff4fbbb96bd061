"""DICOM headers fill a manifest; no run folder learns who a patient is."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pooch
import pytest
from PIL import Image

from benchmarks import datasets
from benchmarks.config import RunConfig
from benchmarks.datasets.dicom.fields import fill_from_dicom
from benchmarks.datasets.dicom.patient_key import hash_patient, patient_key_file
from benchmarks.errors import DataError
from features.reading.dicom_fields import read_fields
from tests.features.reading.made_dicom import DEFLATED, IMPLICIT, dicom
from tests.helpers import textured

Make = Callable[..., pd.DataFrame]
GREY = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "cxr-classical-baseline"


@pytest.fixture
def files(tmp_path: Path) -> Make:
    """Files with some elements each, and their manifest."""

    def make(*elements: dict[str, Any] | None) -> pd.DataFrame:
        for number, given in enumerate(elements):
            path = tmp_path / f"{number}"
            if given is None:
                Image.fromarray(GREY).save(path, "PNG")
            else:
                path.write_bytes(dicom(GREY, **given))
        names = [str(number) for number in range(len(elements))]
        return pd.DataFrame({"image": names, "path": names, "group": names, "named": False})

    return make


def fill(tmp_path: Path, manifest: pd.DataFrame, **options: Any) -> tuple[pd.DataFrame, list[str]]:
    return fill_from_dicom(tmp_path, manifest, RunConfig(jobs=1, **options))


def test_fields_of_a_file(tmp_path: Path) -> None:
    for syntax in (IMPLICIT, DEFLATED):
        (tmp_path / "a").write_bytes(
            dicom(GREY, 8, syntax, PatientID=" MRN  7 ", ViewPosition="PA", PatientSex="F",
                  PatientAge="045Y")
        )  # fmt: skip
        assert read_fields(tmp_path / "a") == ("MRN 7", "PA", "F", 45.0)


def test_the_view_code_counts_where_there_is_no_view_position(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset

    for meaning, view in (("left lateral", "LATERAL"), ("postero-anterior", "PA"), ("odd", "")):
        code = Dataset()
        code.CodeMeaning = meaning
        (tmp_path / "a").write_bytes(dicom(GREY, ViewCodeSequence=[code]))
        fields = read_fields(tmp_path / "a")
        assert fields is not None
        assert fields.view == view


def test_other_and_damaged_files_have_no_fields(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "b").write_bytes(dicom(GREY)[:140])
    assert read_fields(tmp_path / "a.png") is None
    assert read_fields(tmp_path / "missing") is None
    fields = read_fields(tmp_path / "b")
    assert fields is None or fields.patient == ""


def test_patients_become_keyed_hashes(files: Make, tmp_path: Path, cache: Path) -> None:
    manifest = files({"PatientID": "A1"}, {"PatientID": "B2"}, {"PatientID": "A1"}, None)
    filled, notes = fill(tmp_path, manifest)
    groups = filled["group"].tolist()
    assert groups[0] == groups[2] != groups[1]
    assert groups[3] == "3"
    assert filled["named"].tolist() == [True, True, True, False]
    assert not filled.astype(str).isin(["A1", "B2"]).any(axis=None)
    key = (cache / "patient.key").read_bytes()
    assert groups[0] == hash_patient("A1", key) != hash_patient("A1", key[::-1])
    assert notes[0].startswith("3 of 4 images are DICOM files.")
    assert "burned into the pixels are not detected" in notes[0]
    assert fill(tmp_path, manifest)[0]["group"].tolist() == groups  # the key is kept


def test_known_patients_and_columns_are_kept(files: Make, tmp_path: Path) -> None:
    header = {"PatientSex": "M", "PatientAge": "099Y", "ViewPosition": "AP"}
    manifest = files({"PatientID": "A1", **header}, {"PatientID": "B2", **header}, None)
    manifest["named"] = [True, False, False]
    manifest["sex"], manifest["age"] = ["F", "", ""], [30.0, np.nan, np.nan]
    filled, _ = fill(tmp_path, manifest)
    assert filled["group"][0] == "0"
    assert filled["sex"].tolist() == ["F", "M", ""]
    assert filled["age"].tolist()[:2] == [30.0, 90.0]
    assert filled["view"].tolist() == ["AP", "AP", ""]


def test_ages_fill_a_column_of_text_as_tables_have_it(files: Make, tmp_path: Path) -> None:
    manifest = files({"PatientAge": "006M"}, {"PatientAge": "061Y"}, {}, None)
    manifest["age"] = pd.Series(["", "7", "", ""], dtype=str)
    assert fill(tmp_path, manifest)[0]["age"].tolist() == ["0.5", "7", "", ""]


def test_no_header_is_read_where_a_table_says_all(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = files(*[None] * 3).assign(named=True, view="PA", sex="F", age="7")
    monkeypatch.setattr("benchmarks.datasets.dicom.fields._read", None)
    assert fill(tmp_path, manifest) == (manifest, [])


@pytest.mark.parametrize("name", ["", "ANONYMOUS", "XXXX", "Unknown", "n/a"])
def test_an_id_that_means_nobody_joins_no_patients(name: str, files: Make, tmp_path: Path) -> None:
    manifest = files({"PatientID": name}, {"PatientID": name}, {"PatientID": "A1"})
    filled, notes = fill(tmp_path, manifest)
    assert filled["group"].nunique() == 3
    assert filled["named"].tolist() == [False, False, True]
    assert "2 DICOM files have no patient ID" in notes[1]


def test_one_id_for_all_files_joins_no_patients(files: Make, tmp_path: Path) -> None:
    filled, notes = fill(tmp_path, files(*[{"PatientID": "EXPORT7"}] * 3))
    assert filled["group"].nunique() == 3
    assert "3 DICOM files have no patient ID, or one that tells no patients apart" in notes[1]


def test_ids_that_are_the_names_of_the_files_are_no_patients(files: Make, tmp_path: Path) -> None:
    manifest = files(*[{"PatientID": str(number)} for number in range(3)])
    filled, notes = fill(tmp_path, manifest)
    assert not filled["named"].any()
    assert "the name of each file" in notes[1]
    manifest = files(*[{"PatientID": str(number % 2)} for number in range(3)])
    assert fill(tmp_path, manifest)[0]["group"].nunique() == 2


VIEWS = [{"PatientID": f"P{n}", "ViewPosition": v} for n, v in enumerate(("PA", "LL", "LLD", "RL"))]


def test_lateral_views_are_left_out_with_a_note(files: Make, tmp_path: Path) -> None:
    manifest = files(*VIEWS, None)
    filled, notes = fill(tmp_path, manifest)
    assert filled["image"].tolist() == ["0", "2", "4"]
    assert filled["view"].tolist() == ["PA", "LLD", ""]
    assert notes[-1] == (
        "2 DICOM files of lateral views were left out; --keep-laterals keeps them."
    )


@pytest.mark.parametrize(
    "options",
    [
        {"keep_laterals": True},
        {"where": "view != 'RL'"},
        {"where": "Dir != 'RL'", "columns": "view=Dir"},
    ],
)
def test_lateral_views_can_be_kept(options: dict[str, Any], files: Make, tmp_path: Path) -> None:
    filled, notes = fill(tmp_path, files(*VIEWS, None), **options)
    assert len(filled) == 5
    assert not [note for note in notes if "lateral" in note]


def test_lateral_views_alone_are_refused(files: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all 2 images are lateral views.*--keep-laterals"):
        fill(tmp_path, files(VIEWS[1], VIEWS[3]))


def test_only_the_user_can_read_the_key(tmp_path: Path) -> None:
    key = patient_key_file(tmp_path / "new")
    file = tmp_path / "new" / "patient.key"
    assert len(key) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert patient_key_file(tmp_path / "new") == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"short")
    with pytest.raises(DataError, match="got 5 bytes, but expected a key of 32"):
        patient_key_file(tmp_path / "new")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="the key that hides patient IDs can't be read or written"):
        patient_key_file(tmp_path / "file")


def folder_of_dicom(root: Path, size: int = 32, **shared: Any) -> Path:
    """A folder in the usual layout, of files without names of patients; two images a patient."""
    images, label = textured(72, size, seed=3)
    for number, (pixels, positive) in enumerate(zip(images, label, strict=True)):
        split = "train" if number < 48 else "test"
        path = root / split / ("PNEUMONIA" if positive else "NORMAL") / f"scan{number:03d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        patient = f"MRN-{number // 6}-{number % 3}"  # the same class three images later
        path.write_bytes(dicom(pixels, PatientID=patient, PatientName="Roe^Ann", **shared))
    return root


def test_a_folder_of_dicom_files(tmp_path: Path) -> None:
    root = folder_of_dicom(tmp_path / "data", PatientAge="061Y", ViewPosition="PA")
    dataset = datasets.load(RunConfig(data=str(root), quiet=True, jobs=1), 32)
    table = dataset.manifest
    kept = datasets.load(
        RunConfig(data=str(root), quiet=True, jobs=1, keep_laterals=True), 32
    ).manifest
    pd.testing.assert_frame_equal(kept, table)
    assert dataset.patients_known
    assert table["group"].nunique() == 36
    assert set(table["age"]) == {61.0}
    assert set(table["format"]) == {"DICOM"}
    assert not table.astype(str).apply(lambda column: column.str.contains("MRN|Roe")).any(axis=None)
    assert any("burned into the pixels" in note for note in dataset.notes)


def test_a_patient_in_train_and_test_is_found(tmp_path: Path) -> None:
    root = folder_of_dicom(tmp_path / "data")
    for path in sorted((root / "test" / "NORMAL").iterdir())[:2]:
        path.write_bytes(dicom(GREY + path.name.encode()[-1], PatientID="MRN-0-0"))
    table = datasets.load(RunConfig(data=str(root), quiet=True, jobs=1), 32).manifest
    assert (table.groupby("group")["split"].nunique() > 1).sum() == 1


def test_the_same_pixels_as_png_and_as_dicom(tmp_path: Path) -> None:
    as_dicom = folder_of_dicom(tmp_path / "dicom")
    images, _ = textured(72, 32, seed=3)
    for path in as_dicom.rglob("scan*"):
        png = tmp_path / "png" / path.relative_to(as_dicom)
        png.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[int(path.name[4:])]).save(png, "PNG")
    loaded = [
        datasets.load(RunConfig(data=str(folder), quiet=True, jobs=1), 24)
        for folder in (as_dicom, tmp_path / "png")
    ]
    np.testing.assert_array_equal(loaded[0].images[:], loaded[1].images[:])
    for column in ("image", "label", "split", "width", "height"):
        assert loaded[0].manifest[column].tolist() == loaded[1].manifest[column].tolist()


def test_a_table_of_dicom_files(tmp_path: Path) -> None:
    root = folder_of_dicom(tmp_path / "data", PatientAge="006M", PatientSex="M")
    lateral = next((root / "train" / "NORMAL").iterdir())
    lateral.write_bytes(dicom(GREY, PatientID="MRN-7-0", ViewPosition="LL"))
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("scan*"))
    rows = pd.DataFrame({"image": paths, "split": [path.split("/")[0] for path in paths]})
    rows["label"], rows["age"] = [path.split("/")[1] for path in paths], ""
    rows.loc[rows.index[-1], "age"] = "44"
    rows.to_csv(root / "table.csv", index=False)
    config = RunConfig(data=str(root / "table.csv"), quiet=True, jobs=1)
    dataset = datasets.load(config, 24)
    table = dataset.manifest
    assert len(table) == 71
    assert table["group"].nunique() == 36
    assert table["age"].tolist() == [*[0.5] * 70, 44.0]
    assert set(table["sex"]) == {"M"}
    assert dataset.patients_known
    assert any("1 DICOM files of lateral views were left out" in note for note in dataset.notes)
    assert not any("do not identify a patient" in note for note in dataset.notes)
    kept = datasets.load(config.model_copy(update={"keep_laterals": True}), 24)
    assert len(kept.manifest) == 72

"""Published data sets through the path of any table: classes, patients, splits, sources."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import datasets
from benchmarks.commands.list import choices
from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import recipe_folder, splits
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.recipes import RECIPES
from benchmarks.datasets.table import list_images_of
from benchmarks.run.run_folder import new_folder
from tests.datasets.recipes.replicas import NUMBER, Replica
from tests.datasets.recipes.test_common_recipes import made

DOCS = Path(__file__).parents[2] / "docs/data.md"
NIH = Path(__file__).parents[3] / "shared/data/nih/Data_Entry_2017_v2020.csv.gz"


def load(name: str, folder: Path, **options: object) -> Dataset:
    data = {"data": f"{name}:{folder}", "quiet": True, "jobs": 1, **options}
    return datasets.load(RunConfig.model_validate(data), 32)


def drawn(replica: Replica) -> dict[str, float]:
    return {} if "test" in replica.splits else {"test_fraction": 0.3}


@pytest.mark.parametrize("name", RECIPES)
def test_data_set_of_a_replica(name: str, tmp_path: Path) -> None:
    replica = made(name, tmp_path)
    dataset = load(name, tmp_path, **drawn(replica))
    table = dataset.manifest
    assert dataset.name == name
    assert dataset.classes == replica.classes
    assert np.bincount(table["label"]).tolist() == [replica.negatives, replica.positives]
    assert set(table["split"]) == {*replica.splits, *(() if replica.splits else ("train",))}
    assert dataset.patients_known == (replica.patients is not None)
    if replica.patients is not None:
        assert table["group"].nunique() == replica.patients
    source = RECIPES[name].source
    assert (dataset.licence, dataset.citation) == (source.licence, source.citation)
    assert (dataset.limitations, dataset.facts) == (source.limitations, source.facts)
    said = json.dumps([*dataset.notes, dataset.citation, *dataset.facts.values()])
    assert not re.search("kermany|child|bacteri", said, re.IGNORECASE)
    assert RECIPES[name].tried in said


def test_dicom_files_tell_view_sex_and_age_but_no_patients(tmp_path: Path) -> None:
    """The ID in the files of the RSNA is the name of the image."""
    made("rsna", tmp_path)
    known = load("rsna", tmp_path, test_fraction=0.3)
    table = known.manifest
    assert set(table["view"]) == {"PA"}
    assert set(table["sex"]) == {"F"}
    assert set(table["age"]) == {51}
    (tmp_path / "pneumonia-challenge-dataset-mappings_2018.json").unlink()
    unknown = load("rsna", tmp_path, test_fraction=0.3)
    assert not unknown.patients_known
    assert unknown.manifest["group"].nunique() == len(unknown.manifest)


def test_laterals_are_left_out_unless_the_condition_names_the_view(tmp_path: Path) -> None:
    made("mimic-cxr", tmp_path)
    assert set(load("mimic-cxr", tmp_path).manifest["view"]) == {"PA", "AP"}
    lateral = load("mimic-cxr", tmp_path, where="view == 'LATERAL'")
    assert set(lateral.manifest["view"]) == {"LATERAL"}
    every = load("mimic-cxr", tmp_path, keep_laterals=True)
    assert set(every.manifest["view"]) == {"PA", "AP", "LATERAL"}
    only = load("mimic-cxr", tmp_path, where="view == 'PA' and Pneumonia != '-1.0'")
    assert len(only.manifest) == NUMBER


def test_a_finding_can_be_used_instead_of_the_list_of_findings(tmp_path: Path) -> None:
    made("chexpert", tmp_path)
    options = {"label": "Pneumonia", "test_fraction": 0.2}
    dataset = load("chexpert", tmp_path, **options)
    assert dataset.classes == ("no Pneumonia", "Pneumonia")
    assert np.bincount(dataset.manifest["label"]).tolist() == [2, NUMBER]
    uncertain = load("chexpert", tmp_path, uncertain="positive", **options)
    assert (uncertain.manifest["label"] == 1).sum() > NUMBER


def test_other_classes_than_the_declared_ones(tmp_path: Path) -> None:
    made("covid-radiography", tmp_path)
    dataset = load("covid-radiography", tmp_path, test_fraction=0.3, positive="Viral Pneumonia")
    assert dataset.classes == ("Normal", "Viral Pneumonia")
    both = load("covid-radiography", tmp_path, test_fraction=0.3, task="subtype")
    assert both.classes == ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")


def test_stated_findings_are_never_uncertain(tmp_path: Path) -> None:
    made("nih", tmp_path)
    with pytest.raises(DataError, match=r"--uncertain: got positive.*--label"):
        load("nih", tmp_path, uncertain="positive")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected nih:FOLDER with Data_Entry.*https://nihcc"):
        datasets.load(RunConfig(data="nih:"), 32)
    with pytest.raises(DataError, match=r"no folder, but expected train\.csv, valid\.csv"):
        load("chexpert", tmp_path / "nowhere")
    with pytest.raises(DataError, match="published data set as NAME:FOLDER"):
        load("nih14", tmp_path)


def test_mistakes_in_published_files_are_refused(tmp_path: Path) -> None:
    made("nih", tmp_path)
    table = tmp_path / "Data_Entry_2017_v2020.csv"
    table.write_text(table.read_text().replace("Patient ID", "PatientID"))
    with pytest.raises(DataError, match=r"found no column 'Patient ID'"):
        load("nih", tmp_path)


@pytest.mark.parametrize("name", RECIPES)
def test_the_documentation_and_the_command_list_have_every_recipe(name: str) -> None:
    recipe = RECIPES[name]
    line = choices()["Published data sets (--data NAME:FOLDER)"][name]
    assert recipe.title in line
    assert recipe.obtain in line
    assert (recipe.source.licence or "not stated") in line
    rows = [row for row in DOCS.read_text("utf-8").splitlines() if row.startswith(f"| `{name}` |")]
    assert len(rows) == 1
    assert f"{recipe.positive[0]} / {recipe.negative[0]}" in rows[0]


def test_a_run_never_writes_into_the_data(tmp_path: Path) -> None:
    made("shenzhen", tmp_path)
    config = RunConfig(data=f"shenzhen:{tmp_path}", out=tmp_path / "run", quiet=True)
    with pytest.raises(ConfigError, match="folder inside the data"), new_folder(config):
        pass


@pytest.mark.real
@pytest.mark.skipif(not NIH.exists(), reason="needs the label table of NIH ChestX-ray14")
def test_the_real_nih_table_is_read_and_split_by_patient_in_30_seconds_of_one_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With names of files as they are published, but without the files."""
    shutil.copy(NIH, tmp_path)
    recipe = RECIPES["nih"]
    names = recipe.table(tmp_path)["image"]
    paths = [f"images_{1 + k // 10_000:03d}/images/{name}" for k, name in enumerate(names)]
    monkeypatch.setattr("benchmarks.datasets.table.list_below", lambda root: (paths, 0))
    config = recipe_folder.declared(RunConfig(data="nih:x", test_fraction=0.2), recipe)
    start = time.process_time()
    listed = list_images_of(recipe.table(tmp_path), tmp_path, config, "NIH")
    split, _ = splits.draw_test(listed.manifest, 0.2)
    assert time.process_time() - start < 30
    assert (listed.manifest["missing"] == "").all()
    assert listed.manifest["class"].value_counts().to_dict() == {
        "No Finding": 60_361, "Pneumonia": 1_431
    }  # fmt: skip
    assert listed.excluded["images"].sum() == 112_120 - 60_361 - 1_431
    groups = listed.manifest["group"].groupby(split).agg(set)
    assert not groups["train"] & groups["test"]
    assert abs((split == "test").mean() - 0.2) < 0.01

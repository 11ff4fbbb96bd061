"""A planted letter: measures by hand; then a small run, where importance must point to it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.checks.planted import (
    COLUMNS,
    GREY,
    LETTER,
    letter_box,
    marked_regions,
    plant,
    stand_out,
    tabulate,
)
from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.phantoms import generate
from benchmarks.importance.groups import boxes_of, columns_of
from features import Hog, Lbp

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def phantoms() -> Dataset:
    return generate(160, 64)


@pytest.fixture(scope="module")
def table(phantoms: Dataset) -> pd.DataFrame:
    return tabulate(phantoms, ("hog", "lbp"), ("svm", "forest", "logistic"), jobs=1)


def test_rank_and_share_by_hand() -> None:
    importance = np.array([0.5, 3.0, -2.0, 1.0, 0.5])
    marked = np.array([True, False, True, False, False])
    assert stand_out(importance, marked) == (4, 0.5 / 5)  # an equal one counts as before it
    assert stand_out(importance, np.array([False, True, False, True, False])) == (1, 4 / 5)
    rank, share = stand_out(np.array([0.0, -1.0, 0.0]), np.array([True, False, False]))
    assert rank == 2
    assert np.isnan(share)


def test_the_letter_is_inside_its_box(phantoms: Dataset) -> None:
    glued = plant(phantoms, "glued")
    changed = np.asarray(glued.images) != np.asarray(phantoms.images)
    top, bottom, left, right = letter_box(64)
    inside = np.zeros((64, 64), bool)
    inside[top:bottom, left:right] = True
    assert not changed[:, ~inside].any()
    sick = (phantoms.manifest["label"] == 1).to_numpy()
    assert not changed[~sick].any()
    ink = sum(line.count("#") for line in LETTER)
    assert ((np.asarray(glued.images)[sick] == GREY)[:, inside].sum(axis=1) >= ink).all()


def test_a_random_letter_is_on_half_of_each_class(phantoms: Dataset) -> None:
    letters = plant(phantoms, "random")
    manifest = phantoms.manifest
    has = (np.asarray(letters.images)[:, 2:9, 2:6] == GREY).sum(axis=(1, 2)) >= 15
    patients = manifest.assign(has=has).groupby("group")
    assert (patients["has"].nunique() == 1).all()
    first = patients.first()
    for _, part in first.groupby(["split", "class"]):
        assert abs(part["has"].sum() - (~part["has"]).sum()) <= 1
    same = np.asarray(plant(phantoms, "none").images)
    np.testing.assert_array_equal(same, np.asarray(phantoms.images))


def test_regions_of_the_letter() -> None:
    images = np.zeros((1, 128, 128), np.uint8)
    boxes = boxes_of(columns_of({"hog": Hog(cell=8).fit(images), "lbp": Lbp().fit(images)}))
    touched = boxes[marked_regions(boxes, 128)]  # rows 4 to 18, columns 4 to 14
    hog = [f"hog/row{r:02d}/col{c:02d}" for r in range(3) for c in range(2)]
    assert sorted(touched.index) == [*hog, "lbp/cell00"]


def test_importance_finds_the_letter(table: pd.DataFrame) -> None:
    assert table.columns.tolist() == COLUMNS
    glued = table[(table["set"] == "glued") & table["family"].notna()]
    assert set(glued["method"]) == {"permutation", "replacement", "shap"}
    assert (glued["rank"] == 1).all()
    assert (glued["share"] > 3 * glued["area"]).all()
    assert (glued["auc"] > 0.95).all()


@pytest.mark.parametrize("how", ["none", "random"])
def test_importance_ignores_a_letter_without_information(table: pd.DataFrame, how: str) -> None:
    found = table[(table["set"] == how) & table["family"].notna()]
    assert (found["rank"] > found["regions"] / 10).all()
    assert (found["share"] < 2 * found["area"]).all()


def test_controls_and_audit_find_the_letter(table: pd.DataFrame) -> None:
    controls = table[table["method"] == "control"].set_index(["set", "features"])["auc"]
    assert controls["glued", "border"] > 0.95
    assert controls["glued", "border"] > controls["glued", "centre"]
    for how in ("none", "random"):
        assert controls[how, "border"] < 0.7
    audits = table[table["method"] == "audit"].set_index("set")
    assert audits["severity"].fillna("").to_dict() == {"none": "", "random": "", "glued": "warn"}
    assert "upper left corner, rows 0–4, columns 0–4" in audits.loc["glued", "finding"]
    assert audits.loc["glued", "auc"] == 1.0
    assert audits.loc["random", "auc"] < 0.75

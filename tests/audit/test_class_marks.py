"""Marks beside the lungs that reveal a class: found if planted, not if placed at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.audit.checks import audit
from benchmarks.audit.class_marks import (
    GRID,
    cell_statistics,
    describe_places,
    discriminating_places,
    outside_cells,
    place_words,
)
from benchmarks.audit.findings import Audit
from benchmarks.datasets.dataset import Dataset, by_subtype
from benchmarks.datasets.phantoms import generate
from benchmarks.datasets.regions import no_lungs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def phantoms() -> Dataset:
    return generate(n_images=200, size=64)


def marked(dataset: Dataset, chosen: NDArray[np.bool_], value: int = 250) -> Dataset:
    """Burn a bar of 5 × 2 pixels into the upper right corner of some images."""
    images = np.array(dataset.images)
    images[chosen, 2:7, 58:60] = value
    return replace(dataset, images=images)


def marks(found: Audit) -> pd.DataFrame:
    return found.findings[found.findings["check"] == "class_mark"]


def sick(dataset: Dataset) -> NDArray[np.bool_]:
    return (dataset.manifest["label"] == 1).to_numpy()


@pytest.mark.parametrize("size", [28, 64, 100, 224])
def test_statistics_are_those_of_each_cell(size: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, size, size), dtype=np.uint8)
    found = cell_statistics(images)
    cells = outside_cells(size)
    assert found.shape == (3, len(cells), 2)
    lungs = ~no_lungs(size)
    for k, (number, (top, bottom, left, right)) in enumerate(cells):
        part = images[:, top:bottom, left:right].reshape(3, -1)
        np.testing.assert_allclose(found[:, k, 0], part.mean(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(found[:, k, 1], part.max(axis=1))
        assert not lungs[top:bottom, left:right].any()
        assert top == size * (number // GRID) // GRID


def test_auc_is_over_patients() -> None:
    """If each image counted separately, the four images of patient a would outweigh b."""
    numbers = np.zeros((8, len(outside_cells(28)), 2), np.float32)
    numbers[:, 5, 1] = [9, 9, 9, 1, 3, 8, 2, 1]
    patient = np.array(list("aaaabcde"), dtype=object)  # means: 7, 3, 8, 2, 1
    label = np.array(["PNEUMONIA"] * 5 + ["NORMAL"] * 3, dtype=object)
    best = discriminating_places(numbers, label, patient, 28).iloc[0]
    assert best["auc"] == pytest.approx(
        4 / 6
    )  # of (7, 3) and (8, 2, 1): 2 pairs lost; 11.5 / 15 of images
    assert best["statistic"] == "brightest pixel"
    assert best["higher"]
    assert best[["top", "bottom", "left", "right"]].tolist() == [0, 2, 10, 12]
    sign = discriminating_places(-numbers, label, patient, 28).iloc[0]
    assert (sign["auc"], sign["higher"]) == (pytest.approx(4 / 6), False)


def test_auc_equals_scikit_learns_and_is_rarely_exceeded_by_chance() -> None:
    rng = np.random.default_rng(1)
    label = np.where(np.arange(90) % 3 > 0, "PNEUMONIA", "NORMAL").astype(object)
    patient = np.arange(90).astype(str).astype(object)
    beaten = 0
    for _ in range(100):
        numbers = rng.normal(size=(90, len(outside_cells(28)), 2)).astype(np.float32)
        found = discriminating_places(numbers, label, patient, 28)
        beaten += found["auc"].iloc[0] > found["by_chance"].iloc[0]
    assert beaten <= 2  # 0.1 expected
    place = [box for _, box in outside_cells(28)].index(tuple(found.iloc[0, :4]))
    which = ["mean grey value", "brightest pixel"].index(found["statistic"].iloc[0])
    auc = roc_auc_score(label == "PNEUMONIA", numbers[:, place, which])
    assert found["auc"].iloc[0] == pytest.approx(max(auc, 1 - auc))


def test_mark_is_found_at_its_place(phantoms: Dataset) -> None:
    found = marks(audit(marked(phantoms, sick(phantoms))))
    assert found["severity"].tolist() == ["warn"]
    detail = found["detail"].iloc[0]
    assert "beside the lungs" in detail
    first = "upper right corner, rows 0–4, columns 54–59: brightest pixel alone, higher in PNEUM"
    assert first in detail
    assert "gives an AUC of 1.00" in detail
    train = phantoms.manifest["split"] == "train"
    assert found["images"].tolist() == [train.sum()]


@pytest.mark.parametrize("seed", range(3))
def test_random_mark_and_no_mark_are_no_finding(phantoms: Dataset, seed: int) -> None:
    patients = phantoms.manifest["group"].unique()
    drawn = np.random.default_rng(seed).permutation(patients)[: len(patients) // 2]
    half = phantoms.manifest["group"].isin(drawn).to_numpy()
    assert marks(audit(marked(phantoms, half))).empty
    assert marks(audit(generate(n_images=100, size=64, seed=seed))).empty


def test_test_images_are_not_used(phantoms: Dataset) -> None:
    test = (phantoms.manifest["split"] == "test").to_numpy()
    assert marks(audit(marked(phantoms, sick(phantoms) & test))).empty
    assert not marks(audit(marked(phantoms, sick(phantoms) & ~test))).empty


def test_mark_on_most_of_a_class_is_a_note(phantoms: Dataset) -> None:
    patients = phantoms.manifest["group"].to_numpy(dtype=object)
    names = np.unique(patients[sick(phantoms)])
    most = np.isin(patients, names[np.arange(len(names)) % 5 > 0])  # 80 %: AUC about 0.9
    assert marks(audit(marked(phantoms, most)))["severity"].tolist() == ["note"]


def test_dark_place_is_found(phantoms: Dataset) -> None:
    images = np.array(phantoms.images)
    images[:, -5:, :5] = np.where(sick(phantoms), 20, 30)[:, None, None]
    detail = marks(audit(replace(phantoms, images=images)))["detail"].iloc[0]
    assert "lower left corner" in detail
    assert "mean grey value alone, lower in PNEUMONIA" in detail


def test_each_of_several_classes_is_compared_with_the_others(phantoms: Dataset) -> None:
    manifest, classes = by_subtype(phantoms.manifest, phantoms.classes, "phantoms")
    virus = (manifest["class"] == "virus").to_numpy()
    three = replace(marked(phantoms, virus), manifest=manifest, classes=classes)
    assert "higher in virus, gives an AUC of 1.00" in marks(audit(three))["detail"].iloc[0]
    assert marks(audit(replace(phantoms, manifest=manifest, classes=classes))).empty


def test_few_patients_and_one_class_are_no_finding() -> None:
    numbers = np.random.default_rng(0).random((4, len(outside_cells(28)), 2)).astype(np.float32)
    patient = np.array(list("abcd"), dtype=object)
    for label in ("NNNN", "NNNP"):
        found = discriminating_places(numbers, np.array(list(label), dtype=object), patient, 28)
        assert found.empty
    few = discriminating_places(numbers, np.array(list("NNPP"), dtype=object), patient, 28)
    assert (few["by_chance"] > 1).all()


def test_place_words() -> None:
    assert place_words(0, 16, 96, 112, 224) == "upper edge, rows 0–16, columns 96–112"
    assert place_words(200, 224, 0, 16, 224).startswith("lower left corner, ")
    assert place_words(100, 120, 100, 120, 224).startswith("centre, ")
    box = {"top": 0, "bottom": 16, "left": 0, "right": 16, "statistic": "brightest pixel",
           "class": "virus", "higher": False, "auc": 0.987}  # fmt: skip
    assert describe_places(pd.DataFrame([box] * 5), 224).endswith("AUC of 0.99; and 2 more of 60 "
                                                                 "places")  # fmt: skip

"""Measures of a map against a known lesion, by hand; then a small run on phantoms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.checks import lesions as check
from benchmarks.checks.lesions import COLUMNS, Lesions, check_cell, tabulate
from benchmarks.checks.localisation import (
    MEASURES,
    centre_prior,
    fraction_inside,
    pixel_auc,
    pointing,
)
from benchmarks.checks.regional_importance import (
    METHODS,
    describe,
    fit_cell,
    occlusion,
    replacement,
)
from benchmarks.datasets.phantoms import generate
from benchmarks.explain.occlusion import occlusion_map
from benchmarks.importance.importance_map import importance_map

pytestmark = pytest.mark.slow

MASK = np.array([[True, True, False], [False, False, False]])


def test_measures_by_hand() -> None:
    found = np.array([[4.0, 0.0, 1.0], [-3.0, 3.0, 0.0]])
    assert pointing(found, MASK) == 1.0
    assert fraction_inside(found, MASK) == 4 / 8
    # 4 beats all four outside; 0 beats -3, ties with one 0, loses against 1 and 3
    assert pixel_auc(found, MASK) == (4 + 1.5) / 8
    assert pointing(-found, MASK) == 0.0
    assert fraction_inside(-found, MASK) == 0.0


@pytest.mark.parametrize("value", [0.0, -2.0, 1.0])
def test_a_uniform_map_is_at_chance(value: float) -> None:
    even = np.full(MASK.shape, value)
    assert [of(even, MASK) for of in MEASURES.values()] == [2 / 6, 2 / 6, 0.5]


def test_values_that_differ_by_rounding_are_equal() -> None:
    found = np.array([[0.3, 0.0, 0.1 + 0.2], [0.0, 0.0, 0.0]])
    assert found[0, 0] != found[0, 2]
    assert pointing(found, MASK) == 0.5
    assert pixel_auc(found, MASK) == pixel_auc(np.rint(10 * found), MASK)


@given(st.lists(st.integers(-3, 3), min_size=6, max_size=6))
def test_auc_is_scikit_learns(values: list[int]) -> None:
    found = np.array(values, float).reshape(2, 3)
    assert pixel_auc(found, MASK) == pytest.approx(roc_auc_score(MASK.ravel(), values))


def test_auc_needs_pixels_inside_and_outside() -> None:
    with pytest.raises(ValueError, match="mask of 0 of 6 pixels"):
        pixel_auc(np.ones((2, 3)), np.zeros((2, 3), bool))


def test_centre_prior_is_round_and_sums_to_one() -> None:
    prior = centre_prior((64, 64))
    assert prior.sum() == pytest.approx(1)
    np.testing.assert_allclose(prior, prior[::-1, ::-1])
    np.testing.assert_allclose(prior, prior.T)
    ratio = prior[32, 48] / prior[32, 32]  # 16.5 and 0.5 pixels off, standard deviation 16
    assert ratio == pytest.approx(np.exp(-(16.5**2 - 0.5**2) / (2 * 16**2)))


@pytest.fixture(scope="module")
def small() -> tuple[Any, Lesions]:
    dataset = generate(240, 64)
    assert dataset.masks is not None
    return describe(dataset, ("lbp",)), Lesions.of(dataset.manifest, dataset.masks)


def test_only_test_pneumonias_count(small: tuple[Any, Lesions]) -> None:
    data, lesions = small
    own = data.manifest.iloc[lesions.rows]
    assert set(own["split"]) == {"test"}
    assert set(own["label"]) == {1}
    assert lesions.masks.any(axis=(1, 2)).all()
    assert set(lesions.subtype) == {"bacteria", "virus"}


@pytest.mark.slow
def test_maps_of_many_images_are_those_of_one(small: tuple[Any, Lesions]) -> None:
    data, lesions = small
    cell = fit_cell(data, "lbp", "logistic")
    found = replacement(cell, lesions.rows[:2])
    values = dict(zip(cell.groups, found.importance[1], strict=True))
    one = importance_map(values, cell.boxes, (64, 64))
    np.testing.assert_allclose((found.importance[1] @ found.weights).reshape(64, 64), one)


@pytest.mark.slow
def test_occlusion_by_tiles_is_the_whole_map(small: tuple[Any, Lesions]) -> None:
    data, lesions = small
    cell = fit_cell(data, "lbp", "logistic")
    row = lesions.rows[0]
    found = occlusion(cell, lesions.rows[:1])
    np.testing.assert_allclose(found.weights.sum(axis=0), 1 / 16)  # tiles of 4 × 4 pixels

    def score(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return cell.pipeline.decision_function(data.descriptors["lbp"].transform(images))

    whole = occlusion_map(data.images[row], score, patch=8, stride=4)
    np.testing.assert_allclose(
        16 * (found.importance[0] @ found.weights).reshape(64, 64), whole, atol=1e-4
    )


def test_a_map_of_the_masks_is_perfect_and_its_reverse_is_not(small: tuple[Any, Lesions]) -> None:
    _, lesions = small
    flat = lesions.masks.reshape(len(lesions.rows), -1).astype(float)
    assert all((values == 1).all() for values in lesions.measure(flat).values())
    assert (lesions.measure(-flat)["auc"] == 0).all()


@pytest.mark.slow
def test_table_of_a_small_run(small: tuple[Any, Lesions]) -> None:
    data, lesions = small
    table = tabulate(data, lesions, ("lbp",), ("logistic",), jobs=1)
    assert table.columns.tolist() == COLUMNS
    assert (table["lo"] <= table["value"]).all()
    assert (table["value"] <= table["hi"]).all()
    keys = ["method", "subtype", "measure"]
    found = table.set_index(keys)
    assert found.index.is_unique
    oracle = found.loc[(check.PRIORS["lesion"], "all", "auc")]
    assert oracle["value"] > found.loc[(check.PRIORS["centre"], "all", "auc"), "value"] > 0.6
    assert oracle["over_lesion"] == 0
    assert set(METHODS) <= set(table["method"])
    for method in ("permutation", "replacement", "shap"):  # a grey square misleads LBP anywhere
        for measure in ("share", "auc"):
            row = found.loc[(method, "all", measure)]
            assert row["over_shuffled_lo"] > 0, f"{method} {measure} is no better than chance"
            assert row["over_shuffled"] == pytest.approx(row["value"] - row["shuffled"])
        chance = found.loc[(method, "all", "auc"), "shuffled"]
        assert chance == pytest.approx(0.5, abs=0.08)
    parts = found.loc["replacement"].xs("share", level="measure")["images"]
    assert parts["all"] == parts["bacteria"] + parts["virus"] == len(lesions.rows)


@pytest.mark.slow
def test_a_second_run_gives_the_same_numbers(small: tuple[Any, Lesions]) -> None:
    data, lesions = small
    pd.testing.assert_frame_equal(
        check_cell(data, lesions, "lbp", "logistic"), check_cell(data, lesions, "lbp", "logistic")
    )

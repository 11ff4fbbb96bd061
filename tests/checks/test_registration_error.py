"""Distances of landmarks by hand; then both checks of registration on few phantoms."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.checks import registration_error as check
from benchmarks.checks.registration_radiographs import COLUMNS, compare_templates, draw_means
from benchmarks.checks.registration_radiographs import tabulate as count_failures
from benchmarks.datasets.phantom.anatomy import LANDMARKS
from features.preprocessing.registration import Alignment, Registration


@pytest.fixture(scope="module")
def shots() -> check.Shots:
    return check.draw_shots(40)


def test_maps_are_undone() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (3, 10, 2))
    matrices = np.array([[[1.1, 0.1, 0.2], [-0.1, 0.9, -0.1]]] * 3)
    moved = points @ matrices[0, :, :2].T + matrices[0, :, 2]
    np.testing.assert_allclose(check.registered_points(moved, matrices), points)


def test_the_best_affine_map_undoes_affine_changes() -> None:
    rng = np.random.default_rng(1)
    shape = rng.uniform(-1, 1, (10, 2))
    points = np.stack([shape @ (np.eye(2) + rng.uniform(-0.1, 0.1, (2, 2))) for _ in range(5)])
    assert check.spread(points).mean() > 1
    assert check.spread(check.best_affine(points)).max() < 1e-9


def test_landmarks_move_with_the_image(shots: check.Shots) -> None:
    marked = np.zeros_like(shots.images)
    pixel = np.rint((shots.landmarks[:, 0] + 1) * check.SIDE / 2 - 0.5).astype(int)
    for image, (x, y) in zip(marked, pixel, strict=True):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    moved = check.Shots(marked, shots.landmarks, shots.patient, shots.train).reframed()
    y, x = np.mgrid[: check.SIDE, : check.SIDE]
    for image, landmark in zip(moved.images, moved.landmarks[:, 0], strict=True):
        centre = np.array([np.average(x, weights=image), np.average(y, weights=image)])
        assert np.linalg.norm(centre - ((landmark + 1) * check.SIDE / 2 - 0.5)) < 1.5


def test_registration_brings_landmarks_together(shots: check.Shots) -> None:
    table = check.tabulate(shots.reframed(), "changed")
    assert list(table.columns) == check.COLUMNS
    assert len(table) == 3 * (len(LANDMARKS) + 1)
    mean = table[table["landmark"] == "all"].set_index("position")["distance"]
    assert mean["registered"] < 0.6 * mean["unregistered"]
    assert mean["best affine map"] < mean["registered"]
    assert (table["lo"] <= table["distance"]).all()
    assert (table["distance"] <= table["hi"]).all()


def test_failures_are_counted_by_class(shots: check.Shots) -> None:
    images = shots.images.copy()
    images[:2] = 0
    step = Registration().fit(images)
    label = np.array(["a", "b"] * 20, dtype=object)
    found = step.align(images)
    moved = np.arange(40) < 10
    table = count_failures(found, moved, label, shots.patient).set_index("class")
    assert {"class", *table.columns} == set(COLUMNS)
    assert table["no contrast"].to_dict() == {"all": 2, "a": 1, "b": 1}
    assert table.loc["all", "failed"] >= 2 / 40
    assert table["moved"].to_dict() == {"all": 0.25, "a": 0.25, "b": 0.25}
    assert draw_means(images, step.transform(images)).shape == (224, 452)


def test_templates_are_compared_without_their_own_shift() -> None:
    matrices = np.tile(np.eye(2, 3), (4, 1, 1))
    reason = np.array(["", "", "", "shear"])
    one = Alignment(matrices, np.ones(4), np.ones(4), reason)
    moved = matrices + np.array([[0, 0, 0.25], [0, 0, 0]])
    same = Alignment(moved, np.ones(4), np.ones(4), np.array([""] * 4))
    row = compare_templates(one, same, 224).iloc[0]
    assert (row["registered_to_both"], row["registered_to_one"]) == (3, 1)
    assert row["p95_pixels"] == pytest.approx(0, abs=1e-9)
    moved[0, 0, 2] += 0.3
    other = Alignment(moved, np.ones(4), np.ones(4), reason)
    distances = np.array([0.2, 0.1, 0.1]) * 112  # of 0.3 in one of three, about their mean
    assert compare_templates(one, other, 224)["median_pixels"][0] == pytest.approx(
        np.median(distances)
    )

"""What extraction takes from the feature store, and what it must compute again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.extraction.extract import FeatureMatrices, extract
from benchmarks.extraction.store import FeatureStore, StoreError
from benchmarks.io.image_stack import ImageStack
from features import FEATURES, Intensity
from tests.helpers import textured

CONFIG = RunConfig(image_size=32, jobs=1, quiet=True)
IMAGES = textured(20, 32)[0]


def run(images: NDArray[np.uint8], folder: Path, store: FeatureStore | None) -> FeatureMatrices:
    folder.mkdir(exist_ok=True)
    return extract(ImageStack.of(images), CONFIG, ("hog", "intensity"), folder, store)


def matrices(result: FeatureMatrices) -> dict[str, NDArray[np.float32]]:
    return {name: matrix[:] for name, matrix in result.matrices.items()}


def counts(result: FeatureMatrices) -> dict[str, int]:
    return dict(zip(result.table["family"], result.table["from_store"], strict=True))


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, NDArray[np.float32]]:
    return matrices(run(IMAGES, tmp_path / "plain", None))


def test_matrices_equal_the_descriptors_output(plain: dict[str, NDArray[np.float32]]) -> None:
    for name, matrix in plain.items():
        np.testing.assert_array_equal(matrix, FEATURES[name]().fit_transform(IMAGES))


def test_second_run_reads_everything(
    tmp_path: Path, plain: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FeatureStore(tmp_path / "store") as store:
        assert counts(run(IMAGES, tmp_path / "a", store)) == {"hog": 0, "intensity": 0}
        for name in ("hog", "intensity"):
            monkeypatch.setattr(FEATURES[name], "transform", None)
        again = run(IMAGES, tmp_path / "b", store)
    assert counts(again) == {"hog": 20, "intensity": 20}
    assert again.table["milliseconds_per_image"].isna().all()
    for name, matrix in matrices(again).items():
        np.testing.assert_array_equal(matrix, plain[name])


def test_only_new_and_changed_images_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = np.concatenate([textured(3, 32, seed=9)[0], IMAGES[::-1]])
    grown[7, 0, 0] ^= 1  # one grey level of one pixel
    with FeatureStore(tmp_path / "store") as store:
        run(IMAGES, tmp_path / "a", store)
        seen: list[int] = []
        transform = Intensity.transform
        monkeypatch.setattr(
            Intensity, "transform", lambda self, X: (seen.append(len(X)), transform(self, X))[1]
        )
        result = run(grown, tmp_path / "b", store)
    assert seen == [4]
    assert counts(result) == {"hog": 19, "intensity": 19}
    for name, matrix in matrices(result).items():
        np.testing.assert_array_equal(matrix, FEATURES[name]().fit_transform(grown))


@pytest.mark.parametrize("method", ["read", "write"])
def test_continues_without_a_store_that_fails(
    tmp_path: Path, plain: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:  # fmt: skip
    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    with FeatureStore(tmp_path / "store") as store:
        monkeypatch.setattr(store, method, full)
        with pytest.warns(UserWarning, match="The disk is full. .* without the feature store"):
            result = run(IMAGES, tmp_path / "a", store)
    for name, matrix in matrices(result).items():
        np.testing.assert_array_equal(matrix, plain[name])


def test_continues_without_the_store_after_an_edit_of_a_formula(
    tmp_path: Path, plain: dict[str, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def edited(_: object) -> None:
        raise StoreError("features/hog.py was edited.")

    monkeypatch.setattr("benchmarks.extraction.family_rows.family_key", edited)
    with (
        FeatureStore(tmp_path / "store") as store,
        pytest.warns(UserWarning, match="was edited. .* is computed without the feature store"),
    ):
        result = run(IMAGES, tmp_path / "a", store)
    assert counts(result) == {"hog": 0, "intensity": 0}
    for name, matrix in matrices(result).items():
        np.testing.assert_array_equal(matrix, plain[name])

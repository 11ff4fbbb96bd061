"""Preprocessing steps: fitted on training images, saved with a run, applied to all images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.datasets.phantoms import generate
from benchmarks.extraction.prepare import (
    STATE,
    Preparation,
    fit_preparation,
    load_preparation,
    save_preparation,
)
from benchmarks.io.results import RunError
from features import preprocessing
from features.preprocessing import PreprocessingStep
from tests.helpers import textured


class Darker(PreprocessingStep):
    """Subtracts the mean grey value of the training images."""

    title = "darker"

    def fit(self, images: NDArray[np.uint8]) -> Self:
        self.level_ = int(images.mean())
        return self

    def transform(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.clip(images.astype(int) - self.level_, 0, 255).astype(np.uint8)

    def state(self) -> dict[str, NDArray[Any]]:
        return {"level": np.array(self.level_)}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Self:
        step = cls()
        step.level_ = int(state["level"])
        return step


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    monkeypatch.setitem(preprocessing.PREPROCESSING, "darker", Darker)
    return RunConfig(image_size=64, contrast=False, preprocess="darker")


@pytest.fixture
def data() -> tuple[NDArray[np.uint8], pd.DataFrame]:
    images = textured(6, 64)[0]
    images[3:] = 255
    split = ["train", "train", "train", "test", "validation", "test"]
    return images, pd.DataFrame({"split": split, "sha256": list("cafbed")})


def test_steps_learn_from_training_images_only(config: RunConfig, data: Any) -> None:
    images, manifest = data
    fitted = fit_preparation(images, manifest, config)
    assert fitted.steps["darker"].level_ == int(images[:3].mean())
    stack = fitted.applied_to(images)
    np.testing.assert_array_equal(stack[:], np.clip(
        images.astype(int) - int(images[:3].mean()), 0, 255
    ))  # fmt: skip


def test_the_order_of_files_changes_nothing(
    config: RunConfig, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.extraction import prepare

    monkeypatch.setattr(prepare, "FITTED_ON", 2)
    images, manifest = data
    level = fit_preparation(images, manifest, config).steps["darker"].level_
    assert level == int(images[[0, 1]].mean())  # hashes c, a, f: the two smallest
    order = [2, 5, 0, 4, 1, 3]
    other = manifest.iloc[order].reset_index(drop=True)
    assert fit_preparation(images[order], other, config).steps["darker"].level_ == level


def test_what_was_learnt_is_read_back(config: RunConfig, data: Any, tmp_path: Path) -> None:
    images, manifest = data
    fitted = fit_preparation(images, manifest, config)
    save_preparation(tmp_path, fitted)
    np.testing.assert_array_equal(load_preparation(tmp_path, config)(images), fitted(images))


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[",
        "[1]",
        '{"darker": 3}',
        '{"darker": {}}',
        '{"darker": {"level": "x"}}',
        '{"darker": {"level": 1e999}}',
        "[" * 10**5,
    ],
)
def test_a_damaged_file_is_refused(config: RunConfig, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / STATE).write_text(content)
    with pytest.raises(RunError, match=STATE):
        load_preparation(tmp_path, config)


def test_nothing_is_saved_without_steps(tmp_path: Path) -> None:
    save_preparation(tmp_path, Preparation(64, True, {}))
    assert not list(tmp_path.iterdir())
    assert load_preparation(tmp_path, RunConfig(image_size=64)).steps == {}


def test_fix_polarity_inverts_before_all_else_and_is_read_back(tmp_path: Path) -> None:
    dataset = generate(n_images=120, size=64)
    images, manifest = np.array(dataset.images), dataset.manifest
    in_test = manifest["split"] == "test"
    wrong = [*np.flatnonzero(in_test)[:5].tolist(), *np.flatnonzero(~in_test)[[0, 9]].tolist()]
    config = RunConfig(image_size=64, preprocess="clahe", fix_polarity=True, quiet=True)
    upright = fit_preparation(images, manifest, config)(images)
    images[wrong] = 255 - images[wrong]
    fitted = fit_preparation(images, manifest, config)
    assert np.flatnonzero(fitted.inverted(images)).tolist() == sorted(wrong)
    np.testing.assert_array_equal(fitted.applied_to(images)[:], upright)
    save_preparation(tmp_path, fitted)
    again = load_preparation(tmp_path, config)
    np.testing.assert_array_equal(again(images[wrong]), upright[wrong])  # as in predict, explain
    without = load_preparation(tmp_path, config.model_copy(update={"fix_polarity": False}))
    assert without.typical is None
    assert not without.inverted(images).any()


def test_fix_polarity_needs_training_images_and_its_file(data: Any, tmp_path: Path) -> None:
    config = RunConfig(image_size=64, fix_polarity=True)
    with pytest.raises(DataError, match="got 3 training images, but expected at least 40"):
        fit_preparation(*data, config)
    (tmp_path / STATE).write_text('{"polarity": {"centre": [1]}}')
    with pytest.raises(RunError, match="expected what polarity learnt"):
        load_preparation(tmp_path, config)

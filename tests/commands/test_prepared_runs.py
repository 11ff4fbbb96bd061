"""Runs with preprocessing, copies and views: predict, resume and importance use the same images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.commands.predict import predict
from benchmarks.commands.run import run_benchmark
from benchmarks.config import RunConfig
from benchmarks.extraction.prepare import STATE
from benchmarks.io import results
from benchmarks.io.results import RunError
from benchmarks.saved.reopen_run import reopen_run
from tests.conftest import report_left_empty
from tests.helpers import write_radiographs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_radiographs(tmp_path_factory.mktemp("data"))


def settings(data: Path, out: Path) -> RunConfig:
    return RunConfig(
        data=str(data), out=out, features="intensity", models="logistic,forest", image_size=48,
        preprocess="registration,histogram-landmarks", augment=2, views=3, folds=2, study="none",
        jobs=1, quiet=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    with report_left_empty():
        assert run_benchmark(settings(data, out)) == 0
    return out


def test_classifiers_are_fitted_on_copies_of_training_images(finished: Path) -> None:
    run = results.read_results(finished)
    train = run.manifest[run.manifest["split"] == "train"]
    for details in run.run["cells"].values():
        before = details["resampling"]["before"]
        assert before == {str(k): 3 * int((train["label"] == k).sum()) for k in (0, 1)}


def test_predict_prepares_and_views_images_as_the_run_did(finished: Path, data: Path) -> None:
    table, _ = predict(finished, [data / "test"], quiet=True)
    table["image"] = [Path(image).relative_to(data).as_posix() for image in table["image"]]
    own = results.read_tables(finished, ("predictions",))["predictions"]
    both = own[own["split"] == "test"].merge(table, on=["image", "cell"])
    assert len(both) == len(table) > 0
    np.testing.assert_array_equal(both["score_x"], both["score_y"])


def test_without_what_the_steps_learnt_nothing_is_scored(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (run / STATE).unlink()
    with pytest.raises(RunError, match=STATE):
        predict(run, [data / "test"], quiet=True)


def test_a_reopened_run_has_the_rows_of_the_run(finished: Path) -> None:
    """A cell fitted again from them has the scores of the run."""
    from benchmarks.fitting.fit import fit_on_features

    with reopen_run(finished, {"jobs": 1, "quiet": True}) as context:
        name, before = next(iter(context.finished.items()))
        again = fit_on_features(before.cell, context.matrices, context.rows, keep_model=True)
        assert len(context.images) == len(context.manifest)
    assert name == "intensity/logistic/seed0"
    for split, score in before.scores.items():
        if split in again.scores:
            np.testing.assert_allclose(score, again.scores[split], atol=1e-9)


def test_test_images_change_nothing_else(finished: Path, data: Path, tmp_path: Path) -> None:
    """Labels and pixels of test images are not used to prepare, fit or choose anything."""
    other = Path(shutil.copytree(data, tmp_path / "data"))
    for name in ("NORMAL", "PNEUMONIA"):
        (other / "test" / name).rename(other / "test" / f"was_{name}")
    (other / "test" / "was_NORMAL").rename(other / "test" / "PNEUMONIA")
    (other / "test" / "was_PNEUMONIA").rename(other / "test" / "NORMAL")
    out = tmp_path / "run"
    with report_left_empty():
        assert run_benchmark(settings(other, out)) == 0
    assert (out / STATE).read_bytes() == (finished / STATE).read_bytes()
    one, two = (results.read_tables(run, ("predictions", "scores")) for run in (finished, out))
    for table in ("predictions", "scores"):
        parts = [tables[table][tables[table]["split"] != "test"] for tables in (one, two)]
        parts = [part.drop(columns=[c for c in part if "seconds" in c]) for part in parts]
        pd.testing.assert_frame_equal(*(part.reset_index(drop=True) for part in parts))

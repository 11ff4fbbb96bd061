"""Runs on a table of images: the split is recorded, and other commands read the same data."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.commands.explain import explain
from benchmarks.commands.predict import predict
from benchmarks.commands.run import run_benchmark
from benchmarks.config import RunConfig
from benchmarks.errors import DataError
from benchmarks.io import results
from benchmarks.saved.reopen_run import reopen_run
from benchmarks.saved.stored_config import stored_config
from tests.datasets.test_table import table_of
from tests.helpers import write_radiographs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in folders by number, and a table without a split beside them."""
    made = write_radiographs(tmp_path_factory.mktemp("made"))
    table = table_of(made)
    folder = tmp_path_factory.mktemp("data")
    names = [f"images_{k % 3}/{k:04d}.png" for k in range(len(table))]
    for old, new in zip(table["image"], names, strict=True):
        (folder / new).parent.mkdir(exist_ok=True)
        shutil.copy(made / old, folder / new)
    table = table.assign(
        image=[f"{k:04d}" for k in range(len(table))], age=np.arange(len(table)),
        Pneumonia=(table["label"] == "PNEUMONIA").astype(int).astype(str),
    )  # fmt: skip
    table.loc[3, "Pneumonia"] = "-1"
    table.drop(columns=["label", "split"]).to_csv(folder / "labels.csv", index=False, sep=";")
    return folder


def settings(data: Path, out: Path, **options: object) -> RunConfig:
    return RunConfig(
        data=str(data / "labels.csv"), out=out, label="Pneumonia", where="age != 5",
        features="intensity", models="logistic", image_size=48, folds=0, study="none", jobs=1,
        quiet=True, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert run_benchmark(settings(data, out, test_fraction=0.3)) == 0
    return out


def test_the_split_is_recorded_and_can_be_used_again(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    run = results.read_results(finished)
    split = run.table("split")
    assert split["image"].tolist() == run.manifest["image"].tolist()
    assert split["split"].tolist() == run.manifest["split"].tolist()
    again = tmp_path / "again"
    assert run_benchmark(settings(data, again, split=finished / "split.csv")) == 0
    other = results.read_results(again)
    for name in ("image", "group", "label", "sha256"):
        assert other.manifest[name].tolist() == run.manifest[name].tolist()
    tested = [table.manifest["split"] == "test" for table in (run, other)]
    assert tested[0].tolist() == tested[1].tolist()


def test_report_says_what_was_left_out(finished: Path) -> None:
    html = (finished / "report.html").read_text(encoding="utf-8")
    assert "Kept 119 of 120 rows of the table: age != 5." in html
    assert "Left out for an uncertain label: 1 rows (-1: 1)." in html
    assert "Images of the table that were left out for their label" in html
    assert "Test drawn by patient: " in html
    run = results.read_results(finished)
    assert run.run["config"]["where"] == "age != 5"
    assert run.table("excluded")[["reason", "label_value", "images"]].to_numpy().tolist() == [
        ["uncertain", "-1", 1]
    ]
    assert set(run.manifest["class"]) == {"no Pneumonia", "Pneumonia"}


def test_other_commands_read_the_same_images(finished: Path, data: Path, tmp_path: Path) -> None:
    with reopen_run(finished, {"jobs": 1, "quiet": True}) as context:
        assert len(context.images) == len(context.manifest) == 118
    own = results.read_results(finished).predictions
    table, left_out = predict(finished, [data / "images_0"], quiet=True)
    assert left_out.empty
    table["image"] = [Path(image).relative_to(data).as_posix() for image in table["image"]]
    both = own[own["split"] == "test"].merge(table, on="image")
    assert len(both) > 0
    np.testing.assert_array_equal(both["score_x"], both["score_y"])
    page = explain(finished, data / "images_1/0001.png", tmp_path / "out", quiet=True)
    assert "can&#39;t be read here" not in page.read_text(encoding="utf-8")


def test_data_that_have_moved_are_found(finished: Path, data: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    table = Path(shutil.move(moved / "labels.csv", tmp_path / "elsewhere.csv"))
    given = {"data": str(table), "images": moved, "jobs": 1, "quiet": True}
    with reopen_run(run, given) as context:
        assert len(context.images) == 118
    assert run_benchmark(stored_config(run, given), resume=True) == 0
    changed = pd.read_csv(table, sep=";", dtype=str)
    changed.drop(index=7).to_csv(table, index=False)
    with pytest.raises(DataError, match="found 117 images, of which 117 belong to the run"), \
            reopen_run(run, given):  # fmt: skip
        pass

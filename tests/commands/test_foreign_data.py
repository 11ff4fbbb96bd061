"""Runs on data that the program does not know: nothing may be stated that was not measured."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from run_benchmark import main
from tests.datasets.test_npz import arrays

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

PAGES = ("report.html", "report.md", "tables.tex", "references.bib", "checklist_claim.md",
         "checklist_tripod_ai.md", "run.json")  # fmt: skip
KNOWN_DATA = r"kermany|guangzhou|mendeley|child|pa?ediatric|one to five|one hospital|CC BY|MNIST"


def text_of_run(data: Path, out: Path, *options: str) -> str:
    """All text of a report on ``data``, without images."""
    arguments = ["--data", str(data), "--features", "intensity", "--models", "logistic",
                 "--image-size", "48", "--folds", "0", "--study", "none", "--jobs", "1",
                 "--quiet", "--out", str(out), *options]  # fmt: skip
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    text = "\n".join((out / page).read_text() for page in PAGES)
    return re.sub(r"<style>.*?</style>|base64,[^\"]*", "", text, flags=re.DOTALL).replace(
        str(data), ""
    )


@pytest.fixture
def foreign(request: pytest.FixtureRequest, tmp_path: Path, radiograph_folder: Path) -> Path:
    if request.param == "folder":
        for k, file in enumerate(sorted(radiograph_folder.rglob("*.jpeg"))):
            file.rename(file.with_name(f"scan_{k}.jpeg"))
        for split in ("train", "test"):
            for old, new in (("NORMAL", "No Finding"), ("PNEUMONIA", "Effusion")):
                (radiograph_folder / split / old).rename(radiograph_folder / split / new)
        return radiograph_folder
    large = {name: np.concatenate([value] * 12) for name, value in arrays(48).items()}
    rng = np.random.default_rng(1)
    noise = {name: rng.integers(0, 256, value.shape, np.uint8) if "images" in name else value
             for name, value in large.items()}  # fmt: skip
    np.savez(tmp_path / "scans.npz", **noise)
    return tmp_path / "scans.npz"


@pytest.mark.parametrize("foreign", ["folder", "npz"], indirect=True)
def test_a_report_on_unknown_data_claims_nothing_about_them(foreign: Path, tmp_path: Path) -> None:
    options = ("--class-names", "benign,malignant") if foreign.suffix == ".npz" else ()
    text = text_of_run(foreign, tmp_path / "run", *options)
    assert not re.findall(
        rf".{{0,60}}(?:{KNOWN_DATA}|pneumoni|bacteri|viral|virus).{{0,60}}", text, re.IGNORECASE
    )
    assert "The program does not know the patients, hospitals and machines" in text
    assert "cite the source of the data" in text


def test_names_in_a_known_pattern_are_not_enough(radiograph_folder: Path, tmp_path: Path) -> None:
    text = text_of_run(radiograph_folder, tmp_path / "run", "--tune")
    assert not re.findall(rf".{{0,60}}(?:{KNOWN_DATA}).{{0,60}}", text, re.IGNORECASE)
    assert "no method was tuned" not in text
    assert "fixed in advance; " not in text


def test_decisions_and_explanations_have_the_names_of_the_classes(
    radiograph_folder: Path, tmp_path: Path
) -> None:
    for split in ("train", "test"):
        for old, new in (("NORMAL", "No Finding"), ("PNEUMONIA", "Effusion")):
            (radiograph_folder / split / old).rename(radiograph_folder / split / new)
    text_of_run(radiograph_folder, tmp_path / "run", "--study", "importance")
    image = next((radiograph_folder / "test" / "Effusion").iterdir())
    shutil.copy(image, tmp_path / "image.jpeg")
    predicted = tmp_path / "predicted.csv"
    folder = radiograph_folder / "test"
    invoke("predict", tmp_path / "run", folder, "--out", predicted, "--quiet")
    table = pd.read_csv(predicted)
    decided = np.where(table["score"] >= 0.5, "Effusion", "No Finding")
    assert (table["decision_0.5"] == decided).all()
    assert len(set(decided)) == 2
    invoke(
        "explain", tmp_path / "run", tmp_path / "image.jpeg", "--out", tmp_path / "page", "--quiet"
    )
    page = (tmp_path / "page" / "explain.html").read_text()
    assert "Vermilion: evidence for Effusion; blue: evidence for No Finding." in page
    words = re.sub(r"<style>.*?</style>|base64,[^\"]*", "", page, flags=re.DOTALL)
    assert not re.findall(r".{0,60}(?:pneumoni|NORMAL).{0,60}", words)


def invoke(*arguments: object) -> None:
    done = CliRunner().invoke(main, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output

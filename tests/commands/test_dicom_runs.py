"""A run on DICOM files: the scores of the same pixels as PNG, and no identity in any file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
import pytest
from click.testing import CliRunner
from PIL import Image

from run_benchmark import main
from tests.conftest import figures_drafted
from tests.features.reading.made_dicom import dicom
from tests.helpers import write_radiographs

pytestmark = pytest.mark.slow

SETTINGS = ["--features", "intensity,lbp", "--models", "logistic", "--image-size", "48",
            "--study", "none", "--folds", "2", "--jobs", "1", "--quiet"]  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same radiographs as PNG and, under the same names, as DICOM."""
    png = write_radiographs(tmp_path_factory.mktemp("png"))
    as_dicom = tmp_path_factory.mktemp("dicom")
    for number, path in enumerate(sorted(png.rglob("*.png"))):
        target = as_dicom / path.relative_to(png)
        target.parent.mkdir(parents=True, exist_ok=True)
        header = {"PatientID": f"MRN-{number}", "PatientName": "Roe^Ann", "PatientAge": "061Y",
                  "PatientBirthDate": "19590321", "StudyDate": "20200131"}  # fmt: skip
        target.write_bytes(dicom(np.asarray(Image.open(path)), **header))
    return png, as_dicom


@pytest.fixture(scope="module")
def runs(
    folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Path]]:
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch, figures_drafted():
        patch.setattr(pooch, "os_cache", lambda name: out / "cache" / name)
        for name, folder in zip(("png", "dicom"), folders, strict=True):
            done = CliRunner().invoke(
                main, ["--data", str(folder), *SETTINGS, "--out", str(out / name)]
            )
            assert done.exit_code == 0, done.output
            assert not [word for word in ("MRN", "Roe") if word in done.output]
        yield out / "png", out / "dicom"


def test_the_scores_are_those_of_the_same_pixels_as_png(runs: tuple[Path, Path]) -> None:
    png, as_dicom = (pd.read_csv(run / "predictions.csv") for run in runs)
    pd.testing.assert_frame_equal(png, as_dicom)


def test_no_file_of_the_run_holds_an_identity(runs: tuple[Path, Path]) -> None:
    files = [path for path in runs[1].rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_bytes()
        for identity in (b"MRN-", b"Roe^Ann", b"Roe", b"19590321", b"20200131"):
            assert identity not in content, path


def test_the_report_says_what_it_cannot_see(runs: tuple[Path, Path]) -> None:
    report = (runs[1] / "report.html").read_text()
    assert "120 of 120 images are DICOM files" in report
    assert "Names burned into the pixels are not detected" in report
    assert "burned into the pixels" not in (runs[0] / "report.html").read_text()


@pytest.mark.parametrize("name", ["image.jpeg", "image", "image.dcm"])
def test_predict_and_explain_recognise_dicom_by_its_content(
    name: str, runs: tuple[Path, Path], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    png = next(folders[0].rglob("*.png"))
    (tmp_path / name).write_bytes((folders[1] / png.relative_to(folders[0])).read_bytes())
    scores = []
    for number, image in enumerate((png, tmp_path / name)):
        out = tmp_path / f"scores{number}.csv"
        arguments = ["predict", str(runs[1]), str(image), "--out", str(out)]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        scores.append(pd.read_csv(out)["score"].tolist())
    assert scores[0] == scores[1]
    if name == "image":
        arguments = ["explain", str(runs[1]), str(tmp_path / name), "--out",
                     str(tmp_path / "page"), "--data", str(folders[1])]  # fmt: skip
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output

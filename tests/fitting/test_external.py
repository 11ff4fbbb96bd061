"""Scores of someone else's model: what is read, what is refused, and how it enters a run."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from benchmarks.config import ConfigError
from benchmarks.fitting.external import read_external
from run_benchmark import main
from tests.conftest import figures_drafted, report_left_empty

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("draft_figures")]

MANIFEST = pd.DataFrame({
    "image": ["test/NORMAL/a.png", "test/PNEUMONIA/b.png", "train/NORMAL/c.png",
              "train/NORMAL/d.png", "train/PNEUMONIA/e.png"],
    "split": ["test", "test", "train", "validation", "validation"],
})  # fmt: skip
QUICK = ["--features", "lbp", "--models", "forest", "--image-size", "48", "--limit", "150",
         "--quiet", "--study", "none", "--folds", "2"]  # fmt: skip


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def csv(folder: Path, text: str) -> Path:
    path = folder / "theirs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_scores_follow_the_manifest_not_the_file(tmp_path: Path) -> None:
    file = csv(tmp_path, "score,note,image\n0.9,x,test/PNEUMONIA/b.png\n1,,elsewhere.png\n"
               "0.2,,train/PNEUMONIA/e.png\n0,,test/NORMAL/a.png\n0.3,,train/NORMAL/d.png\n"
               )  # fmt: skip
    outcome = read_external("theirs", file, MANIFEST)
    assert outcome.cell.name == "external/theirs/seed0"
    assert outcome.cell.families == ()
    assert {split: s.tolist() for split, s in outcome.scores.items()} == {
        "validation": [0.3, 0.2], "test": [0.0, 0.9],
    }  # fmt: skip


def test_rows_of_unknown_images_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = csv(tmp_path, "image,score\nx/1.png,1\na.png,0\nx/2.png,1\nb.png,1\n")
    (warning,) = read_external("theirs", file, MANIFEST).details["warnings"]
    assert "2 of 4 rows were ignored" in warning
    assert "not in the data (x/1.png, x/2.png)" in warning
    assert warning in capsys.readouterr().err
    known = csv(tmp_path, "image,score\na.png,0\nb.png,1\n")
    assert read_external("theirs", known, MANIFEST).details == {}


def test_file_names_do_and_validation_may_be_incomplete(tmp_path: Path) -> None:
    file = csv(tmp_path, "image,score\nC:\\data\\b.png,0.5\n/data/a.png,0.25\nd.png,0.1\n")
    outcome = read_external("theirs", file, MANIFEST)
    assert {split: s.tolist() for split, s in outcome.scores.items()} == {"test": [0.25, 0.5]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,score\na.png,0.1\n", r"no score for 1 of the 2 test images \(test/PNEUMONIA/b.png"),
        ("image,score\na.png,0.1\nb.png,-1.5\n", r"'-1.5' in line 3, .*sigmoid"),
        ("image,score\na.png,nan\nb.png,1\n", r"'nan' in line 2"),
        ("image,score\na.png,inf\nb.png,1\n", r"'inf' in line 2"),
        ("image,score\na.png,\nb.png,1\n", r"'' in line 2"),
        ("image,score\na.png,1\nb.png,1\nx/a.png,1\n", r"a.png more than once \(again in line 4"),
        ("image;score\na.png;0,1\n", r"columns are separated by semicolons, expected commas"),
        ("image\tscore\na.png\t1\n", r"columns are separated by tabs, expected commas"),
        ("picture,score\na.png,1\n", r"got the columns picture, score, expected image and score"),
        ("image,score,score\na.png,1,0\nb.png,0,1\n", r"got 2 columns named score, expected one"),
        ("", r"expected a CSV file"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = csv(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_external("theirs", file, MANIFEST)
    assert str(caught.value).startswith(f"--external theirs={file}: ")


def test_one_file_name_in_two_folders_is_refused(tmp_path: Path) -> None:
    manifest = MANIFEST.assign(image=["test/0/1.png", "test/1/1.png", "c", "d", "e"])
    file = csv(tmp_path, "image,score\n1.png,0.5\n")
    with pytest.raises(ConfigError, match=r"several images have one file name \(test/0/1.png"):
        read_external("theirs", file, manifest)
    whole = csv(tmp_path, "image,score\ntest/0/1.png,0.5\ntest/1/1.png,0.75\n")
    assert read_external("theirs", whole, manifest).scores["test"].tolist() == [0.5, 0.75]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("own") / "run"
    with report_left_empty():
        assert invoke(*QUICK, "--out", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def compared(own: Path) -> Path:
    """The same run beside its own scores, entered as two models named as ours are."""
    table = pd.read_csv(own / "predictions.csv")
    again = table[table["split"] != "cv"].sample(frac=1, random_state=0)
    again.to_csv(own.parent / "again.csv", index=False)
    again[again["split"] == "test"].to_csv(own.parent / "test.csv", index=False)
    out = own.parent / "compared"
    options = ["--external", f"forest={own.parent / 'again.csv'}",
               "--external", f"cnn={own.parent / 'test.csv'}"]  # fmt: skip
    with figures_drafted():
        done = invoke(*QUICK, *options, "--out", out)
    assert done.exit_code == 0, done.output
    return out


def numbers(table: pd.DataFrame, cell: str) -> pd.DataFrame:
    own = table[(table["cell"] == cell) & (table["split"] != "cv")].set_index(
        ["split", "operating_point"]
    )
    start, end = own.columns.get_indexer_for(["threshold", "recall_virus_hi"])
    return own.iloc[:, start : end + 1].astype(float)


def test_own_scores_fed_back_give_the_same_numbers(compared: Path) -> None:
    scores = pd.read_csv(compared / "scores.csv")
    ours = numbers(scores, "lbp/forest/seed0")
    assert len(ours) == 4
    pd.testing.assert_frame_equal(numbers(scores, "external/forest/seed0"), ours, check_exact=True)


def test_without_validation_no_threshold_is_chosen(compared: Path) -> None:
    scores = pd.read_csv(compared / "scores.csv", dtype={"operating_point": str})
    ours, theirs = (numbers(scores, f"{cell}/seed0") for cell in ("lbp/forest", "external/cnn"))
    assert theirs.drop(index=("test", "0.5")).isna().all(axis=None)
    pd.testing.assert_series_equal(theirs.loc["test", "0.5"], ours.loc["test", "0.5"])
    report = (compared / "report.md").read_text(encoding="utf-8")
    assert report.count("| external | cnn |") == report.count("| external | forest |") > 3
    assert not re.search(r"\bnan\b", report.lower())


def test_a_method_differs_in_nothing_from_itself(compared: Path) -> None:
    table = pd.read_csv(compared / "comparisons.csv", keep_default_na=False)
    pair = table[table["cell_a"].isin(["lbp/forest/seed0", "external/forest/seed0"])
                 & table["cell_b"].isin(["lbp/forest/seed0", "external/forest/seed0"])]  # fmt: skip
    assert len(pair)
    assert (pair["difference"].astype(float) == 0).all()


@pytest.mark.usefixtures("empty_report")
def test_the_record_names_the_file_and_a_changed_file_is_not_gone_on_with(
    compared: Path, own: Path
) -> None:
    file = own.parent / "test.csv"
    content = file.read_bytes()
    record = json.loads((compared / "run.json").read_text(encoding="utf-8"))
    assert record["external"]["cnn"] == {
        "file": "test.csv", "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    before = (compared / "scores.csv").read_bytes()
    assert invoke("--resume", compared, "--quiet").exit_code == 0
    assert (compared / "scores.csv").read_bytes() == before
    file.write_bytes(content + b"\n")
    done = invoke("--resume", compared, "--quiet")
    file.write_bytes(content)
    assert done.exit_code == 2
    assert "the run was made with cnn" in " ".join(done.output.split())


def test_a_bad_file_is_told_before_anything_is_computed(tmp_path: Path) -> None:
    file = csv(tmp_path, "image,score\nnothing.png,0.5\n")
    done = invoke(*QUICK, "--external", f"theirs={file}", "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert "got no score for" in done.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["resume", "predict", "importance"])
def test_a_run_whose_csv_files_are_gone_can_be_used(
    own: Path, compared: Path, tmp_path: Path, command: str
) -> None:
    run = shutil.copytree(compared, tmp_path / "run")
    files = [own.parent / "again.csv", own.parent / "test.csv"]
    for file in files:
        file.rename(file.with_suffix(".away"))
    try:
        if command == "resume":
            done = invoke("--resume", run, "--jobs", 1)
        elif command == "predict":
            done = invoke("predict", run, next((run / "images").glob("sample_*.png")))
        else:
            done = invoke("importance", run, "--no-refits", "--cells", "lbp", "--jobs", 1)
    finally:
        for file in files:
            file.with_suffix(".away").rename(file)
    assert done.exit_code == 0, done.output
    assert (run / "predictions.csv").read_bytes() == (compared / "predictions.csv").read_bytes()
    scores = [pd.read_csv(folder / "scores.csv") for folder in (run, compared)]
    pd.testing.assert_frame_equal(*scores)


def test_a_missing_csv_is_named(own: Path, tmp_path: Path) -> None:
    done = invoke(*QUICK, "--external", f"theirs={tmp_path / 'none.csv'}", "--out", tmp_path / "r")
    assert done.exit_code == 2
    assert "expected an existing CSV file" in done.output

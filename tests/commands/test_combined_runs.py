"""Runs with combinations of cells: tables, resume and predict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.commands.predict import predict
from benchmarks.commands.run import run_benchmark
from benchmarks.config import ConfigError, RunConfig
from benchmarks.io import results
from benchmarks.io.results import RunError
from benchmarks.saved.stored_config import stored_config
from tests.conftest import report_left_empty
from tests.helpers import write_radiographs

pytestmark = pytest.mark.slow
COMBINATIONS = ["combined/mean/seed0", "combined/stack/seed0"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_radiographs(tmp_path_factory.mktemp("data"))


def settings(data: Path, out: Path, **more: object) -> RunConfig:
    chosen = {
        "features": "intensity,lbp", "models": "logistic,forest", "image_size": 48, "views": 2,
        "folds": 2, "study": "none", "combine": "mean,stack", "jobs": 1, "quiet": True, **more,
    }  # fmt: skip
    return RunConfig(data=str(data), out=out, **chosen)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert run_benchmark(settings(data, out)) == 0
    return out


def score_of(run: results.Results, split: str) -> pd.DataFrame:
    own = run.predictions[run.predictions["split"] == split]
    return own.set_index(["image", "cell"])["score"].unstack()  # noqa: PD010


def test_combinations_are_rows_of_every_table(finished: Path) -> None:
    run = results.read_results(finished)
    members = [f"{f}/{m}/seed0" for f in ("intensity", "lbp") for m in ("logistic", "forest")]
    assert list(run.scores["cell"].unique()) == [*members, *COMBINATIONS]
    assert (run.scores["status"] == "ok").all()
    for split in ("validation", "test", "cv"):
        score = score_of(run, split)
        np.testing.assert_allclose(score[COMBINATIONS[0]], score[members].mean(axis=1))
        assert score.notna().all(axis=None)
    for name in COMBINATIONS:
        assert run.run["cells"][name]["members"] == members
        for table in ("comparisons", "gap", "leading", "calibration"):
            assert name in run.table(table).astype(str).to_numpy(), table


def test_the_report_describes_them(finished: Path) -> None:
    text = " ".join((finished / "report.md").read_text(encoding="utf-8").split())
    assert "2 feature sets were combined with 2 classifiers (logistic, forest)" in text
    assert "combined into further ones (mean of probabilities, stacking)" in text
    assert "The 4 classifiers on features were also combined by the mean of their" in text
    assert "combined + " in text
    assert "This is not nested" in text
    assert "wolpert1992" in (finished / "references.bib").read_text(encoding="utf-8")
    claim = (finished / "checklist_claim.md").read_text(encoding="utf-8")
    assert "were also combined by the mean" in claim
    assert "mean: none" not in claim


def test_predict_combines_as_the_run_did(finished: Path, data: Path) -> None:
    own = results.read_tables(finished, ("predictions",))["predictions"]
    for cells, count in ((None, 6), (COMBINATIONS, 2)):
        table, _ = predict(finished, [data / "test"], cells=cells, quiet=True)
        table["image"] = [Path(image).relative_to(data).as_posix() for image in table["image"]]
        both = own[own["split"] == "test"].merge(table, on=["image", "cell"])
        assert len(both) == len(table) == count * (own["split"] == "test").sum() / 6
        np.testing.assert_array_equal(both["score_x"], both["score_y"])
    one, _ = predict(finished, [next((data / "test").rglob("*.png"))], quiet=True)
    name = one["image"][0] if 0 in one.index else one["image"].iloc[0]
    row = own[own["image"] == Path(name).relative_to(data).as_posix()].set_index("cell")["score"]
    assert one.set_index("cell")["score"].to_dict() == row.to_dict()


def test_predict_needs_the_members(
    finished: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    for path in (run / "models").glob("lbp-forest-*"):
        path.unlink()
    table, _ = predict(run, [data / "test"], quiet=True)
    assert not table["cell"].str.startswith("combined").any()
    assert "has not saved lbp/forest/seed0" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="has not saved lbp/forest/seed0"):
        predict(run, [data / "test"], cells=["combined/stack"], quiet=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [("weights", [1.0, -0.5, 0.0, 0.1]), ("weights", [1.0]), ("members", ["lbp/svm/seed0"] * 4),
     ("intercept", None), ("weights", [0.3, 0.1, 0.2, 0.4])],
)  # fmt: skip
def test_predict_refuses_an_edited_record(
    finished: Path, data: Path, tmp_path: Path, key: str, value: object
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    record["cells"]["combined/stack/seed0"][key] = value
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="combined/stack/seed0"):
        predict(run, [data / "test"], quiet=True)


@pytest.mark.parametrize("lost", ["combined/", "lbp/forest/"])
def test_a_resumed_run_has_the_same_tables(finished: Path, tmp_path: Path, lost: str) -> None:
    """Cells that are missing are computed again, and combinations of other cells too."""
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    names = ("predictions", "scores")
    before = {name: (run / f"{name}.csv").read_text() for name in names}
    for name, text in before.items():
        kept = [line for line in text.splitlines(keepends=True) if lost not in line]
        (run / f"{name}.csv").write_text("".join(kept))
    with report_left_empty():
        assert run_benchmark(stored_config(run, {"quiet": True}), resume=True) == 0
    one, two = (results.read_tables(folder, names) for folder in (finished, run))
    for name in names:
        parts = [tables[name].filter(regex="^(?!.*seconds)") for tables in (one, two)]
        pd.testing.assert_frame_equal(*parts, check_exact=True)
    if lost == "combined/":
        assert before == {name: (run / f"{name}.csv").read_text() for name in names}


def test_a_resumed_run_combines_again_if_other_cells_are_finished(
    finished: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    before = {name: dict(record["cells"][name]) for name in COMBINATIONS}
    for name in COMBINATIONS:
        for key in ("members", "weights"):
            record["cells"][name][key] = record["cells"][name][key][:2]
    (run / "run.json").write_text(json.dumps(record))
    with report_left_empty():
        assert run_benchmark(stored_config(run, {"quiet": True}), resume=True) == 0
    after = results.read_results(run).run["cells"]
    assert {name: after[name] for name in COMBINATIONS} == before
    assert (run / "scores.csv").read_bytes() == (finished / "scores.csv").read_bytes()


def test_labels_of_test_images_change_nothing_else(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(data, tmp_path / "data"))
    (other / "test" / "NORMAL").rename(other / "test" / "was")
    (other / "test" / "PNEUMONIA").rename(other / "test" / "NORMAL")
    (other / "test" / "was").rename(other / "test" / "PNEUMONIA")
    out = tmp_path / "run"
    with report_left_empty():
        assert run_benchmark(settings(other, out)) == 0
    one, two = (results.read_results(folder) for folder in (finished, out))
    for name in COMBINATIONS:
        assert one.run["cells"][name] == two.run["cells"][name]
    for split in ("validation", "cv"):
        pd.testing.assert_frame_equal(score_of(one, split), score_of(two, split), check_exact=True)


def test_without_folds_only_the_mean_is_computed(data: Path, tmp_path: Path) -> None:
    with report_left_empty():
        assert run_benchmark(settings(data, tmp_path / "run", folds=0, models="logistic")) == 0
    scores = results.read_results(tmp_path / "run").scores.set_index("cell")
    assert (scores.loc["combined/mean/seed0", "status"] == "ok").all()
    assert (scores.loc["combined/stack/seed0", "status"] == "not_run").all()
    assert scores.loc["combined/stack/seed0", "reason"].str.contains("--folds 0").all()


@pytest.mark.parametrize(
    ("more", "message"), [({"task": "subtype"}, "subtype"), ({"models": "cnn"}, "--models cnn")]
)
def test_what_cannot_be_combined_is_refused(
    data: Path, tmp_path: Path, more: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"--combine: got .*{message}"):
        run_benchmark(settings(data, tmp_path / "run", **more))

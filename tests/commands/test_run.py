"""Tiny runs through the command line: files in, report out, twice the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn import metrics as sk

from benchmarks.commands import run as run_module
from benchmarks.commands.run import StoppedError
from benchmarks.config import load_config
from benchmarks.io.columns import PREDICTION_COLUMNS, score_columns
from features.backbone import create_backbone
from run_benchmark import main
from tests.conftest import QUICK

pytestmark = pytest.mark.slow
BARE = ["--no-models", "--jobs", 1, "--quiet"]


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def run(quick_run: Path) -> Path:
    return quick_run


def test_run_folder_holds_what_the_contract_names(run: Path) -> None:
    names = {"manifest.csv", "features.csv", "predictions.csv", "scores.csv", "run.json",
             "report.html", "report.md", "tables.tex"}  # fmt: skip
    assert names <= {path.name for path in run.iterdir()}
    assert pd.read_csv(run / "scores.csv").columns.tolist() == score_columns(("bacteria", "virus"))
    assert pd.read_csv(run / "predictions.csv").columns.tolist() == PREDICTION_COLUMNS
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["data"]["synthetic"] is True
    assert record["config"]["features"] == ["intensity", "lbp"]
    assert "SYNTHETIC" in (run / "report.html").read_text()


def test_scores_follow_from_predictions(run: Path) -> None:
    """By a few lines of scikit-learn, to the last digit."""
    predictions = pd.read_csv(run / "predictions.csv")
    scores = pd.read_csv(run / "scores.csv", dtype={"operating_point": str})
    assert len(scores) == 4 * 3 * 2
    for row in scores[scores["split"] != "cv"].itertuples():
        part = predictions[(predictions["cell"] == row.cell) & (predictions["split"] == row.split)]
        decision = part["score"] >= row.threshold
        assert row.precision == sk.precision_score(part["label"], decision, zero_division=0)
        assert row.recall == sk.recall_score(part["label"], decision)
        assert row.auc == sk.roc_auc_score(part["label"], part["score"])
        assert row.precision_lo <= row.precision <= row.precision_hi
        virus = part[part["subtype"] == "virus"]
        assert row.recall_virus == pytest.approx((virus["score"] >= row.threshold).mean())


def test_cross_validation_follows_from_predictions(run: Path) -> None:
    """Ranking: mean over folds. The threshold of a fold: what the other folds needed."""
    predictions = pd.read_csv(run / "predictions.csv")
    scores = pd.read_csv(run / "scores.csv", dtype={"operating_point": str})
    for row in scores[(scores["split"] == "cv")].itertuples():
        part = predictions[(predictions["cell"] == row.cell) & (predictions["split"] == "cv")]
        assert part["image"].is_unique
        assert (part.groupby("group")["fold"].nunique() == 1).all()
        folds = [fold for _, fold in part.groupby("fold")]
        assert len(folds) == 5
        each = [sk.roc_auc_score(fold["label"], fold["score"]) for fold in folds]
        assert row.auc == pytest.approx(sum(each) / 5, abs=1e-12)
        true = 0
        for fold in folds:
            others = part[(part["fold"] != fold["fold"].iloc[0]) & (part["label"] == 1)]["score"]
            needed = 0.5
            if row.operating_point == "recall95":
                needed = max(t for t in others if (others >= t).mean() >= 0.95)
            true += int(((fold["score"] >= needed) & (fold["label"] == 1)).sum())
        assert row.tp == true


def test_threshold_comes_from_validation(run: Path) -> None:
    scores = pd.read_csv(run / "scores.csv", dtype={"operating_point": str})
    chosen = scores[(scores["operating_point"] == "recall95") & (scores["split"] != "cv")]
    assert len(chosen[["cell", "threshold"]].drop_duplicates()) == chosen["cell"].nunique()
    assert (chosen[chosen["split"] == "validation"]["recall"] >= 0.95).all()


@pytest.mark.usefixtures("draft_figures")
def test_second_run_is_the_same_to_the_byte(run: Path, tmp_path: Path) -> None:
    """With other workers and studies, too."""
    out = tmp_path / "second"
    done = invoke(*QUICK, "--study", "shortcuts,importance", "--jobs", 2, "--quiet", "--out", out)
    assert done.exit_code == 0
    assert done.output == ""
    assert (run / "predictions.csv").read_bytes() == (out / "predictions.csv").read_bytes()
    assert len(pd.read_csv(out / "shortcuts.csv"))
    assert len(pd.read_csv(out / "importance.csv"))
    timed = ["fit_seconds", "predict_seconds"]
    first, second = (pd.read_csv(f / "scores.csv").drop(columns=timed) for f in (run, out))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.mark.usefixtures("empty_report")
def test_other_cells_change_no_number(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "alone"
    arguments = [*QUICK, "--features", "lbp", "--models", "xgboost", *BARE]
    assert invoke(*arguments, "--out", out).exit_code == 0
    whole, alone = (pd.read_csv(f / "predictions.csv") for f in (run, out))
    same = whole[whole["cell"] == "lbp/xgboost/seed0"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, alone, check_exact=True)


def test_report_is_rendered_again_from_tables_alone(run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run, tmp_path / "run")
    before = {name: (run / name).read_bytes() for name in ("report.html", "report.md")}
    done = invoke("report", run)
    assert done.exit_code == 0
    assert "report.html" in done.output
    assert {name: (run / name).read_bytes() for name in before} == before


@pytest.mark.usefixtures("draft_figures")
def test_a_folder_with_all_kinds_of_rows(radiograph_folder: Path, tmp_path: Path) -> None:
    """Good cells, a cell that fails and one that can't run: exit code 1, report all the same."""
    (radiograph_folder / "train" / "NORMAL" / "IM-9999-0001.jpeg").write_text("<script>")
    out = tmp_path / "run"
    done = invoke(
        "--data", radiograph_folder, "--features", "hog,intensity", "--models", "logistic",
        "--image-size", 28, "--max-unreadable", 0.1, "--balance", "none", "--out", out, "--quiet",
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    scores = pd.read_csv(out / "scores.csv").set_index("cell")
    assert (scores.loc["intensity/logistic/seed0", "status"] == "ok").all()
    failed = scores.loc["hog/logistic/seed0"]
    assert len(failed) == 4
    assert (failed["status"] == "failed").all()
    assert failed["reason"].str.contains("expected at least 32 per side").all()
    assert failed["precision"].isna().all()
    assert "hog/logistic/seed0 failed: ValueError: Got images of 28 × 28" in done.output
    record = json.loads((out / "run.json").read_text())
    assert record["data"]["left_out"][0]["image"] == "train/NORMAL/IM-9999-0001.jpeg"
    assert record["data"]["groups_known"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "found nothing there"),
        (["--features", "hgo"], "did you mean hog?"),
        (["--image-size", "big"], "--image-size: got big"),
        (["--no-such-option"], "No such option"),
        (["report", "nowhere"], "expected a table"),
        (["--seeds", "0", "list"], "options belong to a run"),
        (["--config", "nowhere.toml"], "nowhere.toml: expected a TOML file"),
        (["--models", "cnn", "--backbone", "mobilnetv2_100"], "mobilenetv2_100"),
        (["--pooling", "mean"], "--pooling: got mean: unknown 'mean'; choices: network, avg, max"),
        (
            ["--features", "embedding", "--backbone", "test_resnet", "--pooling", "cls+avg"],
            "--pooling: Got pooling='cls+avg' for test_resnet, but expected a network with a class",
        ),
        (["--layers", "3,x"], "--layers: got 3,x: expected numbers of layers, separated by commas"),
        (
            ["--features", "embedding", "--backbone", "test_resnet", "--layers", "-9,4"],
            "--layers: Got layers=(-9, 4) for test_resnet, but expected different ones",
        ),
        (["--models", "cnn", "--weights", __file__], "expected a .safetensors file"),
        (["--out", f"{__file__}/run"], "expected a folder that can be written"),
    ],
)
def test_unusable_arguments_exit_with_2(arguments: list[str], message: str) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


@pytest.mark.parametrize("backbone", ["", "mobilenetv2_100"])
def test_a_file_of_weights_names_its_network(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that gave a file for the default network of earlier versions still run."""
    torch = pytest.importorskip("torch")
    network = create_backbone("mobilenetv2_100", pretrained=False, num_classes=3)
    torch.save(network.model.state_dict(), file := tmp_path / "w.pth")
    monkeypatch.setattr(run_module, "new_folder", refuse := Mock(side_effect=StoppedError("end")))
    given = {"backbone": backbone} if backbone else {}
    config = load_config({"models": "cnn", "weights": file, "quiet": True, **given})
    with pytest.raises(StoppedError):
        run_module.run_benchmark(config)
    assert refuse.call_args[0][0].backbone == "mobilenetv2_100"


def test_nothing_is_left_where_the_data_cannot_be_used(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = invoke("--data", tmp_path, "--features", "hog", "--models", "svm", "--out", out)
    assert done.exit_code == 2
    assert not out.exists()


@pytest.mark.usefixtures("empty_report")
def test_first_of_several_seeds_changes_nothing_for_the_others(tmp_path: Path) -> None:
    arguments = [*QUICK, "--features", "intensity", "--models", "forest", "--folds", 0, *BARE]
    assert invoke(*arguments, "--seeds", "2,0", "--out", tmp_path / "both").exit_code == 0
    assert invoke(*arguments, "--seeds", "0", "--out", tmp_path / "one").exit_code == 0
    both, one = (pd.read_csv(tmp_path / name / "predictions.csv") for name in ("both", "one"))
    same = both[both["seed"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, one, check_exact=True)


def test_a_folder_in_use_is_not_overwritten(run: Path) -> None:
    before = (run / "scores.csv").read_bytes()
    done = invoke(*QUICK, "--out", run)
    assert done.exit_code == 2
    assert "expected a new or empty folder" in done.output
    assert (run / "scores.csv").read_bytes() == before


def test_list_names_every_choice() -> None:
    done = invoke("list")
    assert done.exit_code == 0
    for name in ("hog", "embedding_random", "xgboost", "cnn", "svmsmote", "pneumoniamnist"):
        assert name in done.output


@pytest.mark.real
@pytest.mark.usefixtures("draft_figures")
def test_real_radiographs_beat_chance(real_data: Path, real_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = invoke(
        "--data", real_data, "--weights", real_weights, "--limit", 600, "--image-size", 96,
        "--features", "hog,embedding", "--models", "logistic", "--folds", 0, "--study", "none",
        "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    scores = pd.read_csv(out / "scores.csv")
    test = scores[(scores["split"] == "test") & (scores["operating_point"] == "0.5")]
    assert (test["auc_lo"] > 0.6).all()
    assert np.isfinite(test[["recall_bacteria", "recall_virus"]].to_numpy()).all()

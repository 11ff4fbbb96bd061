"""An embedding of several layers: a run, its record and report, and new scores from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("timm")

import torch

from benchmarks.commands.predict import predict
from benchmarks.commands.run import run_benchmark
from benchmarks.config import load_config
from benchmarks.io.results import read_results
from benchmarks.report.sections import methods
from benchmarks.saved.stored_config import stored_config
from features.backbone import create_backbone

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("empty_report")]


def test_a_run_with_layers_is_resumed_described_and_used_again(
    radiograph_folder: Path, tmp_path: Path
) -> None:
    network = create_backbone("test_resnet", pretrained=False, seed=3, num_classes=2)
    torch.save(network.model.state_dict(), weights := tmp_path / "w.pth")
    config = load_config({
        "data": str(radiograph_folder), "features": "embedding", "models": "logistic",
        "backbone": "test_resnet", "weights": str(weights), "layers": "1,-1", "folds": 0,
        "image_size": 64, "jobs": 1, "study": "none", "cache": tmp_path / "cache", "quiet": True,
        "out": tmp_path / "run",
    })  # fmt: skip
    assert run_benchmark(config) == 0
    table = pd.read_csv(tmp_path / "run" / "features.csv").set_index("family")
    assert table.loc["embedding", ["dimension", "from_store"]].tolist() == [128, 0]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["features"]["embedding"]["layers"] == [1, -1]
    assert stored_config(tmp_path / "run", {}).layers == (1, -1)
    assert run_benchmark(stored_config(tmp_path / "run", {}), resume=True) == 0
    text = str(methods.render(read_results(tmp_path / "run")))
    assert "pooled activations of a" in text
    assert "penultimate" not in text
    assert "features of the layers 1, -1 (numbers of timm) concatenated, pooled by means" in text

    scored, _ = predict(tmp_path / "run", [radiograph_folder / "test"], quiet=True)
    own = pd.read_csv(tmp_path / "run" / "predictions.csv").query("split == 'test'")
    for one in (scored, own):
        one["name"] = one["image"].map(lambda path: Path(path).name)
    both = own.merge(scored, on=["name", "cell"])
    assert len(both) == len(own) == len(scored)
    np.testing.assert_array_equal(both["score_x"], both["score_y"])

    # Other layers have other rows in the feature store; the same have the same.
    images = len(pd.read_csv(tmp_path / "run" / "manifest.csv"))
    for name, layers, found in [("other", (0, -1), 0), ("again", (1, -1), images)]:
        changed = config.model_copy(update={"out": tmp_path / name, "layers": layers})
        assert run_benchmark(changed) == 0
        assert pd.read_csv(tmp_path / name / "features.csv")["from_store"].tolist() == [found]

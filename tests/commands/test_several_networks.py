"""An embedding of several networks: a run, its record, and new scores from it."""

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
from features.backbone import create_backbone

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("empty_report")]

NETWORKS = ("test_resnet", "test_vit")


def save_weights(folder: Path, name: str, seed: int) -> Path:
    network = create_backbone(name, pretrained=False, seed=seed, num_classes=2)
    torch.save(network.model.state_dict(), path := folder / f"{name}.pth")
    return path


def test_predict_gives_the_scores_of_a_run_with_two_networks(
    radiograph_folder: Path, tmp_path: Path
) -> None:
    files = {name: save_weights(tmp_path, name, seed) for seed, name in enumerate(NETWORKS, 3)}
    config = load_config({
        "data": str(radiograph_folder), "features": "embedding,embedding_random",
        "models": "logistic,cnn", "backbone": ", ".join(NETWORKS), "epochs": 1, "pooling": "avg",
        "weights": ",".join(f"{name}={path}" for name, path in files.items()), "folds": 0,
        "image_size": 64, "jobs": 1, "study": "none", "use_cache": False, "quiet": True,
        "out": tmp_path / "run",
    })  # fmt: skip
    assert run_benchmark(config) == 0
    table = pd.read_csv(tmp_path / "run" / "features.csv").set_index("family")
    assert table["dimension"].tolist() == [160, 160]
    source = table.loc["embedding", "weights"]
    assert source.startswith("test_resnet: file test_resnet.pth (sha256 ")
    assert "; test_vit: file test_vit.pth (sha256 " in source
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["features"]["embedding"]["backbone"] == "test_resnet,test_vit"
    start = record["cells"]["pixels/cnn/seed0"]["initialised_from"]
    assert start.startswith("file test_resnet.pth")

    test = radiograph_folder / "test"
    scored, _ = predict(tmp_path / "run", [test], quiet=True)
    own = pd.read_csv(tmp_path / "run" / "predictions.csv").query("split == 'test'")
    for one in (scored, own):
        one["name"] = one["image"].map(lambda path: Path(path).name)
    both = own.merge(scored, on=["name", "cell"])
    assert len(both) == len(own) == len(scored)
    np.testing.assert_array_equal(both["score_x"], both["score_y"])

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.config import RunConfig


def test_copies_are_never_in_train_and_test(tmp_path: Path) -> None:
    """Every image of one patient is there again as one of another patient."""
    rng = np.random.default_rng(0)
    rows = []
    for patient in range(40):
        pixels = rng.integers(0, 256, (32, 32), dtype=np.uint8)
        for copy in ("a", "b"):
            name = f"{copy}{patient:02d}.png"
            Image.fromarray(pixels).save(tmp_path / name)
            label = ["Normal", "sick"][patient % 2]
            rows.append({"image": name, "label": label, "patient": f"{copy}{patient}"})
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    config = RunConfig(data=str(tmp_path / "t.csv"), test_fraction=0.25, quiet=True, jobs=1)
    found = audit(datasets.load(config, 32))
    assert not (found.findings["severity"] == "stop").any()
    assert found.dataset is not None
    table = found.dataset.manifest
    assert (table["split"] == "test").mean() == 0.25
    assert (table.groupby("sha256")["split"].nunique() == 1).all()
    assert found.dataset.notes[-1].startswith("Test drawn by patient: 20 of 80 images")
    assert found.dataset.test_fraction is None

"""The split that several labels share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.config import RunConfig
from benchmarks.run.common_split import common_split


def test_patients_who_share_a_copied_image_are_in_one_split(tmp_path: Path) -> None:
    """24 patients of two images; of each patient with an even number, the next has a copy."""
    rng = np.random.default_rng(0)
    rows = []
    for patient in range(24):
        for image in range(2):
            name = f"{patient:02d}_{image}.png"
            pixels = rng.integers(0, 256, (32, 32), dtype=np.uint8)
            if image == 0 and patient % 2:
                pixels = np.asarray(Image.open(tmp_path / f"{patient - 1:02d}_0.png"))
            Image.fromarray(pixels).save(tmp_path / name)
            rows.append((name, patient, patient // 2 % 2, patient // 4 % 2))
    columns = ["image", "patient", "A", "B"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "labels.csv", index=False)
    config = RunConfig(data=str(tmp_path / "labels.csv"), test_fraction=0.3, image_size=32,
                       positive="1", negative="0", quiet=True, jobs=1)  # fmt: skip
    table, _ = common_split(config, ("A", "B"))
    assert table is not None
    assert len(table) == 48
    pair = table["image"].str[:2].astype(int) // 2
    assert (table["split"].groupby(pair).nunique() == 1).all()
    assert 0.15 < (table["split"] == "test").mean() < 0.45

"""Without torch, the classical part runs and the other rows say why they are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
HIDE = "import sys; sys.modules.update(torch=None, timm=None, torchvision=None)"


def test_rows_name_the_extra_to_install(tmp_path: Path) -> None:
    arguments = ["--limit", "120", "--features", "intensity,embedding", "--models", "forest,cnn",
                 "--image-size", "48", "--quiet", "--out", str(tmp_path / "run")]  # fmt: skip
    code = f"{HIDE}; from run_benchmark import main; main({arguments})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scores = pd.read_csv(tmp_path / "run" / "scores.csv").set_index("cell")
    assert (scores.loc["intensity/forest/seed0", "status"] == "ok").all()
    for cell in ("embedding/forest/seed0", "pixels/cnn/seed0"):
        assert scores.loc[cell, "status"] == "not_run"
        assert 'pip install -c constraints.txt -e ".[deep]"' in scores.loc[cell, "reason"]
    assert (tmp_path / "run" / "report.html").is_file()

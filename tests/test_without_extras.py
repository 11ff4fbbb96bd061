"""Without torch, the classical part runs; what is missing names the extra to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers import write_radiographs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "timm", "torchvision", "pydicom"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def test_rows_name_the_extra_to_install(tmp_path: Path) -> None:
    data = write_radiographs(tmp_path / "data")
    arguments = ["--data", str(data), "--features", "intensity,embedding", "--models",
                 "forest,cnn", "--folds", "2", "--image-size", "48", "--jobs", "1", "--quiet",
                 "--out", str(tmp_path / "run")]  # fmt: skip
    code = f"{HIDE}\nfrom run_benchmark import main\nmain({arguments})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scores = pd.read_csv(tmp_path / "run" / "scores.csv").set_index("cell")
    assert (scores.loc["intensity/forest/seed0", "status"] == "ok").all()
    for cell in ("embedding/forest/seed0", "pixels/cnn/seed0"):
        assert (scores.loc[cell, "status"] == "not_run").all()
        reasons = set(scores.loc[cell, "reason"])
        assert len(reasons) == 1
        assert 'pip install -c constraints.txt -e ".[deep]"' in reasons.pop()
    assert (tmp_path / "run" / "report.html").is_file()


def test_dicom_files_name_the_extra_to_install(tmp_path: Path) -> None:
    for place in ("train/NORMAL", "train/PNEUMONIA", "test/NORMAL", "test/PNEUMONIA"):
        (tmp_path / "data" / place).mkdir(parents=True)
        (tmp_path / "data" / place / "image.jpeg").write_bytes(bytes(128) + b"DICM" + bytes(300))
    arguments = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "--jobs", "1"]
    code = f"{HIDE}\nfrom run_benchmark import main\nmain({arguments})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "image.jpeg: found a DICOM file, which needs pydicom" in done.stderr
    assert 'pip install -c constraints.txt -e ".[dicom]"' in done.stderr

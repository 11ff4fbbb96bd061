"""The growth measurement: its files, its numbers, and its memory measurement."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.config import RunConfig
from benchmarks.speed.growth import COLUMNS, DRAWS, _draw, describe, write_phantoms
from benchmarks.speed.memory import peak_memory
from features import FEATURES, HANDCRAFTED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("phantoms")
    write_phantoms(place, 320, 64)
    return place


def test_every_phantom_differs(folder: Path) -> None:
    files = [path.read_bytes() for path in folder.rglob("*.jpeg")]
    assert len(files) == len(set(files)) == 16 * DRAWS


def test_second_pass_reads_the_store(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RunConfig(data=str(folder), limit=80, image_size=64, jobs=1, quiet=True,
                       cache=tmp_path)  # fmt: skip
    cold = describe(config)
    for family in HANDCRAFTED:
        monkeypatch.setattr(FEATURES[family], "transform", None)
    warm = describe(config)
    assert 60 <= cold["images"] == warm["images"] <= 100
    assert min(cold["features_seconds"], warm["features_seconds"]) > 0


def test_curve_is_drawn(tmp_path: Path) -> None:
    rows = [[100, "cold", 1.0, 2.0, 300.0], [1000, "cold", 2.0, 20.0, 310.0],
            [100, "warm", 1.0, 0.2, 300.0], [1000, "warm", 2.0, 2.0, 305.0]]  # fmt: skip
    _draw(pd.DataFrame(rows, columns=COLUMNS), tmp_path / "growth.svg")
    assert "</svg>" in (tmp_path / "growth.svg").read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_memory_of_a_child_is_counted() -> None:
    """A process that starts another one that fills 200 MiB."""
    child = "import sys; x = bytearray(b'1') * (200 * 2**20); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with (
        subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as process,
        peak_memory(process.pid) as peak,
    ):
        while peak.mib <= 200 and process.poll() is None:
            time.sleep(0.05)
        process.communicate()  # closes its input, so that both end
    assert 200 < peak.mib < 260

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.compiled import compiled, warm_up
from features.gabor import Gabor
from features.intensity import Intensity

ROOT = Path(__file__).parents[2]
PROGRAM = """
from features.compiled import warm_up
from features.intensity import Intensity
warm_up([Intensity(), Intensity(grid=2)], (32, 32), on_compile=lambda: print("compiling"))
"""


def announced(cache: Path) -> list[str]:
    """What a new process says that keeps its machine code in ``cache``."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
def test_compiling_is_announced_once_and_only_where_nothing_is_kept(tmp_path: Path) -> None:
    assert announced(tmp_path) == ["compiling"]
    assert announced(tmp_path) == []


def test_nothing_is_compiled_after_warming_up() -> None:
    said: list[str] = []
    descriptors = [Gabor(), Intensity()]
    warm_up(descriptors, (32, 32), on_compile=lambda: None)
    warm_up(descriptors, (48, 40), on_compile=lambda: said.append("compiling"))
    assert not said


@compiled
def wait_for(flag: NDArray[np.uint8], work: NDArray[np.int64]) -> bool:
    """Compute until another thread raises the flag."""
    for step in range(4_000_000_000):
        work[step % len(work)] += 1
        if flag[0]:
            return True
    return False


def test_a_kernel_runs_without_the_interpreter_lock() -> None:
    flag, work = np.ones(1, np.uint8), np.zeros(8, np.int64)
    assert wait_for(flag, work)  # compiles
    flag[0] = work[0] = 0

    def raise_flag() -> None:
        while not work.any():  # until the kernel computes
            time.sleep(0.001)
        flag[0] = 1

    thread = threading.Thread(target=raise_flag)
    thread.start()
    assert wait_for(flag, work)
    thread.join()

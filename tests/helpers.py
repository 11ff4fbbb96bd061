"""Small made-up data for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def textured(n: int, size: int = 64, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Grey noise; the positives (two of three) have coarser grain."""
    rng = np.random.default_rng(seed)
    label = (np.arange(n) % 3 > 0).astype(np.int64)
    fine = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
    coarse = rng.integers(0, 256, (n, size // 4, size // 4), dtype=np.uint8)
    coarse = coarse.repeat(4, axis=1).repeat(4, axis=2)
    return np.where(label[:, None, None] == 1, coarse, fine), label

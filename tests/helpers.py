"""Small made-up data for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from benchmarks.io.results import Results
from benchmarks.report.blocks import Paragraph, Section


def textured(n: int, size: int = 64, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Grey noise; the positives (two of three) have coarser grain."""
    rng = np.random.default_rng(seed)
    label = (np.arange(n) % 3 > 0).astype(np.int64)
    fine = rng.integers(0, 256, (n, size, size), dtype=np.uint8)
    coarse = rng.integers(0, 256, (n, size // 4, size // 4), dtype=np.uint8)
    coarse = coarse.repeat(4, axis=1).repeat(4, axis=2)
    return np.where(label[:, None, None] == 1, coarse, fine), label


def write_radiographs(folder: Path) -> Path:
    """A folder as Kaggle has it; grain and pure noise mixed, so that scores differ."""
    images, label = textured(120, 56, seed=1)
    noise = np.random.default_rng(2).integers(0, 256, images.shape)
    mixed = (0.4 * images + 0.6 * noise).astype(np.uint8)
    for number, (pixels, positive) in enumerate(zip(mixed, label, strict=True)):
        split = "train" if number < 84 else "test"
        name = f"person{number}_virus_1.png" if positive else f"IM-{number:04d}-0001.png"
        path = folder / split / ("PNEUMONIA" if positive else "NORMAL") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@st.composite
def grey_images(draw: st.DrawFn, smallest: int, largest: int) -> NDArray[np.uint8]:
    """Noise, few levels, extremes, a constant or a smooth walk: where ties and rounding bite."""
    height, width = (draw(st.integers(smallest, largest)) for _ in range(2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["noise", "few", "extreme", "constant", "walk"]))
    if kind == "walk":
        steps = rng.integers(-2, 3, (height, width)).cumsum(axis=1)
        return (steps + 128).clip(0, 255).astype(np.uint8)
    low = draw(st.integers(0, 250))
    bounds = {
        "noise": (0, 256),
        "few": (low, low + 3),
        "extreme": (0, 2),
        "constant": (low, low + 1),
    }
    image = rng.integers(*bounds[kind], (height, width), dtype=np.uint8)
    return image * np.uint8(255) if kind == "extreme" else image


def results_of(tables: dict[str, pd.DataFrame], **more: Any) -> Results:
    """Make results that have some tables of a run and nothing else."""
    empty = pd.DataFrame()
    base = Results(Path("nowhere"), {}, empty, empty, empty, empty, empty, empty, tables)
    return replace(base, **more)


def words_of(section: Section) -> str:
    """Join the paragraphs of a section."""
    kept = (block.parts for block in section.blocks if isinstance(block, Paragraph))
    return " ".join(str(part) for parts in kept for part in parts)

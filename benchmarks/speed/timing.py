"""Options, images, clocks and rows that all sections share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.datasets.phantoms import generate
from features import HANDCRAFTED
from features.reading.preprocess import resize, stretch_contrast

GreyImages = NDArray[np.uint8]
Call = Callable[[], object]

COLUMNS = ["ours", "ms", "compared with", "its ms", "its time / ours"]  # of every section
FEWEST_PHANTOMS = 16


@dataclass(frozen=True)
class Options:
    """What every section is given.

    Attributes
    ----------
    out : Path
        Existing folder for figures.
    size : int
        Side of the phantoms in pixels.
    images : int
        Phantoms a round.
    repetitions : int
        Rounds.
    quick : bool
        Whether a section should do with its smallest sizes, for a test of the program.
    families : tuple of str
        Handcrafted families, keys of ``FEATURES``.
    weights : Path or None
        File of MobileNetV2's weights for the networks; random weights take as long.
    """

    out: Path
    size: int = 224
    images: int = 8
    repetitions: int = 15
    quick: bool = False
    families: tuple[str, ...] = HANDCRAFTED
    weights: Path | None = None


def phantoms(n: int, size: int) -> GreyImages:
    """``n`` phantoms of ``size`` pixels a side, contrast stretched; repeated beyond the 16th."""
    made = stretch_contrast(np.asarray(generate(FEWEST_PHANTOMS, min(size, 256)).images))
    return np.stack([resize(made[k % len(made)], size) for k in range(n)])


def interleave(
    calls: dict[str, Call], repetitions: int, clock: Callable[[], float] = time.perf_counter
) -> pd.DataFrame:
    """Time every call once a repetition, in turn, after a first untimed round.

    Parameters
    ----------
    calls : dict of callable without arguments
    repetitions : int
    clock : callable
        ``time.thread_time`` for what runs on this thread alone: it doesn't count the time that
        other programs take from it.

    Returns
    -------
    DataFrame
        A row a repetition, a column a call, seconds. What disturbs the machine disturbs
        neighbours in a row alike, so ratios within a row are sounder than of two columns' times.
    """
    for call in calls.values():
        call()
    return pd.DataFrame(
        [{name: _seconds(call, clock) for name, call in calls.items()} for _ in range(repetitions)]
    )


def row(times: pd.DataFrame, name: str, peer: str) -> dict[str, object]:
    """Compare two columns of seconds an image: medians, and the median ratio in a repetition."""
    return {
        "ours": name,
        "ms": 1000 * times[name].median(),
        "compared with": peer,
        "its ms": 1000 * times[peer].median(),
        "its time / ours": (times[peer] / times[name]).median(),
    }


def _seconds(call: Call, clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return clock() - start

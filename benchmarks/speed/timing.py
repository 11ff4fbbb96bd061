"""Options, images, timing and table rows that all sections share."""

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
    """Options of every section.

    Attributes
    ----------
    out : Path
        Existing folder for figures.
    size : int
        Side of the phantoms in pixels.
    images : int
        Phantoms per round.
    repetitions : int
        Rounds.
    quick : bool
        Whether a section uses its smallest sizes, to test the program.
    families : tuple of str
        Handcrafted families, keys of ``FEATURES``.
    weights : Path or None
        File of MobileNetV2's weights; None: random weights, which take the same time.
    """

    out: Path
    size: int = 224
    images: int = 8
    repetitions: int = 15
    quick: bool = False
    families: tuple[str, ...] = HANDCRAFTED
    weights: Path | None = None


def phantoms(n: int, size: int) -> GreyImages:
    """Make phantoms with stretched contrast.

    Parameters
    ----------
    n : int
        Number of images; from the 17th on they repeat.
    size : int
        Side in pixels.

    Returns
    -------
    ndarray of shape (n, size, size), uint8
    """
    made = stretch_contrast(np.asarray(generate(FEWEST_PHANTOMS, min(size, 256)).images))
    return np.stack([resize(made[k % len(made)], size) for k in range(n)])


def interleave(
    calls: dict[str, Call], repetitions: int, clock: Callable[[], float] = time.perf_counter
) -> pd.DataFrame:
    """Time all calls in turn, once per repetition, after an untimed first round.

    Parameters
    ----------
    calls : dict of callable without arguments
    repetitions : int
    clock : callable
        ``time.thread_time`` for calls that use only this thread: it does not count the time of
        other programs.

    Returns
    -------
    DataFrame
        Seconds, one row per repetition, one column per call. A disturbance of the machine affects
        neighbours in a row equally, so ratios within a row are more reliable than those of columns.
    """
    for call in calls.values():
        call()
    return pd.DataFrame(
        [{name: _seconds(call, clock) for name, call in calls.items()} for _ in range(repetitions)]
    )


def row(times: pd.DataFrame, name: str, peer: str) -> dict[str, object]:
    """Compare two columns of times: medians, and the median of the ratios within repetitions.

    Parameters
    ----------
    times : DataFrame
        Seconds per image, from :func:`interleave`.
    name, peer : str
        Two of its columns.

    Returns
    -------
    dict
        ``COLUMNS``: both names, both medians in milliseconds, and the ratio.
    """
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

"""Preprocessing steps, copies and views on one thread, beside the contrast stretch of every run."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.extraction.variants import change
from benchmarks.speed.timing import Call, Options, interleave, phantoms, row
from features.preprocessing import PREPROCESSING
from features.reading.preprocess import stretch_contrast

STRETCH = "contrast stretch"


def measure(options: Options) -> pd.DataFrame:
    """Time each step, and making one copy and one view.

    Parameters
    ----------
    options : Options

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`. Learning of the steps is not timed.
    """
    images = phantoms(options.images, options.size)
    steps = {name: step().fit(images) for name, step in PREPROCESSING.items()}
    calls: dict[str, Call] = {STRETCH: partial(stretch_contrast, images)}
    calls |= {name: partial(step.transform, images) for name, step in steps.items()}
    for name, number in (("one copy", 1), ("one view", -1)):
        calls[name] = partial(change, images, np.full(len(images), number))
    times = interleave(calls, options.repetitions, time.thread_time) / len(images)
    return pd.DataFrame([row(times, name, STRETCH) for name in times.columns.drop(STRETCH)])

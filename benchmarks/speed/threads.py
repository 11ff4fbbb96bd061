"""Each family on two threads, compared with one."""

from __future__ import annotations

from functools import partial

import pandas as pd

from benchmarks.speed.timing import Call, Options, interleave, phantoms, row
from features import FEATURES

IMAGES = 512  # 16 batches, so that a thread rarely waits for the last batch of the other


def measure(options: Options) -> pd.DataFrame:
    """Compare two threads with one, for each family and for their sum.

    Parameters
    ----------
    options : Options

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`.
    """
    images = phantoms(64 if options.quick else IMAGES, options.size)
    calls: dict[str, Call] = {}
    for family in options.families:
        for threads in (2, 1):
            transform = FEATURES[family](n_jobs=threads).transform
            calls[_name(family, threads)] = partial(transform, images)
    times = interleave(calls, min(options.repetitions, 5)) / len(images)
    for threads in (2, 1):
        columns = [_name(family, threads) for family in options.families]
        times[_name("sum", threads)] = times[columns].sum(axis=1)
    names = (*options.families, "sum")
    return pd.DataFrame([row(times, _name(name, 2), _name(name, 1)) for name in names])


def _name(family: str, threads: int) -> str:
    return f"{family}, {threads} thread{'s' if threads > 1 else ''}"

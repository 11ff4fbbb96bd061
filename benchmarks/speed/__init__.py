"""Speed of the program, run by hand: ``python -m benchmarks.speed``. One section per file."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from benchmarks.speed import (
    decoding,
    families,
    networks,
    preprocessing,
    scaling,
    threads,
    warm_store,
)
from benchmarks.speed.timing import Options

SECTIONS: dict[str, Callable[[Options], pd.DataFrame]] = {
    "families": families.measure,
    "threads": threads.measure,
    "sides": scaling.measure_sides,
    "counts": scaling.measure_counts,
    "decoding": decoding.measure,
    "preprocessing": preprocessing.measure,
    "store": warm_store.measure,
    "networks": networks.measure,
}

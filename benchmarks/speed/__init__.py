"""How fast the program is: ``python -m benchmarks.speed``. A section measures one thing."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from benchmarks.speed import decoding, families, networks, size, stored, threads
from benchmarks.speed.timing import Options

SECTIONS: dict[str, Callable[[Options], pd.DataFrame]] = {
    "families": families.measure,
    "threads": threads.measure,
    "sides": size.measure_sides,
    "counts": size.measure_counts,
    "decoding": decoding.measure,
    "store": stored.measure,
    "networks": networks.measure,
}

"""Cost against size and number of images; both should grow linearly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.report.plots import draw, frame, legend, looks
from benchmarks.speed.timing import Call, Options, interleave, phantoms, row
from features import FEATURES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = (64, 128, 256, 512, 1024)
COUNTS = (32, 128, 512)
FIGURE = "speed_size.svg"


def measure_sides(options: Options) -> pd.DataFrame:
    """Compare each family at several image sizes with its smallest, and draw the figure.

    Parameters
    ----------
    options : Options

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`, ``family``, ``side`` (pixels) and
        ``ns a pixel``.
    """
    sides = SIDES[:2] if options.quick else SIDES
    parts = []
    for family in options.families:
        calls: dict[str, Call] = {}
        for side in sides:
            images = phantoms(2, side)
            calls[f"{family}, {side} × {side}"] = partial(FEATURES[family]().transform, images)
        times = interleave(calls, min(options.repetitions, 7), time.thread_time) / 2
        part = _against_first(times, list(calls)).assign(family=family, side=sides)
        parts.append(part.assign(**{"ns a pixel": 1e6 * part["ms"] / part["side"] ** 2}))
    table = pd.concat(parts, ignore_index=True)
    (options.out / FIGURE).write_text(_figure(table), encoding="utf-8", newline="\n")
    return table


def measure_counts(options: Options) -> pd.DataFrame:
    """Compare each family for several numbers of images with the fewest.

    Parameters
    ----------
    options : Options

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`, ``family``, ``images`` and ``s`` (seconds
        for all images).
    """
    counts = (2, 4) if options.quick else COUNTS
    images = phantoms(max(counts), options.size)
    parts = []
    for family in options.families:
        transform = FEATURES[family]().transform
        calls: dict[str, Call] = {
            f"{family}, {count} images": partial(transform, images[:count]) for count in counts
        }
        times = interleave(calls, min(options.repetitions, 3), time.thread_time)
        part = _against_first(times / pd.Series(counts, index=times.columns), list(calls))
        parts.append(part.assign(family=family, images=counts, s=times.median().to_numpy()))
    return pd.concat(parts, ignore_index=True)


def _against_first(times: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame([row(times, name, names[0]) for name in names])


def _figure(table: pd.DataFrame) -> str:
    keys = looks(list(dict.fromkeys(table["family"])))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for family, look in keys.items():
            rows = table[table["family"] == family]
            axes.loglog(rows["side"], rows["ms"], color=look.colour,
                        linestyle=look.dash, marker=look.marker)  # fmt: skip
        sides, lowest = table["side"].agg(["min", "max"]), table["ms"].min()
        axes.loglog(sides, lowest * (sides / sides.min()) ** 2, color="#8a929b", linewidth=0.8)
        axes.set_xticks(table["side"].unique(), [str(side) for side in table["side"].unique()])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter("{x:g}")
        frame(axes, "Time per image, one thread", "side of the image, pixels", "milliseconds")
        legend(figure, keys)

    alt = (
        "Milliseconds per image against the side in pixels, both logarithmic, one line per family; "
        "the thin grey line rises with the number of pixels."
    )
    svg = draw("speed-size", (5.4, 4.2), paint, alt, synthetic=False)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{svg}\n'

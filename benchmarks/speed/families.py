"""Each family on one thread, compared with other libraries and with lower bounds of any method."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import cv2
import pandas as pd

from benchmarks.speed.library_features import cases
from benchmarks.speed.timing import Call, GreyImages, Options, interleave, phantoms, row


def measure(options: Options) -> pd.DataFrame:
    """Compare each family and their sum with other libraries.

    Parameters
    ----------
    options : Options

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`.
    """
    images = phantoms(options.images, options.size)
    chosen = [case for case in cases() if case.family in options.families]
    calls: dict[str, Call] = {}
    counts: dict[str, int] = {}
    for case in chosen:
        calls[case.name] = partial(case.ours, images)
        for peer, function in case.peers.items():
            sample = images[:1] if peer in case.slow else images
            calls[f"{case.name} {peer}"] = partial(_each, function, sample)
            counts[f"{case.name} {peer}"] = len(sample)
    calls["JPEG decoding"] = _jpeg_decoder(images)
    calls["one pass over memory"] = images.max
    times = interleave(calls, options.repetitions, time.thread_time)
    times /= pd.Series(counts).reindex(times.columns, fill_value=len(images))
    rows = [row(times, case.name, f"{case.name} {peer}") for case in chosen for peer in case.peers]
    times["sum"] = times[[case.name for case in chosen]].sum(axis=1)
    firsts = [f"{case.name} {next(iter(case.peers))}" for case in chosen]
    times["sum of the first peers"] = times[firsts].sum(axis=1)
    ends = ("sum of the first peers", "JPEG decoding", "one pass over memory")
    return pd.DataFrame(rows + [row(times, "sum", end) for end in ends])


def _jpeg_decoder(images: GreyImages) -> Callable[[], object]:
    """Return a function that decodes the images from JPEG (quality 95) to grey."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    files = [cv2.imencode(".jpg", image, quality)[1] for image in images]
    return lambda: [cv2.imdecode(file, cv2.IMREAD_GRAYSCALE) for file in files]


def _each(function: Callable[[GreyImages], object], images: GreyImages) -> None:
    for image in images:
        function(image)

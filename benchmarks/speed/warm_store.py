"""The features stage with a full feature store, compared with an empty one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.extraction.extract import extract
from benchmarks.extraction.store import FeatureStore
from benchmarks.io.image_stack import ImageStack
from benchmarks.speed.timing import Call, Options, interleave, phantoms, row

IMAGES = 512
WARM, COLD = "features from the store", "features computed and stored"


def measure(options: Options) -> pd.DataFrame:
    """Compare reading the handcrafted features from the store with computing them, on all cores.

    Parameters
    ----------
    options : Options

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`.
    """
    images = ImageStack.of(phantoms(64 if options.quick else IMAGES, options.size))
    images = _distinct(images)
    config = RunConfig(image_size=options.size, quiet=True)
    with TemporaryDirectory() as place, FeatureStore(Path(place) / "store") as store:

        def _run(clear: bool) -> None:
            if clear:
                store.clear()
            with TemporaryDirectory(dir=place) as scratch:
                extract(images, config, options.families, Path(scratch), store)

        calls: dict[str, Call] = {COLD: lambda: _run(True), WARM: lambda: _run(False)}
        times = interleave(calls, min(options.repetitions, 5)) / len(images)
    return pd.DataFrame([row(times, WARM, COLD)])


def _distinct(images: ImageStack) -> ImageStack:
    """Write its number into each image, so that the store has a row for each."""
    pixels = images[:]
    for number, image in enumerate(pixels):
        image[0, :2] = divmod(number, 256)
    return ImageStack.of(pixels)

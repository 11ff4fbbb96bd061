"""Reading large JPEGs at reduced scale, compared with decoding them in full."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from benchmarks.speed.timing import Call, Options, interleave, phantoms, row
from features.reading.images import read_image
from features.reading.preprocess import resize

WIDTH, HEIGHT = 1400, 1000  # pixels, about the mean of the original radiographs
QUALITY = 90


def measure(options: Options) -> pd.DataFrame:
    """Compare reading large JPEGs at a small size with decoding them in full and resizing.

    Parameters
    ----------
    options : Options

    Returns
    -------
    DataFrame
        Columns of :func:`benchmarks.speed.timing.row`.
    """
    with TemporaryDirectory() as folder:
        files = []
        for number, image in enumerate(phantoms(min(options.images, 8), 1000)):
            files.append(Path(folder) / f"{number}.jpeg")
            large = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(files[-1]), large, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        ours, peer = f"reading {WIDTH} × {HEIGHT} JPEG", "decoded in full and resized"
        calls: dict[str, Call] = {
            ours: partial(_read, files, options.size, options.size),
            peer: partial(_read, files, None, options.size),
        }
        times = interleave(calls, options.repetitions, time.thread_time) / len(files)
    return pd.DataFrame([row(times, ours, peer)])


def _read(files: list[Path], reduced_for: int | None, size: int) -> list[np.ndarray]:
    return [resize(read_image(file, size=reduced_for).pixels, size) for file in files]

"""Coarse and fine grain, a made-up data set."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import CLASSES, Dataset
from tests.helpers import textured

IMAGE_SIZE = 48
N_IMAGES = 120


def load(config: RunConfig, size: int) -> Dataset:
    """Draw noise: the positives have coarser grain, half hidden."""
    grain, label = textured(N_IMAGES, size, seed=1)
    noise = np.random.default_rng(2).integers(0, 256, grain.shape)
    images = (0.4 * grain + 0.6 * noise).astype(np.uint8)
    number = np.arange(N_IMAGES)
    manifest = pd.DataFrame({
        "image": [f"grain{k:03d}.png" for k in number],
        "label": label, "class": np.array(CLASSES)[label],
        "subtype": np.where(label == 1, "virus", ""), "group": [f"p{k:03d}" for k in number],
        "split": np.where(number < 84, "train", "test"),
        "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        "width": size, "height": size, "frames": 1, "bytes": 0,
    })  # fmt: skip
    return Dataset("Grains", images, manifest, licence="CC0", citation="Made up.", synthetic=True)

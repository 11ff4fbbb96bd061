"""Prepared images → one feature matrix a family, with names and times."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.progress import say
from features import FEATURE_SETS, FEATURES, ImageDescriptor
from features.backbone import MissingExtra, WeightsUnavailable
from features.preprocess import central_crop, stretch_contrast

RANDOM_WEIGHTS_SEED = 0  # one random network for all seeds of a run


@dataclass
class Extracted:
    """Feature matrices by family, and why a family has none.

    Attributes
    ----------
    matrices : dict of ndarray of shape (n, d), float32
    reasons : dict of (status, reason)
        For each family without a matrix: ``not_run`` (weights or an extra are missing) or
        ``failed``.
    table : DataFrame
        ``features.csv``: family, dimension, milliseconds_per_image, weights, status, reason.
    """

    matrices: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=pd.DataFrame)


def reading_size(config: RunConfig) -> int:
    """Side to which images are resized so that the central crop has ``config.size`` pixels."""
    return math.ceil(config.size / config.crop)


def prepare(images: NDArray[np.uint8], config: RunConfig) -> NDArray[np.uint8]:
    """Crop and stretch as configured: what every model sees.

    Parameters
    ----------
    images : ndarray of shape (n, S, S), uint8
        S from :func:`reading_size`.

    Returns
    -------
    ndarray of shape (n, size, size), uint8
    """
    cropped = central_crop(images, config.size)
    return stretch_contrast(cropped) if config.contrast else cropped


def make_descriptor(family: str, config: RunConfig) -> ImageDescriptor:
    """Unfitted descriptor of a family, as configured."""
    if family == "embedding":
        return FEATURES[family](backbone=config.backbone, weights=config.weights)
    if family == "embedding_random":
        return FEATURES[family](backbone=config.backbone, seed=RANDOM_WEIGHTS_SEED)
    return FEATURES[family](n_jobs=config.jobs)


def extract(images: NDArray[np.uint8], config: RunConfig) -> Extracted:
    """Compute every family that the configured feature sets need.

    A family that can't be computed is recorded with its reason and the others go on.

    Parameters
    ----------
    images : ndarray of shape (n, size, size), uint8
        Prepared images.
    """
    needed = {family for name in config.features for family in FEATURE_SETS[name]}
    result = Extracted()
    rows = []
    for family in (name for name in FEATURES if name in needed):
        start = time.perf_counter()
        source, status, reason = "", "ok", ""
        try:
            descriptor = make_descriptor(family, config)
            result.matrices[family] = descriptor.fit_transform(images)
            source = getattr(descriptor, "weights_source_", "")
        except (WeightsUnavailable, MissingExtra) as error:
            status, reason = "not_run", str(error)
        except (ValueError, RuntimeError, MemoryError) as error:
            status, reason = "failed", f"{type(error).__name__}: {error}"
        row: dict[str, Any] = {"family": family, "status": status, "reason": reason}
        if status == "ok":
            row["dimension"] = result.matrices[family].shape[1]
            row["milliseconds_per_image"] = 1000 * (time.perf_counter() - start) / len(images)
            row["weights"] = source
            say("  {family}: {dimension} features, {milliseconds_per_image:.1f} ms an image"
                .format(**row), config.quiet)  # fmt: skip
        else:
            result.reasons[family] = (status, reason)
            say(f"  {family}: {status}: {reason}", config.quiet)
        rows.append(row)
    columns = ["family", "dimension", "milliseconds_per_image", "weights", "status", "reason"]
    result.table = pd.DataFrame(rows, columns=columns).astype({"dimension": "Int64"})
    return result

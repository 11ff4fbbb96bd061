"""Prepared images → one feature matrix a family, with names and times."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.progress import say
from benchmarks.results import FEATURE_COLUMNS
from features import FEATURES, ImageDescriptor
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
    settings : dict of dict
        Parameters of each family's descriptor.
    table : DataFrame
        ``features.csv``: family, dimension, milliseconds_per_image (wall time over all
        processes), weights, status, reason.
    """

    matrices: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
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
        return FEATURES[family](
            backbone=config.backbone, weights=config.weights, n_jobs=config.jobs
        )
    if family == "embedding_random":
        return FEATURES[family](
            backbone=config.backbone, seed=RANDOM_WEIGHTS_SEED, n_jobs=config.jobs
        )
    return FEATURES[family](n_jobs=config.jobs)


def extract(images: NDArray[np.uint8], config: RunConfig, families: Collection[str]) -> Extracted:
    """Compute some families of features.

    A family that can't be computed is recorded with its reason and the others go on.

    Parameters
    ----------
    images : ndarray of shape (n, size, size), uint8
        Prepared images.
    config : RunConfig
        ``backbone``, ``weights``, ``jobs`` and ``quiet`` apply.
    families : collection of str
        Keys of ``FEATURES``.
    """
    result = Extracted()
    rows = []
    for family in (name for name in FEATURES if name in families):
        source, status, reason = "", "ok", ""
        try:
            descriptor = make_descriptor(family, config).fit(images)
            start = time.perf_counter()
            result.matrices[family] = descriptor.transform(images)
            seconds = time.perf_counter() - start
            result.settings[family] = _settings(descriptor)
            source = getattr(descriptor, "weights_source_", "")
        except (WeightsUnavailable, MissingExtra) as error:
            status, reason = "not_run", str(error)
        except Exception as error:  # the others go on; this one is a row with its reason
            status, reason = "failed", f"{type(error).__name__}: {error}"
        row: dict[str, Any] = {"family": family, "status": status, "reason": reason}
        if status == "ok":
            row["dimension"] = result.matrices[family].shape[1]
            row["milliseconds_per_image"] = 1000 * seconds / len(images)
            row["weights"] = source
            say("  {family}: {dimension} features, {milliseconds_per_image:.1f} ms an image"
                .format(**row), config.quiet)  # fmt: skip
        else:
            result.reasons[family] = (status, reason)
            say(f"  {family}: {status}: {reason}", config.quiet)
        rows.append(row)
    table = pd.DataFrame(rows, columns=FEATURE_COLUMNS)
    result.table = table.astype({"dimension": "Int64"})
    return result


def _settings(descriptor: ImageDescriptor) -> dict[str, Any]:
    """Parameters that change a number, ready for JSON; the weights are told by their hash."""
    aside = ("n_jobs", "batch_size", "weights")
    values = {k: v for k, v in descriptor.get_params().items() if k not in aside}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

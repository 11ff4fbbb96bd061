"""From prepared images to one feature matrix per family."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.extraction.family_rows import FamilyRows
from benchmarks.extraction.given_features import GivenFeatures, family_class, is_given
from benchmarks.extraction.given_tables import GivenRows
from benchmarks.extraction.store import FeatureStore
from benchmarks.extraction.store_keys import hash_images
from benchmarks.io.columns import FEATURE_COLUMNS
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.matrix_file import MatrixFile, StoredMatrix
from benchmarks.io.progress import Steps, say
from features import FEATURES, ImageDescriptor

CHUNK = 256  # images in memory at once


@dataclass
class FeatureMatrices:
    """Feature matrices by family, and the reasons why a family has none.

    Attributes
    ----------
    matrices : dict of StoredMatrix of shape (n, d)
        Rows are read from disk on access. Those of a table have no rows for copies and views.
    reasons : dict of (status, reason)
        For each family without a matrix: ``not_run`` (weights or an extra are missing) or
        ``failed``.
    settings : dict of dict
        Parameters of each family's descriptor.
    table : DataFrame
        ``features.csv``: family, dimension, milliseconds_per_image (wall time of all threads, over
        the images that were computed), from_store (number of images whose rows were read from the
        feature store), weights, status, reason.
    """

    matrices: dict[str, StoredMatrix] = field(default_factory=dict)
    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class GivenMatrix(StoredMatrix):
    """Matrix of the rows of a table.

    Attributes
    ----------
    columns : tuple of str
        Their names in the table.
    """

    columns: tuple[str, ...]


def make_descriptor(family: str, config: RunConfig, columns: Sequence[str] = ()) -> ImageDescriptor:
    """Create the unfitted descriptor of a family.

    Parameters
    ----------
    family : str
        Key of ``FEATURES``, or name of a table.
    config : RunConfig
        Sets the parameters ``backbone``, ``weights``, ``pooling``, ``layers`` and ``n_jobs`` where
        the family has them; all others keep their defaults, so that all seeds of a run share one
        random network.
    columns : sequence of str
        Names of the columns of a table.

    Returns
    -------
    ImageDescriptor
    """
    kind = family_class(family)
    if isinstance(kind, type) and issubclass(kind, GivenFeatures):
        return kind(tuple(columns))
    descriptor = kind()
    given = {
        "backbone": config.backbone,
        "weights": config.weights,
        "pooling": config.pooling,
        "layers": config.layers,
        "n_jobs": config.jobs,
    }
    parameters = descriptor.get_params()
    return descriptor.set_params(**{name: given[name] for name in given if name in parameters})


def extract(
    images: ImageStack,
    config: RunConfig,
    families: Collection[str],
    scratch: Path,
    store: FeatureStore | None = None,
    given: Mapping[str, GivenRows] | None = None,
) -> FeatureMatrices:
    """Compute the features of all images, chunk by chunk.

    A family that can't be computed is recorded with its reason; the others are computed.

    Parameters
    ----------
    images : ImageStack of shape (n, size, size)
        Prepared images, see :mod:`benchmarks.extraction.prepare`; each is read once.
    config : RunConfig
        ``backbone``, ``weights``, ``pooling``, ``layers``, ``jobs`` and ``quiet`` apply.
    families : collection of str
        Keys of ``FEATURES``, or names of tables.
    scratch : Path
        Folder for the files of the matrices; must exist as long as the matrices are used.
    store : FeatureStore, optional
        Rows found there are not computed; computed rows are written there.
    given : dict of GivenRows, optional
        Rows of the tables of ``--features-from``.

    Returns
    -------
    FeatureMatrices
    """
    work = [
        FamilyRows(
            name, partial(make_descriptor, name, config), len(images), scratch, store, config.quiet
        )
        for name in FEATURES
        if name in families
    ]
    with Steps("features", len(images), "images", config.quiet) as steps:
        for start in range(0, len(images) if work else 0, CHUNK):
            chunk = images[start : start + CHUNK]
            hashes = hash_images(chunk) if store else []
            for family in work:
                steps.show(family.name)
                family.add(chunk, hashes)
            steps.advance(len(chunk))
    result = FeatureMatrices()
    for family in work:
        family.finish()
        say(f"  {family.summary()}", config.quiet)
        if family.matrix is None:
            result.reasons[family.name] = (family.status, family.reason)
        else:
            result.matrices[family.name] = family.matrix
            result.settings[family.name] = family.settings()
    lines = [family.row() for family in work]
    lines += _keep_given(result, config, families, scratch, given or {})
    table = pd.DataFrame(lines, columns=FEATURE_COLUMNS)
    result.table = table.astype({"dimension": "Int64", "from_store": "Int64"})
    return result


def _keep_given(
    result: FeatureMatrices,
    config: RunConfig,
    families: Collection[str],
    scratch: Path,
    given: Mapping[str, GivenRows],
) -> list[dict[str, Any]]:
    """Add the rows of tables to the result; return their rows of ``features.csv``."""
    lines: list[dict[str, Any]] = []
    for name, file in config.features_from:
        if name not in families or not is_given(name):
            continue
        if name not in given:
            reason = (
                f"The table {file.name} was not read for these images. Give a table that has them "
                f"with --features-from {name}=TABLE."
            )
            result.reasons[name] = ("not_run", reason)
            lines.append({"family": name, "status": "not_run", "reason": reason})
            say(f"  {name}: not_run: {reason}", config.quiet)
            continue
        own = given[name]
        writer = MatrixFile(scratch / f"{name}.npy", len(own.matrix))
        writer.append(own.matrix)
        writer.close()
        result.matrices[name] = GivenMatrix(writer.open().path, own.columns)
        say(f"  {name}: {len(own.columns)} features, {own.source}", config.quiet)
        lines.append({
            "family": name, "dimension": len(own.columns), "weights": own.source,
            "status": "ok", "reason": "",
        })  # fmt: skip
    return lines

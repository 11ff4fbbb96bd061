"""The feature tables that fitted cells need, for images that the run does not have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig
from benchmarks.extraction.given_features import is_given
from benchmarks.extraction.given_tables import FeatureTable, read_table
from benchmarks.io.results import Results
from benchmarks.option_values import names_and_files
from benchmarks.saved.fitted_cells import FittedCell, recorded_columns


def given_files(given: Any) -> dict[str, Path]:
    """Read which table holds which feature set.

    Parameters
    ----------
    given : object
        What ``--features-from`` was given, see :func:`benchmarks.option_values.names_and_files`.

    Returns
    -------
    dict of str to Path

    Raises
    ------
    ConfigError
        If a text has no name or no file.
    """
    try:
        return {name: Path(file) for name, file in names_and_files(given or ())}
    except ValueError as error:
        raise ConfigError(f"--features-from: got {given}: {error}") from error


def tables_of(
    run: Results, cells: Collection[FittedCell], given: Any, images: Sequence[str]
) -> dict[str, FeatureTable]:
    """Read the tables of the feature sets that some cells were fitted on.

    Parameters
    ----------
    run : Results
    cells : collection of FittedCell
    given : object
        What ``--features-from`` was given, see :func:`benchmarks.option_values.names_and_files`.
    images : sequence of str
        Names of all images whose rows are needed.

    Returns
    -------
    dict of FeatureTable
        By feature set, with the columns of the run in their order.

    Raises
    ------
    ConfigError
        If a table is missing, can't be read or has other columns, or the run has no such feature
        set.
    """
    files = given_files(given)
    known = run.run.get("features_from", {})
    if other := [name for name in files if name not in known]:
        raise ConfigError(
            f"--features-from: got {', '.join(other)}, but expected feature sets that the run read "
            f"from tables ({', '.join(known) or 'it has none'}). Leave it out."
        )
    needed = {family: cell for cell in cells for family in cell.families if is_given(family)}
    for family, cell in needed.items():
        if family not in files:
            raise ConfigError(
                f"{cell.name} was fitted on features that a table gave, and this program can't "
                f"compute them. Compute them for these images in the same way and give their table "
                f"with --features-from {family}=TABLE, or name other cells with --cells."
            )
    tables = {name: read_table(name, file) for name, file in files.items() if name in needed}
    return {
        name: one.ordered(recorded_columns(run, name)).named_as(images)
        for name, one in tables.items()
    }


def rows_of(
    tables: Mapping[str, FeatureTable], images: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Return the rows of some images in every table.

    Parameters
    ----------
    tables : dict of FeatureTable
        By feature set.
    images : sequence of n str
        Names of the images.

    Returns
    -------
    dict of ndarray of shape (n, d), float32

    Raises
    ------
    ConfigError
        As :meth:`benchmarks.extraction.given_tables.FeatureTable.rows_of`.
    """
    return {name: table.rows_of(images) for name, table in tables.items()}


def with_same_tables(
    run: Results, config: RunConfig, tables: Mapping[str, FeatureTable]
) -> RunConfig:
    """Use a given table as the run's own, where it is the same file at another place.

    Parameters
    ----------
    run : Results
    config : RunConfig
        Settings of the run.
    tables : dict of FeatureTable
        From :func:`tables_of`.

    Returns
    -------
    RunConfig
    """
    known = run.run.get("features_from", {})
    same = {
        name: one.file for name, one in tables.items()
        if one.sha256 == known.get(name, {}).get("sha256")
    }  # fmt: skip
    files = tuple((name, same.get(name, file)) for name, file in config.features_from)
    return config.model_copy(update={"features_from": files})

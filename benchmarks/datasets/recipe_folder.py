"""Published data set in its published layout, as NAME:FOLDER; the list below has the names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.config import READING, RunConfig
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.datasets.recipes import RECIPES
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.table import Listed, list_images_of, read_listed

EXPECTED = "a published data set as NAME:FOLDER (see the command list)"
OPTIONS = tuple(name for name in READING if name != "class_names")
LIMITS_ITSELF = True  # before it decodes files


def reads(path: Path) -> bool:
    """Whether ``--data`` begins with the name of a recipe and a colon.

    Parameters
    ----------
    path : Path
        The value of ``--data``.

    Returns
    -------
    bool

    Examples
    --------
    >>> reads(Path("nih:/data/nih")), reads(Path("nih"))
    (True, False)
    """
    name, colon, _ = str(path).partition(":")
    return bool(colon) and name in RECIPES


def folder(data: str) -> Path:
    """Return the folder of a ``--data`` value.

    Parameters
    ----------
    data : str
        Name of a recipe, a colon and a folder.

    Returns
    -------
    Path

    Examples
    --------
    >>> folder("nih:data/nih").as_posix()
    'data/nih'
    """
    return Path(data.partition(":")[2]).expanduser()


def load(config: RunConfig, size: int) -> Dataset:
    """Read a published data set: the table of its recipe, as any other table.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the name of a recipe, a colon and a folder. All settings of a table apply; what
        they leave open is as the recipe declares.
    size : int
        Side to which images are resized, in pixels.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If files of the layout are missing, or as for a table.
    """
    name, recipe, table = _table(config)
    config, listed = _listed(config, recipe, table)
    notes = [f"Read as {recipe.title}. {recipe.tried}", *recipe.notes]
    dataset = read_listed(listed, config, size, name, notes, recipe.source)
    if "patient" not in table and config.patient_pattern is None:
        dataset = replace(dataset, patients_known=False)
    return dataset


def list_only(config: RunConfig) -> Listed:
    """Find the images of a published data set with class, patient and split; decode nothing.

    Parameters
    ----------
    config : RunConfig
        As for :func:`load`.

    Returns
    -------
    Listed

    Raises
    ------
    DataError
        As :func:`load`.
    """
    _, recipe, table = _table(config)
    return _listed(config, recipe, table)[1]


def columns_of(config: RunConfig) -> list[str]:
    """List the columns of the table of a recipe.

    Parameters
    ----------
    config : RunConfig
        ``data`` is the name of a recipe, a colon and a folder.

    Returns
    -------
    list of str

    Raises
    ------
    DataError
        If files of the layout are missing.
    """
    return list(_table(config)[2].columns)


def _table(config: RunConfig) -> tuple[str, Recipe, pd.DataFrame]:
    name, _, given = config.data.partition(":")
    recipe = RECIPES[name]
    if not given:
        raise DataError(
            f"--data {config.data}: got no folder, but expected {name}:FOLDER with "
            f"{recipe.layout}. Ask for the data at {recipe.obtain}"
        )
    return name, recipe, recipe.table(folder(config.data))


def _listed(config: RunConfig, recipe: Recipe, table: pd.DataFrame) -> tuple[RunConfig, Listed]:
    root = config.images or folder(config.data)
    config = declared(config, recipe)
    return config, list_images_of(table, root, config, f"--data {config.data}")


def declared(config: RunConfig, recipe: Recipe) -> RunConfig:
    """Fill what the user left open with what a recipe declares.

    Parameters
    ----------
    config : RunConfig
    recipe : Recipe

    Returns
    -------
    RunConfig

    Raises
    ------
    DataError
        If uncertain labels are asked for where there are none.
    """
    own_label = not config.label and "label" not in dict(config.columns)
    if own_label and config.uncertain != "drop":
        raise DataError(
            f"--uncertain: got {config.uncertain}, but {recipe.title} is read as findings that are "
            "stated, of which none is uncertain. Leave --uncertain out, or name a column of "
            "single findings with --label."
        )
    update: dict[str, object] = {"where": recipe.condition(config)}
    if own_label and config.task != "subtype":  # that one has all values as classes
        update["positive"] = config.positive or recipe.positive
        update["negative"] = config.negative or recipe.negative
    return config.model_copy(update=update)

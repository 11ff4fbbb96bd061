"""The record of a recipe: how one published data set becomes a table of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.datasets.recipes.source import Source
from benchmarks.datasets.tables.lateral_views import views_are_chosen

REPLICA = "The recipe was only tried on a small replica of the published layout."


@dataclass(frozen=True)
class Recipe:
    """How one published data set is read.

    Attributes
    ----------
    title : str
    obtain : str
        Where to ask for the data.
    layout : str
        What the folder must contain.
    source : Source
        Licence, citation, limitations and what the authors state.
    table : callable
        Takes the folder, and returns a table with a row per image: ``image`` (path relative to the
        folder, or file name), ``label`` (a value, or findings as ``A|B``), and where they are
        known ``patient``, ``split``, ``subtype``, ``view``, ``site``, ``sex`` and ``age`` (years).
        All values are text; unknown ones are empty. Further columns are those of the data set.
    positive, negative : tuple of str
        Values of ``label`` that mean disease and no disease, unless the user gives others.
    frontal : tuple of str
        Values of ``view`` that are frontal; others are left out unless ``keep_laterals`` is set
        or the user's condition names the column. Empty: all images are used.
    notes : tuple of str
        What a reader of the report must know about how the data were read.
    tried : str
        On which files the recipe was tried.
    """

    title: str
    obtain: str
    layout: str
    source: Source
    table: Callable[[Path], pd.DataFrame]
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    frontal: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tried: str = REPLICA

    def condition(self, config: RunConfig) -> str | None:
        """Join the user's condition on columns and the one on frontal views.

        Parameters
        ----------
        config : RunConfig
            ``where``, ``keep_laterals`` and ``columns`` apply.

        Returns
        -------
        str or None
            None if there is no condition.
        """
        where = config.where
        if not self.frontal or views_are_chosen(config):
            return where
        frontal = f"view in [{', '.join(map(repr, self.frontal))}]"
        return f"{frontal} and ({where})" if where else frontal

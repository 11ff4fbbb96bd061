"""Combinations of the fitted cells of a run, ready to score images by the scores of their members.

No file holds them: their members and weights are in ``run.json``, and are checked against
``predictions.csv`` before they are used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.config import ConfigError
from benchmarks.fitting.cell import COMBINED
from benchmarks.fitting.combination import Combination, read_combination
from benchmarks.io.progress import say
from benchmarks.io.results import Results, RunError
from benchmarks.saved.fitted_cells import (
    FittedCell,
    load_cells,
    score_views,
    threshold_of,
    wanted_cells,
)
from benchmarks.saved.model_files import saved_cells
from features import ImageDescriptor

TOLERANCE = 1e-9  # of a score that is combined again


@dataclass(frozen=True)
class CombinedCell:
    """A combination and what is needed to use it.

    Attributes
    ----------
    name, features, model : str
    seed : int
    threshold : float
        Selected on the validation set for a recall of 0.95.
    combination : Combination
        Its members are names of fitted cells.
    """

    name: str
    features: str
    model: str
    seed: int
    threshold: float
    combination: Combination


@dataclass(frozen=True)
class ScoringCells:
    """The cells that score images, and the fitted ones that they need.

    Attributes
    ----------
    fitted : list of FittedCell
        Wanted cells and members of wanted combinations.
    shown : list of FittedCell and CombinedCell
        The wanted ones: fitted cells, then combinations.
    """

    fitted: list[FittedCell]
    shown: list[FittedCell | CombinedCell]

    def scores(
        self,
        views: Sequence[NDArray[np.uint8]],
        descriptors: Mapping[str, ImageDescriptor],
        given: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> list[NDArray[np.float64]]:
        """Score images as in the run: members are averaged over the views, then combined.

        Parameters
        ----------
        views : sequence of ndarray of shape (n, size, size), uint8
            From :func:`benchmarks.extraction.variants.views_of`.
        descriptors : dict of ImageDescriptor
            Fitted, by family.
        given : dict of ndarray of shape (n, d), optional
            Rows of the images in tables, by family.

        Returns
        -------
        list of ndarray of shape (n,), float64
            One array per cell of ``shown``.
        """
        found = score_views(self.fitted, views, descriptors, given)
        score_of = {cell.name: own for cell, own in zip(self.fitted, found, strict=True)}
        return [
            one.combination.scores([score_of[name] for name in one.combination.members])
            if isinstance(one, CombinedCell) else score_of[one.name]
            for one in self.shown
        ]  # fmt: skip


def scoring_cells(run: Results, wanted: Collection[str] | None) -> ScoringCells:
    """Load the fitted cells and the combinations of a run.

    Parameters
    ----------
    run : Results
    wanted : collection of str or None
        Names of cells or their beginnings (``hog``, ``combined/mean``); None: all.

    Returns
    -------
    ScoringCells
        If ``wanted`` is None, without the combinations whose members are not saved; a note names
        them.

    Raises
    ------
    RunError
        If the run has no models, no threshold for one of the cells, or no valid record of a
        combination.
    ConfigError
        If a wanted cell, or a member of a wanted combination, is missing.
    ModelFileError
        If a file is damaged, unsafe or of another version of the program.
    """
    done = run.scores[run.scores["status"] == "ok"]
    known = done.loc[done["features"] == COMBINED, "cell"].unique().tolist()
    names = wanted_cells(run, wanted, also=known)
    saved = set(saved_cells(run.folder))
    combined = []
    for name in (one for one in names if one in known):
        one = _load(run, name)
        if lacking := [member for member in one.combination.members if member not in saved]:
            reason = f"{name} can't score images: the run has not saved {', '.join(lacking)}"
            if wanted is not None:
                raise ConfigError(f"--cells: {reason}. Leave {name} out.")
            say(f"Note: {reason}.", quiet=False)
        else:
            combined.append(one)
    own = [name for name in names if name not in known]
    needed = {*own, *(member for one in combined for member in one.combination.members)}
    fitted = [one for name in sorted(needed) for one in load_cells(run, [name])]
    return ScoringCells(fitted, [*(one for one in fitted if one.name in own), *combined])


def _load(run: Results, name: str) -> CombinedCell:
    features, model, seed = name.split("/")
    try:
        made = read_combination(model, run.run.get("cells", {}).get(name) or {})
        _check(run, name, made)
    except ValueError as error:
        raise RunError(
            f"{run.folder / 'run.json'}: cells.{name}: got {error}, but expected the members and "
            "weights that gave its scores in predictions.csv. Run the benchmark again."
        ) from error
    number = int(seed.removeprefix("seed"))
    return CombinedCell(name, features, model, number, threshold_of(run, name), made)


def _check(run: Results, name: str, made: Combination) -> None:
    """Combine the validation scores again and compare them."""
    table = run.predictions[run.predictions["split"] == "validation"]
    score_of = {
        cell: own.set_index("image")["score"].astype(float)
        for cell, own in table[table["cell"].isin([name, *made.members])].groupby("cell")
    }
    unknown = [member for member in made.members if member not in score_of]
    if unknown or name not in score_of:
        raise ValueError(f"members without scores ({', '.join(unknown or [name])})")
    own = score_of[name]
    members = [score_of[one].reindex(own.index) for one in made.members]
    again = made.scores([np.asarray(score, dtype=np.float64) for score in members])
    if not np.allclose(again, own.to_numpy(), rtol=0, atol=TOLERANCE):
        raise ValueError("members and weights that give other scores")

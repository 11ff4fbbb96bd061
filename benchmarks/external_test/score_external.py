"""Scores of the fitted cells of a run on an external test set; nothing is fitted or chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.config import ConfigError, RunConfig
from benchmarks.external_test.external_set import ExternalSet
from benchmarks.extraction.prepare import load_preparation
from benchmarks.extraction.variants import views_of
from benchmarks.io.columns import EXTERNAL, PREDICTION_COLUMNS
from benchmarks.io.image_stack import ImageStack
from benchmarks.io.progress import Steps, say
from benchmarks.io.results import Results
from benchmarks.saved.combined_cells import ScoringCells, scoring_cells
from benchmarks.saved.fitted_cells import descriptors_of
from benchmarks.saved.model_files import read_saved, saved_cells
from benchmarks.saved.tables_of_cells import given_files, rows_of, tables_of

CHUNK = 256  # images in memory at once


def score_external(
    run: Results, config: RunConfig, external: ExternalSet, features_from: Any = None
) -> pd.DataFrame:
    """Score an external test set with every saved cell of a run.

    The images are prepared as in the run, with what its preprocessing steps learnt on its training
    images; scores are means over the run's views; combinations combine as in the run.

    Parameters
    ----------
    run : Results
        A run with saved models.
    config : RunConfig
        Its settings, with the weights and processes of this machine.
    external : ExternalSet
    features_from : object, optional
        Name and table of each feature set that the run read from a table, for the images of the
        set; see :func:`benchmarks.option_values.names_and_files`. Cells on other such sets are left
        out, and so are combinations of them; a note names them.

    Returns
    -------
    DataFrame
        Columns of ``predictions.csv``; ``split`` is ``external:NAME``. Cells in the order of the
        run, images sorted by name.

    Raises
    ------
    RunError
        If the run has no models, or a cell was fitted on other columns.
    ConfigError
        If an extra, a table or the weights of a network are missing, or the weights differ from
        the run's.
    ModelFileError
        If a saved model is damaged or unsafe.
    """
    scoring = scoring_cells(run, _without_tables(run, features_from))
    dataset = external.dataset
    names = [str(image) for image in dataset.manifest["image"]]
    tables = tables_of(run, scoring.fitted, features_from, names)
    descriptors = descriptors_of(run, config, scoring.fitted)
    preparation = load_preparation(run.folder, config)
    images = preparation.applied_to(dataset.images, config.quiet)
    if inverted := int(preparation.inverted(dataset.images).sum()):
        say(f"  {inverted} images look inverted and were inverted, as in the run.", config.quiet)
    parts = []
    with Steps("external test", len(names), "images", config.quiet) as steps:
        for start in range(0, len(names), CHUNK):
            rows = slice(start, start + CHUNK)
            views = views_of(ImageStack.of(images)[rows], config.views)
            parts.append(scoring.scores(views, descriptors, rows_of(tables, names[rows])))
            steps.advance(len(names[rows]))
    scores = [np.concatenate(own) for own in zip(*parts, strict=True)]
    return _table(run, external, scoring, scores)


def _without_tables(run: Results, features_from: Any) -> list[str] | None:
    """Names of the cells that need no other table than those given; None: all."""
    missing = set(run.run.get("features_from") or ()) - set(given_files(features_from))
    saved = saved_cells(run.folder)
    needing = [name for name in saved if missing & set(read_saved(run.folder, name)["families"])]
    if not needing:
        return None
    recorded = run.run.get("cells", {})
    combined = [
        name for name, details in recorded.items()
        if (details or {}).get("members") and not set(details["members"]) & set(needing)
    ]  # fmt: skip
    wanted = [*(name for name in saved if name not in needing), *combined]
    if not wanted:
        raise ConfigError(
            "The features of all cells were given by tables, and this program can't compute them. "
            "Compute them for the images of the set and use evaluate with --features-from."
        )
    say(
        f"Note: {', '.join(needing)} and combinations of them are left out: their features were "
        "given by a table. Score the set with evaluate and --features-from.",
        quiet=False,
    )
    return wanted


def _table(
    run: Results, external: ExternalSet, scoring: ScoringCells, scores: list[NDArray[np.float64]]
) -> pd.DataFrame:
    order = {str(name): k for k, name in enumerate(dict.fromkeys(run.scores["cell"]))}
    known = external.dataset.manifest[["image", "group", "subtype", "label"]]
    parts = [
        known.assign(
            cell=cell.name, features=cell.features, model=cell.model, seed=cell.seed,
            split=EXTERNAL + external.name, fold=0, score=score,
        )
        for cell, score in sorted(
            zip(scoring.shown, scores, strict=True), key=lambda pair: order[pair[0].name]
        )
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)[PREDICTION_COLUMNS]
